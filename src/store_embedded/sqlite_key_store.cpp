#include "store_embedded/sqlite_key_store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "store_embedded/sqlite_rows.h"

namespace pandora {
namespace {

constexpr std::string_view kAll =
    "SELECT key_id, name, user_id, scopes, requests_a_minute, tokens_a_minute, hint, secret_sha256, created_at,"
    " expires_at, revoked_at, last_used_at FROM api_keys WHERE ?1 IS NULL OR key_id = ?1 ORDER BY key_id";

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    words.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

std::optional<Timestamp> time_at(const Statement& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(Timestamp{row.integer(column)});
}

Result<ApiKey> read_key(const Statement& row) {
  ApiKey key;
  PANDORA_TRY(id, row.uuid(0));
  PANDORA_TRY(user, sqlite_rows::stored(UserId::parse(row.text(2))));
  PANDORA_TRY(scopes, sqlite_rows::stored(parse_key_scopes(words_of(row.text(3)))));
  key.id = id;
  key.name = row.text(1);
  key.user = std::move(user);
  key.scopes = scopes;
  key.requests_a_minute = row.integer(4);
  key.tokens_a_minute = row.integer(5);
  key.hint = row.text(6);
  key.secret_sha256 = row.text(7);
  key.created_at = {row.integer(8)};
  key.expires_at = time_at(row, 9);
  key.revoked_at = time_at(row, 10);
  key.last_used_at = time_at(row, 11);
  return key;
}

Result<std::vector<ApiKey>> read_keys(Connection& connection, const std::optional<Uuid>& id) {
  std::vector<ApiKey> keys;
  PANDORA_TRY(rows, connection.query(kAll, id));
  for (;;) {
    PANDORA_TRY(more, rows.next());
    if (!more) return keys;
    PANDORA_TRY(key, read_key(rows));
    keys.push_back(std::move(key));
  }
}

Status check_room(Connection& connection, const ApiKey& key) {
  PANDORA_TRY(row, connection.query("SELECT count(*), total(key_id = ?1 OR hint = ?2),"
                                    " total(name = ?3 AND revoked_at IS NULL AND ?4 IS NULL) FROM api_keys",
                                    key.id, key.hint, key.name, key.revoked_at));
  PANDORA_CHECK(row.next());
  if (row.number(1) > 0) return fail(ErrorCode::kConflict, "a key of that id or secret exists");
  if (row.number(2) > 0)
    return fail(ErrorCode::kConflict, fmt::format("there is a key \"{}\" already", key.name),
                "choose another name, or revoke that one");
  if (row.integer(0) < static_cast<std::int64_t>(kMaxApiKeys)) return {};
  return fail(ErrorCode::kResourceExhausted, fmt::format("there are {} keys, at most so many are kept", kMaxApiKeys),
              "remove revoked ones: `pandora keys remove`");
}

}  // namespace

Status SqliteKeyStore::add(const ApiKey& key, const Deadline& deadline) {
  PANDORA_CHECK(check_api_key(key));
  return database_.write(
      [&](Connection& connection) -> Status {
        PANDORA_CHECK(check_room(connection, key));
        return connection.run("INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", key.id, key.name,
                              key.user.str(), fmt::format("{}", fmt::join(key.scopes.names(), " ")),
                              key.requests_a_minute, key.tokens_a_minute, key.hint, key.secret_sha256, key.created_at,
                              key.expires_at, key.revoked_at, key.last_used_at);
      },
      deadline);
}

Result<std::vector<ApiKey>> SqliteKeyStore::list(const Deadline& deadline) {
  return database_.read([](Connection& connection) { return read_keys(connection, std::nullopt); }, deadline);
}

Result<ApiKey> SqliteKeyStore::revoke(const Uuid& id, Timestamp at, const Deadline& deadline) {
  return database_.write_for(
      [&](Connection& connection) -> Result<ApiKey> {
        PANDORA_CHECK(
            connection.run("UPDATE api_keys SET revoked_at = ? WHERE key_id = ? AND revoked_at IS NULL", at, id));
        PANDORA_TRY(keys, read_keys(connection, id));
        if (keys.empty()) return fail(ErrorCode::kNotFound, fmt::format("there is no key {}", id.to_string()));
        return std::move(keys.front());
      },
      deadline);
}

Status SqliteKeyStore::remove(const Uuid& id, const Deadline& deadline) {
  return database_.write(
      [&](Connection& connection) { return connection.run("DELETE FROM api_keys WHERE key_id = ?", id); }, deadline);
}

Status SqliteKeyStore::note_uses(const std::vector<std::pair<Uuid, Timestamp>>& uses, const Deadline& deadline) {
  return database_.write(
      [&](Connection& connection) -> Status {
        for (const auto& [id, at] : uses)
          PANDORA_CHECK(connection.run(
              "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, ?2), ?2) WHERE key_id = ?1", id, at));
        return {};
      },
      deadline);
}

}  // namespace pandora
