// What turns hold besides their words, in the object store: put before the turn is acknowledged, removed when no turn
// names it any more.
//
// An object may belong to several turns, of several users. While one is kept for a turn that is being saved nobody
// removes it; a save that names one that is being removed waits. Thread-safe.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "domain/turn_record.h"
#include "ports/stores.h"

namespace pandora {

struct RemovedObjects {
  std::vector<std::string> keys;
  bool are_left = false;  // for other journals: none was removed, named or not
};

class TurnObjects {
 public:
  // `is_alone`: whether no other journal may hold turns of the same rows; none: there is no other.
  using IsAlone = std::function<Result<bool>(const Deadline&)>;
  explicit TurnObjects(Stores stores, IsAlone is_alone = {}) : stores_(stores), is_alone_(std::move(is_alone)) {}

  // Keeps objects from being removed for as long as it stands.
  class Held {
   public:
    Held() = default;
    Held(TurnObjects& objects, std::vector<std::string> keys) : objects_(&objects), keys_(std::move(keys)) {}
    Held(Held&& other) noexcept : objects_(std::exchange(other.objects_, nullptr)), keys_(std::move(other.keys_)) {}
    Held& operator=(Held&&) = delete;
    ~Held();

   private:
    TurnObjects* objects_ = nullptr;
    std::vector<std::string> keys_;
  };

  // Puts the bytes, durably, and names them in the turn, each once. Errors of the store; kTooLarge past the limits of
  // domain/turn.h; kDeadlineExceeded.
  Result<Held> keep(std::span<const Attachment> attachments, Turn& turn, const Deadline& deadline);

  // Removes those that no turn names; which they were. `settle` comes first: after it every acknowledged turn has its
  // row and its files.
  Result<RemovedObjects> remove_unnamed(const std::vector<std::string>& keys,
                                        const std::function<Status(const Deadline&)>& settle, const Deadline& deadline);

 private:
  template <class Free>
  Status wait_until(std::unique_lock<std::mutex>& lock, const Deadline& deadline, Free free);
  void give_back(const std::vector<std::string>& keys);

  Stores stores_;
  const IsAlone is_alone_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> held_;
  std::set<std::string> going_;  // being removed
};

// Those of these keys that a turn names: by its row, by its files, or by what stands in quarantine. Reads the metadata
// of every turn unless the rows name all of them.
Result<std::set<std::string>> named_objects(Stores stores, std::set<std::string> keys, const Deadline& deadline);

}  // namespace pandora
