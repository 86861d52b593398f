#include "access/key_ring.h"

#include <algorithm>

#include <fmt/format.h>

#include "access/key_documents.h"
#include "base/hash.h"
#include "base/text.h"

namespace pandora {
namespace {

constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::size_t kShown = 80;

tl::unexpected<Error> no_such_key(std::string_view what) {
  return fail(ErrorCode::kNotFound, fmt::format("there is no key \"{}\"", one_line(ellipsize(what, kShown))),
              "`pandora keys list` shows those there are");
}

}  // namespace

Result<std::unique_ptr<KeyRing>> KeyRing::open(KeyStore& store, DocumentStore& documents, UuidV7Generator& ids,
                                               Random& random, const Clock& clock, const Deadline& deadline) {
  std::unique_ptr<KeyRing> ring(new KeyRing(store, documents, ids, random, clock));
  PANDORA_CHECK(ring->load(deadline));
  return ring;
}

Result<std::unique_ptr<KeyRing>> KeyRing::open_without_rows(KeyStore& store, DocumentStore& documents,
                                                            UuidV7Generator& ids, Random& random, const Clock& clock,
                                                            const Deadline& deadline) {
  std::unique_ptr<KeyRing> ring(new KeyRing(store, documents, ids, random, clock));
  PANDORA_TRY(written, read_key_documents(documents, deadline));
  ring->hold(written);
  return ring;
}

Status KeyRing::refresh(const Deadline& deadline) {
  const std::lock_guard one_at_a_time(changing_);
  if (!complete_) return load(deadline);
  PANDORA_TRY(rows, store_.list(deadline));
  hold(rows);
  return {};
}

// What was used or revoked here and is not written yet stays so.
void KeyRing::hold(const std::vector<ApiKey>& rows) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, Held, std::less<>> held;
  for (const ApiKey& key : rows) {
    Held one(key);
    if (const auto known = held_.find(key.hint); known != held_.end() && known->second.key.id == key.id) {
      one.used = known->second.used, one.written = known->second.written;
      if (!one.key.revoked_at) one.key.revoked_at = known->second.key.revoked_at;
    }
    held.emplace(key.hint, std::move(one));
  }
  held_ = std::move(held);
}

// A crash may have left a file whose row was not written, or whose row says less; a database may have been made anew.
Status KeyRing::load(const Deadline& deadline) {
  PANDORA_TRY(rows, store_.list(deadline));
  PANDORA_TRY(written, read_key_documents(documents_, deadline));
  for (const ApiKey& key : written) {
    const auto row = std::ranges::find(rows, key.id, &ApiKey::id);
    if (row == rows.end()) {
      PANDORA_CHECK(store_.add(key, deadline));
      rows.push_back(key);
    } else if (key.revoked_at && !row->revoked_at) {
      PANDORA_TRY(revoked, store_.revoke(key.id, *key.revoked_at, deadline));
      *row = std::move(revoked);
    }
  }
  for (const ApiKey& key : rows) {
    const bool has_file = std::ranges::find(written, key.id, &ApiKey::id) != written.end();
    if (!has_file) PANDORA_CHECK(write_key_document(documents_, key, deadline));
  }
  hold(rows);
  complete_ = true;
  return {};
}

std::string KeyRing::new_secret() {
  for (;;) {
    std::string secret(kKeyPrefix);
    while (secret.size() < kKeySecretLength) secret += kLetters[random_.below(kLetters.size())];
    const std::lock_guard lock(mutex_);
    if (!held_.contains(std::string_view(secret).substr(0, kKeyHintLength))) return secret;
  }
}

Result<CreatedKey> KeyRing::create(const NewKey& wanted, const Deadline& deadline) {
  const std::lock_guard one_at_a_time(changing_);
  CreatedKey created;
  ApiKey& key = created.key;
  key.created_at = clock_.now();
  if (wanted.expires_at && *wanted.expires_at <= key.created_at)
    return fail(ErrorCode::kInvalidArgument, "a key that has expired already", "name a time that is still to come");
  created.secret = new_secret();
  key.id = ids_.next();
  key.name = wanted.name;
  key.user = wanted.user;
  key.scopes = wanted.scopes;
  key.requests_a_minute = wanted.requests_a_minute;
  key.tokens_a_minute = wanted.tokens_a_minute;
  key.expires_at = wanted.expires_at;
  key.hint = created.secret.substr(0, kKeyHintLength);
  key.secret_sha256 = sha256_hex(created.secret);
  // The row first: it says whether the name is free. Without its file it is a key all the same (see `load`).
  PANDORA_CHECK(store_.add(key, deadline));
  PANDORA_CHECK(write_key_document(documents_, key, deadline));
  const std::lock_guard lock(mutex_);
  held_.emplace(key.hint, Held(key));
  return created;
}

