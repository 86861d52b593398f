#include "tools/tool_registry.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"

namespace pandora {
namespace {

constexpr Duration kMinute = std::chrono::minutes(1);
constexpr std::size_t kMaxNameBytes = 64;  // OpenAI's own limit

bool can_be_called(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

std::string cut(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  const std::string note = fmt::format("(cut: {} of {} bytes are shown)\n", most, text.size());
  if (most <= note.size()) return ellipsize(text, most);
  return note + ellipsize(text, most - note.size());
}

ToolStatus status_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::kDeadlineExceeded:
      return ToolStatus::kTimedOut;
    case ErrorCode::kCancelled:
      return ToolStatus::kCancelled;
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kTooLarge:
      return ToolStatus::kRefused;
    default:
      return ToolStatus::kFailed;
  }
}

}  // namespace

Observation to_observation(const ToolNote& note) {
  Observation row;
  row.turn_uid = note.turn;
  row.kind = ObservationKind::kTool;
  row.name = note.tool;
  row.at = note.at;
  row.micros = note.micros;
  row.ok = note.status == ToolStatus::kOk;
  row.detail = fmt::format("{}; user {}{}{}", note.call, note.user.str(), note.key.empty() ? "" : "; key " + note.key,
                           note.why.empty() ? "" : "; " + note.why);
  return row;
}

Result<std::unique_ptr<ToolRegistry>> ToolRegistry::create(RegistryParts parts) {
  std::unique_ptr<ToolRegistry> registry(new ToolRegistry(std::move(parts)));
  if (registry->parts_.tools.size() > kMaxTools)
    return fail(ErrorCode::kInvalidArgument, fmt::format("more than {} tools", kMaxTools));
  for (const auto& tool : registry->parts_.tools) {
    const ToolDefinition& definition = tool->info().definition;
    if (!can_be_called(definition.name))
      return fail(ErrorCode::kInvalidArgument, fmt::format("no model can call a tool named \"{}\"", definition.name));
    PANDORA_TRY(schema, ArgumentSchema::parse(definition.name, definition.schema));
    if (!registry->entries_.emplace(definition.name, Entry{tool, std::move(schema)}).second)
      return fail(ErrorCode::kInvalidArgument, fmt::format("there are two tools named {}", definition.name));
    registry->catalogue_.push_back(definition);
  }
  return registry;
}

const ToolInfo* ToolRegistry::find(std::string_view name) const {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : &found->second.tool->info();
}

Approval ToolRegistry::approval_of(std::string_view name, std::string_view key) const {
  const ToolInfo* info = find(name);
  return info ? parts_.policy.decide(key, name, info->approval) : Approval::kDeny;
}

Result<ToolOutcome> ToolRegistry::run(const ToolCall& call, const ToolCaller& caller, const Deadline& deadline) {
  const auto found = entries_.find(call.name);
  if (found == entries_.end())
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no tool \"{}\"", ellipsize(one_line(sanitize_utf8(call.name)), kMaxNameBytes)));
  ToolNote note;
  note.tool = call.name;
  note.user = caller.who.user;
  note.key = caller.key;
  note.turn = caller.turn;
  note.at = parts_.clock.now();
  note.approval = "not asked";
  const SteadyTime began = parts_.clock.steady();
  auto outcome = run_noted(found->second, call, caller, deadline, note);
  note.call = describe_call(note.status, note.approval, call.arguments, outcome ? outcome->result.size() : 0);
  note.micros = std::chrono::duration_cast<Duration>(parts_.clock.steady() - began).count();
  log_info("tool.called", {{"tool", note.tool},
                           {"user", note.user.str()},
                           {"turn", note.turn.is_nil() ? "" : note.turn.to_string()},
                           {"status", to_string(note.status)},
                           {"approval", note.approval},
                           {"micros", note.micros},
                           {"why", note.why}});
  parts_.note(note);
  return outcome;
}

