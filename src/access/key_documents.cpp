#include "access/key_documents.h"

#include <fmt/format.h>

#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr std::string_view kFolder = "keys";
constexpr std::int64_t kFormat = 1;
constexpr std::size_t kMaxKeyDocument = 16 * 1024;

Json time_json(const std::optional<Timestamp>& time) { return time ? Json(to_iso8601(*time)) : Json(); }

}  // namespace

std::string encode_key(const ApiKey& key) {
  const Json json = {{"format", kFormat},
                     {"id", key.id.to_string()},
                     {"name", key.name},
                     {"user", key.user.str()},
                     {"scopes", key.scopes.names()},
                     {"requests_a_minute", key.requests_a_minute},
                     {"tokens_a_minute", key.tokens_a_minute},
                     {"hint", key.hint},
                     {"secret_sha256", key.secret_sha256},
                     {"created_at", to_iso8601(key.created_at)},
                     {"expires_at", time_json(key.expires_at)},
                     {"revoked_at", time_json(key.revoked_at)}};
  return json.dump(2) + "\n";
}

Result<ApiKey> decode_key(std::string_view document) {
  PANDORA_TRY(json, parse_json(document, kMaxKeyDocument, "key"));
  JsonReader in(json, "key");
  const std::int64_t format = in.integer("format");
  if (in.ok() && format != kFormat)
    return fail(ErrorCode::kIncompatible, fmt::format("a key of format {}", format), "use a newer pandora");
  ApiKey key;
  key.id = in.value("id", Uuid::parse);
  key.name = in.text("name");
  key.user = in.value("user", UserId::parse);
  const auto scopes = parse_key_scopes(in.texts("scopes"));
  if (in.ok() && !scopes) in.fault("scopes", scopes.error().message);
  key.scopes = scopes.value_or(KeyScopes());
  key.requests_a_minute = in.integer("requests_a_minute");
  key.tokens_a_minute = in.integer("tokens_a_minute");
  key.hint = in.text("hint");
  key.secret_sha256 = in.text("secret_sha256");
  key.created_at = in.value("created_at", parse_iso8601);
  key.expires_at = in.optional_value("expires_at", parse_iso8601);
  key.revoked_at = in.optional_value("revoked_at", parse_iso8601);
  PANDORA_CHECK(in.finish());
  if (const Status good = check_api_key(key); !good) return fail(ErrorCode::kDataCorrupt, good.error().message);
  return key;
}

std::string key_path(const Uuid& id) { return fmt::format("{}/{}.json", kFolder, id.to_string()); }

Status write_key_document(DocumentStore& documents, const ApiKey& key, const Deadline& deadline) {
  return documents.put(key_path(key.id), encode_key(key), Durability::kNow, deadline);
}

Result<std::vector<ApiKey>> read_key_documents(DocumentStore& documents, const Deadline& deadline) {
  std::vector<ApiKey> keys;
  PANDORA_TRY(files, documents.list(std::string(kFolder), deadline));
  for (const auto& file : files) {
    const std::string path = fmt::format("{}/{}", kFolder, file.name);
    PANDORA_TRY(document, documents.read(path, deadline));
    auto key = decode_key(document);
    if (!key)
      return fail(std::move(key).error().with_context(path).with_remedy("remove the file, and make that key again"));
    keys.push_back(*std::move(key));
  }
  return keys;
}

}  // namespace pandora