std::optional<ApiKey> KeyRing::named(std::string_view id_or_name) const {
  const auto id = Uuid::parse(id_or_name);
  const std::lock_guard lock(mutex_);
  for (const auto& [hint, held] : held_)
    if (id ? held.key.id == *id : held.key.name == id_or_name && !held.key.revoked_at) return held.key;
  return std::nullopt;
}

Result<ApiKey> KeyRing::revoke(std::string_view id_or_name, const Deadline& deadline) {
  const std::lock_guard one_at_a_time(changing_);
  auto key = named(id_or_name);
  if (!key) return no_such_key(id_or_name);
  if (!key->revoked_at) {
    key->revoked_at = clock_.now();
    {
      // From here on it is refused, whatever becomes of file and row: a failure is reported, and done again.
      const std::lock_guard lock(mutex_);
      held_.find(key->hint)->second.key.revoked_at = key->revoked_at;
    }
  }
  PANDORA_CHECK(write_key_document(documents_, *key, deadline));
  PANDORA_CHECK(store_.revoke(key->id, *key->revoked_at, deadline));
  const std::lock_guard lock(mutex_);
  return shown(held_.find(key->hint)->second);
}

Result<ApiKey> KeyRing::remove(std::string_view id, const Deadline& deadline) {
  const std::lock_guard one_at_a_time(changing_);
  const auto key = named(id);
  if (!key) return no_such_key(id);
  if (is_usable(*key, clock_.now()))
    return fail(ErrorCode::kConflict, fmt::format("the key \"{}\" can still be used", key->name),
                "revoke it first: `pandora keys revoke`");
  PANDORA_CHECK(documents_.remove(key_path(key->id), deadline));
  PANDORA_CHECK(store_.remove(key->id, deadline));
  const std::lock_guard lock(mutex_);
  held_.erase(key->hint);
  return *key;
}

ApiKey KeyRing::shown(const Held& held) {
  ApiKey key = held.key;
  if (held.used) key.last_used_at = std::max(key.last_used_at.value_or(*held.used), *held.used);
  return key;
}

std::vector<ApiKey> KeyRing::list() const {
  std::vector<ApiKey> keys;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [hint, held] : held_) keys.push_back(shown(held));
  }
  std::ranges::sort(keys, {}, &ApiKey::id);
  return keys;
}

bool KeyRing::empty() const {
  const std::lock_guard lock(mutex_);
  return held_.empty();
}

bool KeyRing::has_usable() const {
  const Timestamp now = clock_.now();
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(held_, [now](const auto& one) { return is_usable(one.second.key, now); });
}

std::optional<ApiKey> KeyRing::find(std::string_view secret) {
  if (secret.size() != kKeySecretLength || !secret.starts_with(kKeyPrefix)) return std::nullopt;
  const std::string hash = sha256_hex(secret);
  const Timestamp now = clock_.now();
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(secret.substr(0, kKeyHintLength));
  // What it begins with is shown to people, and is no secret; the rest is compared by hash.
  if (found == held_.end() || !equal_in_constant_time(found->second.key.secret_sha256, hash)) return std::nullopt;
  Held& held = found->second;
  if (!is_usable(held.key, now)) return std::nullopt;
  held.used = now;
  return held.key;
}

bool KeyRing::uses_are_due() {
  const SteadyTime now = clock_.steady();
  const std::lock_guard lock(mutex_);
  if (uses_due_ && now < *uses_due_) return false;
  uses_due_ = now + kKeyUsesWritten;
  return true;
}

Status KeyRing::write_uses(const Deadline& deadline) {
  std::vector<std::pair<Uuid, Timestamp>> uses;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [hint, held] : held_)
      if (held.used && held.used != held.written) {
        uses.emplace_back(held.key.id, *held.used);
        held.written = held.used;
      }
  }
  return uses.empty() ? Status() : store_.note_uses(uses, deadline);
}

}  // namespace pandora
