// Which tools run at once, which only when somebody says yes, and which never. Pure.
//
// Written as "memory_save=allow, file_read=ask, phone:memory_forget=deny": a tool, or a key's name and a tool; "*" is
// every tool. The most particular rule decides: key and tool, key and "*", tool, "*", then the tool's own default.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "tools/tool.h"

namespace pandora {

inline constexpr std::size_t kMaxApprovalRules = 256;

std::string_view to_string(Approval approval);

class ApprovalPolicy {
 public:
  // kInvalidArgument with the rule: no such answer, no tool, one thing ruled twice, too many.
  static Result<ApprovalPolicy> parse(std::string_view rules);
  Approval decide(std::string_view key, std::string_view tool, Approval otherwise) const;

 private:
  std::map<std::pair<std::string, std::string>, Approval> rules_;  // key ("" any), tool
};

}  // namespace pandora
