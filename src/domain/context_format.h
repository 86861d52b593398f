// The words that `render` writes and `parse` expects: one place, so that they cannot differ. Internal to domain.
//
// Layout: one heading a section; `- name: value` for a fact on one line (with \\, \n and \r escaped); a block quote for
// a free text, one line of quote for each line of text, so that an empty text is one empty line of quote. What is empty
// and may be so is left out. The last line says that this is the end, so that a cut document is never taken for a
// whole.
#pragma once
#include <string_view>

namespace pandora::context_format {

inline constexpr std::string_view kTitle = "# Turn ";
inline constexpr std::string_view kVersion = " · context document, version ";
inline constexpr std::string_view kQuery = "## §0 Question";
inline constexpr std::string_view kReflection = "## §1 Reflection";
inline constexpr std::string_view kGathered = "## §2 Gathered";
inline constexpr std::string_view kPlan = "## §3 Plan";
inline constexpr std::string_view kTools = "## §4 Tools";
inline constexpr std::string_view kReplies = "## §5 Reply";
inline constexpr std::string_view kValidation = "## §6 Validation";
inline constexpr std::string_view kItem = "### ";
inline constexpr std::string_view kAttempt = "### Attempt ";
inline constexpr std::string_view kPass = ", pass ";
inline constexpr std::string_view kSelfContained = "Made self-contained:";
inline constexpr std::string_view kStandsAlone = "It stands alone.";
inline constexpr std::string_view kAskedBack = "Asked back:";
inline constexpr std::string_view kBetween = " · ";  // between the closed facts of an item's first line
inline constexpr std::string_view kTrust = "trust ";
inline constexpr std::string_view kConfidence = "confidence ";
inline constexpr std::string_view kScore = "score ";
inline constexpr std::string_view kEnd = "*End of the context document.*";

}  // namespace pandora::context_format
