#include "pipeline/validation.h"

#include <algorithm>

#include "base/text.h"

namespace pandora {

ValidationAttempt validate_reply(std::string_view message, std::string_view reply, ReplyEnd end,
                                 std::span<const ToolBlock> tools) {
  ValidationAttempt result;
  result.confidence = 0.9;
  const auto at_most = [&](double confidence, const char* issue) {
    result.confidence = std::min(result.confidence, confidence);
    result.issues.emplace_back(issue);
  };
  if (trim(reply).empty()) at_most(0, "the reply is empty");
  if (end == ReplyEnd::kCutOff) at_most(0.4, "the reply stopped in the middle");
  // A call that the user stopped is no failure.
  const auto cancelled = [](const ToolBlock& block) { return block.status == ToolStatus::kCancelled; };
  const auto ok = [](const ToolBlock& block) { return block.status == ToolStatus::kOk; };
  const auto failed = std::ssize(tools) - std::ranges::count_if(tools, ok) - std::ranges::count_if(tools, cancelled);
  if (failed > 0) {
    const bool all = std::ranges::none_of(tools, ok);
    at_most(all ? 0.45 : 0.7, all ? "every tool failed" : "some tools failed");
  }
  if (!trim(reply).empty() && collapse_space(reply) == collapse_space(message))
    at_most(0.4, "the reply repeats the message");
  result.verdict = verdict_for(result.confidence);
  return result;
}

}  // namespace pandora
