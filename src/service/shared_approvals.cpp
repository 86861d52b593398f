#include "service/shared_approvals.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr const char* kChannel = "approvals";
constexpr Duration kGlance = std::chrono::seconds(5);   // at the cache, whose own limit is lower
constexpr Duration kLonger = std::chrono::seconds(10);  // than an approval waits, so that its end is seen
constexpr Duration kListKept = std::chrono::hours(24);
constexpr int kAttempts = 32;  // to change a list that others change as well
constexpr std::size_t kMaxBytes = 64 * 1024;

std::string key_of(const Uuid& id) { return "approval:" + id.to_string(); }
std::string list_of(const UserId& user) { return "approvals:" + user.str(); }
std::string allowance_of(const ApprovalRequest& request) {
  return "allowed:" + sha256_hex(request.user.str() + '\0' + request.session.str() + '\0' + request.tool);
}

Json to_value(const PendingApproval& pending) {
  const ApprovalRequest& what = pending.what;
  return {{"id", pending.id.to_string()},
          {"user", what.user.str()},
          {"session", what.session.empty() ? Json() : Json(what.session.str())},
          {"turn", what.turn.to_string()},
          {"key", what.key},
          {"tool", what.tool},
          {"arguments", what.arguments},
          {"asked_at", pending.asked_at.micros},
          {"until", pending.until.micros}};
}

Result<PendingApproval> pending_of(const Json& json) {
  JsonReader in(json, "a shared approval", ErrorCode::kDataCorrupt);
  PendingApproval pending;
  pending.id = in.value("id", Uuid::parse);
  pending.what.user = in.value("user", UserId::parse);
  pending.what.session = in.optional_value("session", SessionId::parse).value_or(SessionId());
  pending.what.turn = in.value("turn", Uuid::parse);
  pending.what.key = in.text_or("key", "");
  pending.what.tool = in.text("tool");
  pending.what.arguments = in.text_or("arguments", "");
  pending.asked_at = {in.integer("asked_at")};
  pending.until = {in.integer("until")};
  if (in.any("answer")) {
    (void)in.text("answer");
    (void)in.text_or("why", "");
  }
  PANDORA_CHECK(in.finish());
  return pending;
}

std::optional<SharedApprovals::Answer> answer_in(const std::string& value) {
  const auto json = parse_json(value, kMaxBytes, "a shared approval");
  if (!json || !json->is_object() || !json->contains("answer")) return std::nullopt;
  const auto answer = parse_approval_answer(json->value("answer", ""));
  if (!answer) return std::nullopt;
  return SharedApprovals::Answer{*answer, json->value("why", "")};
}

tl::unexpected<Error> waits_no_more(const Uuid& id) {
  return fail(ErrorCode::kNotFound, fmt::format("no approval {} waits", id.to_string()),
              "`pandora approvals list` shows those that do");
}

}  // namespace

SharedApprovals::SharedApprovals(Cache& cache, const Clock& clock, std::function<void()> answered)
    : cache_(cache),
      clock_(clock),
      heard_(cache, kChannel, [answered = std::move(answered)](const std::string&) { answered(); }) {}

Deadline SharedApprovals::soon() const { return Deadline::after(clock_, kGlance); }

// Others change it at the same time: who comes too late looks again.
void SharedApprovals::change_list(const UserId& user, const std::function<void(std::vector<std::string>&)>& how) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto known = cache_.get(list_of(user), soon());
    if (!known) return;
    std::vector<std::string> ids;
    if (*known)
      if (const auto json = parse_json(**known, kMaxBytes, "a list of approvals"); json && json->is_array())
        for (const auto& id : *json)
          if (id.is_string()) ids.push_back(id.get<std::string>());
    how(ids);
    const auto done = cache_.replace(list_of(user), *known, dump_json(Json(ids)), kListKept, soon());
    if (!done || *done) return;
  }
}

void SharedApprovals::offer(const PendingApproval& pending, Duration wait) {
  const Duration lifetime = wait + kLonger;
  if (const Status set = cache_.set(key_of(pending.id), dump_json(to_value(pending)), lifetime, soon()); !set) {
    log_debug("approval.not_shared", {{"why", set.error().to_line()}});
    return;
  }
  change_list(pending.what.user, [&](std::vector<std::string>& ids) {
    ids.push_back(pending.id.to_string());
    if (ids.size() > kMaxSharedApprovals) ids.erase(ids.begin());
  });
}

std::optional<SharedApprovals::Answer> SharedApprovals::answer_of(const PendingApproval& pending) {
  const auto value = cache_.get(key_of(pending.id), soon());
  return value && *value ? answer_in(**value) : std::nullopt;
}

std::optional<SharedApprovals::Answer> SharedApprovals::withdraw(const PendingApproval& pending) {
  Json gone = to_value(pending);
  gone["answer"] = to_string(ApprovalAnswer::kDeny);
  const auto first = cache_.replace(key_of(pending.id), dump_json(to_value(pending)), dump_json(gone), kLonger, soon());
  std::optional<Answer> given;
  if (first && !*first) given = answer_of(pending);
  (void)cache_.erase(key_of(pending.id), soon());
  change_list(pending.what.user, [&](std::vector<std::string>& ids) { std::erase(ids, pending.id.to_string()); });
  return given;
}

std::vector<PendingApproval> SharedApprovals::list(const UserId& user) {
  std::vector<PendingApproval> all;
  const auto known = cache_.get(list_of(user), soon());
  if (!known || !*known) return all;
  const auto ids = parse_json(**known, kMaxBytes, "a list of approvals");
  if (!ids || !ids->is_array()) return all;
  for (const auto& text : *ids) {
    const auto id = text.is_string() ? Uuid::parse(text.get<std::string>()) : fail(ErrorCode::kDataCorrupt, "no id");
    if (!id) continue;
    const auto value = cache_.get(key_of(*id), soon());
    if (!value) return all;
    if (!*value || answer_in(**value)) continue;
    const auto json = parse_json(**value, kMaxBytes, "a shared approval");
    auto pending = json ? pending_of(*json) : Result<PendingApproval>(fail(json.error()));
    if (pending && pending->what.user == user) all.push_back(*std::move(pending));
  }
  return all;
}

Status SharedApprovals::answer(const Uuid& id, const Answer& answer, const UserId& user) {
  PANDORA_TRY(value, cache_.get(key_of(id), soon()));
  if (!value || answer_in(*value)) return waits_no_more(id);
  PANDORA_TRY(json, parse_json(*value, kMaxBytes, "a shared approval"));
  PANDORA_TRY(pending, pending_of(json));
  if (pending.what.user != user) return waits_no_more(id);
  if (answer.answer == ApprovalAnswer::kSession && pending.what.session.empty())
    return fail(ErrorCode::kInvalidArgument, "this call belongs to no session", "allow it once");
  json["answer"] = to_string(answer.answer);
  json["why"] = answer.why;
  PANDORA_TRY(mine, cache_.replace(key_of(id), *value, dump_json(json), kLonger, soon()));
  if (!mine) return waits_no_more(id);
  (void)cache_.publish(kChannel, id.to_string(), soon());  // unheard it is seen all the same
  return {};
}

void SharedApprovals::allow(const ApprovalRequest& request) {
  (void)cache_.set(allowance_of(request), "1", kSharedAllowance, soon());
}

bool SharedApprovals::is_allowed(const ApprovalRequest& request) {
  const auto value = cache_.get(allowance_of(request), soon());
  return value && *value;
}

}  // namespace pandora
