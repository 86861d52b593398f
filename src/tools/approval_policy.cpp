#include "tools/approval_policy.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/ids.h"
#include "base/text.h"

namespace pandora {
namespace {

bool is_tool(std::string_view name) {
  return name == "*" || (!name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-';
         }));
}

}  // namespace

std::string_view to_string(Approval approval) {
  switch (approval) {
    case Approval::kAllow:
      return "allow";
    case Approval::kAsk:
      return "ask";
    case Approval::kDeny:
      return "deny";
  }
  return "";
}

Result<ApprovalPolicy> ApprovalPolicy::parse(std::string_view rules) {
  ApprovalPolicy policy;
  while (!trim(rules).empty()) {
    const std::size_t end = std::min(rules.find(','), rules.size());
    const std::string_view rule = trim(rules.substr(0, end));
    rules.remove_prefix(std::min(end + 1, rules.size()));
    const auto wrong = [&](std::string_view why) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("approval rule \"{}\": {}", ellipsize(rule, 100), why),
                  "write tool=allow, tool=ask or tool=deny, with key: before it for one key");
    };
    const std::size_t equals = rule.find('=');
    if (equals == std::string_view::npos) return wrong("it has no \"=\"");
    const std::string_view what = trim(rule.substr(0, equals)), answer = trim(rule.substr(equals + 1));
    const std::size_t colon = what.find(':');
    const std::string_view key = colon == std::string_view::npos ? "" : trim(what.substr(0, colon));
    const std::string_view tool = colon == std::string_view::npos ? what : trim(what.substr(colon + 1));
    if (!is_tool(tool)) return wrong("it names no tool");
    if (colon != std::string_view::npos && !check_name("key", key)) return wrong("it names no key");
    const bool known = answer == "allow" || answer == "ask" || answer == "deny";
    if (!known) return wrong(fmt::format("\"{}\" is none of allow, ask and deny", answer));
    const Approval approval = answer == "allow" ? Approval::kAllow : answer == "ask" ? Approval::kAsk : Approval::kDeny;
    if (!policy.rules_.emplace(std::pair(std::string(key), std::string(tool)), approval).second)
      return wrong("there are two of it");
    if (policy.rules_.size() > kMaxApprovalRules) return wrong(fmt::format("more than {} rules", kMaxApprovalRules));
  }
  return policy;
}

Approval ApprovalPolicy::decide(std::string_view key, std::string_view tool, Approval otherwise) const {
  for (const std::string_view whose : {key, std::string_view()})
    for (const std::string_view which : {tool, std::string_view("*")}) {
      const auto found = rules_.find({std::string(whose), std::string(which)});
      if (found != rules_.end()) return found->second;
    }
  return otherwise;
}

}  // namespace pandora