Result<ToolOutcome> ToolRegistry::run_noted(const Entry& entry, const ToolCall& call, const ToolCaller& caller,
                                            const Deadline& deadline, ToolNote& note) {
  auto outcome = answer_of(entry, call, caller, deadline, note);
  if (!outcome) {
    note.status = status_of(outcome.error());
    note.why = error_info(outcome.error().code).name;
    return outcome;
  }
  outcome->result = cut(sanitize_utf8(outcome->result), entry.tool->info().limits.result_bytes);
  outcome->approval = note.approval;
  note.status = outcome->status;
  return outcome;
}

Result<ToolOutcome> ToolRegistry::answer_of(const Entry& entry, const ToolCall& call, const ToolCaller& caller,
                                            const Deadline& deadline, ToolNote& note) {
  const ToolInfo& info = entry.tool->info();
  PANDORA_TRY(arguments, entry.schema.read(call.arguments, kMaxCallArgumentBytes));
  PANDORA_CHECK(deadline.check(fmt::format("calling {}", call.name)));
  PANDORA_CHECK(count(info, caller.who.user));  // nobody is asked about what is refused all the same
  auto approved = approve(info, call, caller, deadline);
  note.approval = approved ? *approved : approved.error().code == ErrorCode::kPermissionDenied ? "deny" : "no answer";
  if (!approved) return fail(std::move(approved).error());
  if (caller.cancelled && caller.cancelled())
    return fail(ErrorCode::kCancelled, fmt::format("{} was not run: nobody waits for it any more", call.name));
  auto outcome =
      threads_.run(entry.tool, std::move(arguments), caller, deadline.at_most(parts_.clock, info.limits.time));
  if (outcome) return outcome;
  const ErrorCode code = outcome.error().code;
  const bool is_about_running =
      code == ErrorCode::kDeadlineExceeded || code == ErrorCode::kCancelled || code == ErrorCode::kResourceExhausted;
  if (is_about_running) return outcome;
  note.why = error_info(code).name;
  return ToolOutcome{.status = ToolStatus::kFailed, .result = outcome.error().to_line()};
}

Result<std::string> ToolRegistry::approve(const ToolInfo& info, const ToolCall& call, const ToolCaller& caller,
                                          const Deadline& deadline) {
  switch (parts_.policy.decide(caller.key, call.name, info.approval)) {
    case Approval::kAllow:
      return std::string("allow");
    case Approval::kDeny:
      return fail(ErrorCode::kPermissionDenied, fmt::format("{} is not allowed here", call.name),
                  "answer without it; the owner can allow it in the setting tools.approvals");
    case Approval::kAsk:
      break;
  }
  if (!parts_.gate)
    return fail(ErrorCode::kPermissionDenied, fmt::format("{} needs an approval, and nobody can be asked", call.name));
  return parts_.gate->ask(call, caller, deadline);
}

Status ToolRegistry::count(const ToolInfo& info, const UserId& user) {
  const SteadyTime now = parts_.clock.steady();
  const std::lock_guard lock(mutex_);
  const auto is_old = [&](SteadyTime at) { return now - at >= kMinute; };
  if (rates_.size() >= kMaxRatedUsers)
    std::erase_if(rates_, [&](const auto& entry) { return entry.second.empty() || is_old(entry.second.back()); });
  const auto key = std::pair(info.definition.name, user.str());
  if (rates_.size() >= kMaxRatedUsers && !rates_.contains(key))
    return fail(ErrorCode::kResourceExhausted, "too many users call tools at once", "try again in a minute");
  auto& calls = rates_[key];
  while (!calls.empty() && is_old(calls.front())) calls.pop_front();
  if (calls.size() >= info.limits.calls_a_minute)
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("{} was called {} times within a minute, which is the limit", info.definition.name,
                            info.limits.calls_a_minute),
                "answer without it, or try again in a minute");
  calls.push_back(now);
  return {};
}

}  // namespace pandora
