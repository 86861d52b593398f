// The keys of the API, as those use them who serve it: made and revoked here, told apart by their secrets.
//
// What stands in files is the truth, rows follow (docs/formats.md). All keys are held in memory as well, so that a
// request costs one hash and no I/O, and one that is revoked is refused from that moment on. What another process
// changes in the same rows is known from the next `refresh` on. Thread-safe.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "ports/document_store.h"
#include "ports/key_store.h"

namespace pandora {

inline constexpr Duration kKeyUsesWritten = std::chrono::minutes(1);  // how far last_used_at on disk may lag

struct NewKey {
  std::string name;
  UserId user;
  KeyScopes scopes;
  std::int64_t requests_a_minute = 0, tokens_a_minute = 0;
  std::optional<Timestamp> expires_at;
};
struct CreatedKey {
  ApiKey key;
  std::string secret;  // nobody can be told it again
};

class KeyRing {
 public:
  // What it is given outlives it. Brings back the rows of keys whose files are there. Errors of the stores.
  static Result<std::unique_ptr<KeyRing>> open(KeyStore& store, DocumentStore& documents, UuidV7Generator& ids,
                                               Random& random, const Clock& clock, const Deadline& deadline);

  // While the rows are out of reach: with what stands in files, and so perhaps without some keys (`is_complete`).
  // kDataCorrupt.
  static Result<std::unique_ptr<KeyRing>> open_without_rows(KeyStore& store, DocumentStore& documents,
                                                            UuidV7Generator& ids, Random& random, const Clock& clock,
                                                            const Deadline& deadline);
  // What the rows say now; the first one after `open_without_rows` makes rows and files equal as `open` does.
  Status refresh(const Deadline& deadline);
  bool is_complete() const { return complete_; }  // a key that is not here is none

  // kConflict: the name is in use; kInvalidArgument: a time in the past, and check_api_key's.
  Result<CreatedKey> create(const NewKey& wanted, const Deadline& deadline);
  // By id, or by name when a key of that name is not revoked. kNotFound. Revoking twice is fine.
  Result<ApiKey> revoke(std::string_view id_or_name, const Deadline& deadline);
  // Of a revoked or expired one no trace stays; kConflict for one that is usable, kNotFound.
  Result<ApiKey> remove(std::string_view id, const Deadline& deadline);
  std::vector<ApiKey> list() const;  // oldest first, each as last used until now

  bool empty() const;  // revoked ones count: who once wanted keys is not left without any because they ended
  bool has_usable() const;
  // Whose it is, when it may be used now; notes the use. The comparison takes as long for every wrong secret.
  std::optional<ApiKey> find(std::string_view secret);

  // At most once in kKeyUsesWritten it is time; then whoever may block writes.
  bool uses_are_due();
  Status write_uses(const Deadline& deadline);

 private:
  struct Held {
    explicit Held(ApiKey the_key) : key(std::move(the_key)) {}
    ApiKey key;
    std::optional<Timestamp> used, written;  // at last
  };
  KeyRing(KeyStore& store, DocumentStore& documents, UuidV7Generator& ids, Random& random, const Clock& clock)
      : store_(store), documents_(documents), ids_(ids), random_(random), clock_(clock) {}
  Status load(const Deadline& deadline);
  void hold(const std::vector<ApiKey>& rows);
  std::string new_secret();
  std::optional<ApiKey> named(std::string_view id_or_name) const;
  static ApiKey shown(const Held& held);

  KeyStore& store_;
  DocumentStore& documents_;
  UuidV7Generator& ids_;
  Random& random_;
  const Clock& clock_;
  std::atomic<bool> complete_ = false;
  std::mutex changing_;                            // one change at a time: file, row, memory
  mutable std::mutex mutex_;                       // of what follows
  std::map<std::string, Held, std::less<>> held_;  // by hint
  std::optional<SteadyTime> uses_due_;
};

}  // namespace pandora
