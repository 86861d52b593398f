#include <fmt/format.h>

#include "service/operation.h"

namespace pandora {
namespace {

const KeyScopes kUsualScopes = {KeyScope::kChat, KeyScope::kRead, KeyScope::kWrite, KeyScope::kTools};
constexpr std::string_view kEveryScope = "all";

Json key_json(const ApiKey& key, Timestamp now) {
  const auto time = [](const std::optional<Timestamp>& at) { return at ? Json(to_iso8601(*at)) : Json(); };
  return {{"id", key.id.to_string()},
          {"name", key.name},
          {"user", key.user.str()},
          {"scopes", key.scopes.names()},
          {"requests_a_minute", key.requests_a_minute},
          {"tokens_a_minute", key.tokens_a_minute},
          {"hint", key.hint},
          {"state", state_of(key, now)},
          {"created_at", to_iso8601(key.created_at)},
          {"expires_at", time(key.expires_at)},
          {"revoked_at", time(key.revoked_at)},
          {"last_used_at", time(key.last_used_at)}};
}

std::int64_t read_rate(JsonReader& in, const char* name) {
  const std::int64_t rate = in.integer_or(name, 0);
  if (rate < 0 || rate > kMaxKeyRate) in.fault(name, fmt::format("must be between 0 (no limit) and {}", kMaxKeyRate));
  return rate;
}

KeyScopes read_scopes(JsonReader& in) {
  if (!in.any("scopes")) return kUsualScopes;
  const std::vector<std::string> names = in.texts("scopes");
  if (names.size() == 1 && names.front() == kEveryScope) return KeyScopes::all();
  const auto scopes = parse_key_scopes(names);
  if (in.ok() && !scopes) in.fault("scopes", scopes.error().message, scopes.error().remedy);
  return scopes.value_or(KeyScopes());
}

Result<Json> create(OperationCall& call) {
  NewKey wanted;
  wanted.name = call.in.text("name");
  if (call.in.ok())
    if (const Status name = check_name("key", wanted.name); !name)
      call.in.fault("name", name.error().message, name.error().remedy);
  wanted.user = call.who.user;
  wanted.scopes = read_scopes(call.in);
  wanted.requests_a_minute = read_rate(call.in, "requests_a_minute");
  wanted.tokens_a_minute = read_rate(call.in, "tokens_a_minute");
  wanted.expires_at = call.in.optional_value("expires_at", parse_iso8601);
  PANDORA_CHECK(call.in.finish());
  const bool is_first = call.parts.keys.empty();
  PANDORA_TRY(created, call.parts.keys.create(wanted, call.deadline));
  return Json{
      {"key", key_json(created.key, call.parts.clock.now())}, {"secret", created.secret}, {"is_first", is_first}};
}

// Of every user: keys are the installation's.
Result<Json> list(OperationCall& call) {
  PANDORA_CHECK(call.in.finish());
  Json keys = Json::array();
  for (const auto& key : call.parts.keys.list()) keys.push_back(key_json(key, call.parts.clock.now()));
  return Json{{"keys", std::move(keys)}};
}

Result<Json> revoke(OperationCall& call) {
  const std::string which = call.in.text("key");
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(key, call.parts.keys.revoke(which, call.deadline));
  return Json{{"key", key_json(key, call.parts.clock.now())}, {"any_usable", call.parts.keys.has_usable()}};
}

Result<Json> remove(OperationCall& call) {
  const std::string id = call.in.text("id");
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(key, call.parts.keys.remove(id, call.deadline));
  return Json{{"removed", key.id.to_string()}, {"name", key.name}, {"none_left", call.parts.keys.empty()}};
}

}  // namespace

std::vector<Operation> key_operations() {
  return {
      {{"keys.create", "name, scopes?, requests_a_minute? = 0, tokens_a_minute? = 0, expires_at?",
        "makes a key of the API for the user; its secret is told this once"},
       create},
      {{"keys.list", "", "the keys of the API, of every user, oldest first"}, list},
      {{"keys.revoke", "key", "a key, by id or name, is refused from now on"}, revoke},
      {{"keys.remove", "id", "drops a key that is revoked or expired from the list"}, remove},
  };
}

}  // namespace pandora
