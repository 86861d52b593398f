// The words that `render` writes and `parse` expects: one place, so that they cannot differ. Internal to domain.
//
// Layout: one heading a section; `- name: value` for a fact on one line (with \\, \n and \r escaped); a block quote for a
// free text, one line of quote for each line of text, so that an empty text is one empty line of quote.
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
inline constexpr std::string_view kAskedBack = "Asked back:";

}  // namespace pandora::context_format
