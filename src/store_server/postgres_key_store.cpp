#include "store_server/postgres_key_store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "store_server/postgres_rows.h"

namespace pandora {
namespace {

#define PANDORA_KEY_COLUMNS \
  "key_id, name, user_id, scopes, requests_a_minute, tokens_a_minute, hint, secret_sha256, " \
  PANDORA_MICROS("created_at") ", " PANDORA_MICROS("expires_at") ", " PANDORA_MICROS("revoked_at") ", " PANDORA_MICROS("last_used_at")

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    words.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

Result<ApiKey> read_key(const PostgresRows& rows, int i) {
  ApiKey key;
  PANDORA_TRY(id, rows.uuid(i, 0));
  PANDORA_TRY(user, postgres_rows::stored(UserId::parse(rows.text(i, 2))));
  PANDORA_TRY(scopes, postgres_rows::stored(parse_key_scopes(words_of(rows.text(i, 3)))));
  key.id = id;
  key.name = rows.text(i, 1);
  key.user = std::move(user);
  key.scopes = scopes;
  key.requests_a_minute = rows.integer(i, 4);
  key.tokens_a_minute = rows.integer(i, 5);
  key.hint = rows.text(i, 6);
  key.secret_sha256 = rows.text(i, 7);
  key.created_at = *rows.time(i, 8);
  key.expires_at = rows.time(i, 9);
  key.revoked_at = rows.time(i, 10);
  key.last_used_at = rows.time(i, 11);
  return key;
}

Status check_room(PostgresConnection& connection, const ApiKey& key) {
  // Of two at once the second one sees the first one's.
  PANDORA_CHECK(postgres_rows::done(connection.query("LOCK TABLE pandora.api_keys IN SHARE ROW EXCLUSIVE MODE")));
  PANDORA_TRY(row,
              connection.query(
                  "SELECT count(*), count(*) FILTER (WHERE key_id = $1 OR hint = $2),"
                  " count(*) FILTER (WHERE name = $3 AND revoked_at IS NULL AND NOT $4::bool) FROM pandora.api_keys",
                  key.id, key.hint, key.name, key.revoked_at.has_value()));
  if (row.integer(0, 1) > 0) return fail(ErrorCode::kConflict, "a key of that id or secret exists");
  if (row.integer(0, 2) > 0)
    return fail(ErrorCode::kConflict, fmt::format("there is a key \"{}\" already", key.name),
                "choose another name, or revoke that one");
  if (row.integer(0, 0) < static_cast<std::int64_t>(kMaxApiKeys)) return {};
  return fail(ErrorCode::kResourceExhausted, fmt::format("there are {} keys, at most so many are kept", kMaxApiKeys),
              "remove revoked ones: `pandora keys remove`");
}

}  // namespace

Status PostgresKeyStore::add(const ApiKey& key, const Deadline& deadline) {
  PANDORA_CHECK(check_api_key(key));
  return pool_.write(
      [&](PostgresConnection& connection) -> Status {
        PANDORA_CHECK(check_room(connection, key));
        return postgres_rows::done(
            connection.query("INSERT INTO pandora.api_keys VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                             key.id, key.name, key.user.str(), fmt::format("{}", fmt::join(key.scopes.names(), " ")),
                             key.requests_a_minute, key.tokens_a_minute, key.hint, key.secret_sha256, key.created_at,
                             key.expires_at, key.revoked_at, key.last_used_at));
      },
      deadline);
}

Result<std::vector<ApiKey>> PostgresKeyStore::list(const Deadline& deadline) {
  PANDORA_TRY(rows, pool_.query("SELECT " PANDORA_KEY_COLUMNS " FROM pandora.api_keys ORDER BY key_id", deadline));
  std::vector<ApiKey> keys;
  for (int i = 0; i < rows.size(); ++i) {
    PANDORA_TRY(key, read_key(rows, i));
    keys.push_back(std::move(key));
  }
  return keys;
}

Result<ApiKey> PostgresKeyStore::revoke(const Uuid& id, Timestamp at, const Deadline& deadline) {
  PANDORA_TRY(rows, pool_.query("UPDATE pandora.api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE key_id = $1"
                                " RETURNING " PANDORA_KEY_COLUMNS,
                                deadline, id, at));
  if (rows.empty()) return fail(ErrorCode::kNotFound, fmt::format("there is no key {}", id.to_string()));
  return read_key(rows, 0);
}

Status PostgresKeyStore::remove(const Uuid& id, const Deadline& deadline) {
  return postgres_rows::done(pool_.query("DELETE FROM pandora.api_keys WHERE key_id = $1", deadline, id));
}

Status PostgresKeyStore::note_uses(const std::vector<std::pair<Uuid, Timestamp>>& uses, const Deadline& deadline) {
  std::vector<Uuid> ids;
  std::vector<Timestamp> times;
  for (const auto& [id, at] : uses) {
    ids.push_back(id);
    times.push_back(at);
  }
  return postgres_rows::done(pool_.query(
      "UPDATE pandora.api_keys k SET last_used_at = greatest(last_used_at, used.at) FROM (SELECT id, max(at) AS at"
      " FROM unnest($1::uuid[], $2::timestamptz[]) AS u (id, at) GROUP BY id) AS used WHERE k.key_id = used.id",
      deadline, ids, times));
}

}  // namespace pandora
