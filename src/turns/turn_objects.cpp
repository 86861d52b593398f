#include "turns/turn_objects.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.h"

namespace pandora {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(20);  // for clocks that tests tick
constexpr std::size_t kNamesAtOnce = 65'536;               // of folders: a directory is read once for each page
constexpr std::size_t kObjectKeySize = 64;                 // of a SHA-256, in hexadecimal
constexpr int kQuarantineDepth = 3;                        // quarantine/<day>-<name>/turn_000012/metadata.json

Status check_limits(std::span<const Attachment> attachments) {
  std::size_t all = 0;
  for (const auto& one : attachments) {
    all += one.bytes.size();
    if (one.bytes.size() > kMaxTurnObjectBytes)
      return fail(ErrorCode::kTooLarge,
                  fmt::format("an object of {} bytes, at most {} are kept", one.bytes.size(), kMaxTurnObjectBytes));
  }
  if (all <= kMaxTurnObjectsBytes) return {};
  return fail(ErrorCode::kTooLarge,
              fmt::format("a turn's objects of {} bytes, at most {} are kept", all, kMaxTurnObjectsBytes));
}

// Moves from `sought` to `found` what the text holds: keys are of hexadecimal digits, so few places may be one.
void look_in(std::string_view text, std::set<std::string>& sought, std::set<std::string>& found) {
  std::size_t digits = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    digits = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? digits + 1 : 0;
    if (digits < kObjectKeySize) continue;
    if (auto key = sought.extract(std::string(text.substr(at + 1 - kObjectKeySize, kObjectKeySize))))
      found.insert(std::move(key));
  }
}

class Search {
 public:
  Search(Stores stores, std::set<std::string> keys, const Deadline& deadline)
      : stores_(stores), deadline_(deadline), sought_(std::move(keys)) {}

  Result<std::set<std::string>> run() {
    PANDORA_CHECK(rows());
    for (const char* area : {"turns", "archive"}) {
      for (std::string after; !sought_.empty();) {
        PANDORA_TRY(folders, stores_.documents.list_after(area, after, kNamesAtOnce, deadline_));
        if (folders.empty()) break;
        after = folders.back().name;
        for (const auto& one : folders) PANDORA_CHECK(document(fmt::format("{}/{}/metadata.json", area, one.name)));
      }
    }
    PANDORA_CHECK(folder("quarantine", kQuarantineDepth));
    return std::move(found_);
  }

 private:
  Status rows() {
    for (TurnNumber after; !sought_.empty();) {
      PANDORA_TRY(page, stores_.turns.scan(after, kMaxPage, Principal::system(), deadline_));
      if (page.empty()) return {};
      for (const auto& turn : page) {
        after = turn.number;
        for (const auto& object : turn.objects)
          if (auto key = sought_.extract(object.key)) found_.insert(std::move(key));
      }
    }
    return {};
  }
  // What cannot be read through may name any of them.
  Status document(const std::string& path) {
    if (sought_.empty()) return {};
    const auto bytes = stores_.documents.read(path, deadline_);
    if (!bytes && bytes.error().code == ErrorCode::kNotFound) return {};
    if (!bytes && bytes.error().code == ErrorCode::kTooLarge) return found_.merge(sought_), Status();
    if (!bytes) return fail(bytes.error());
    look_in(*bytes, sought_, found_);
    return {};
  }
  Status folder(const std::string& path, int depth) {
    if (sought_.empty()) return {};
    PANDORA_TRY(entries, stores_.documents.list(path, deadline_));
    for (const auto& entry : entries) {
      const std::string inner = fmt::format("{}/{}", path, entry.name);
      if (!entry.is_directory)
        PANDORA_CHECK(document(inner));
      else if (depth > 0)
        PANDORA_CHECK(folder(inner, depth - 1));
    }
    return {};
  }

  Stores stores_;
  const Deadline& deadline_;
  std::set<std::string> sought_, found_;
};

}  // namespace

TurnObjects::Held::~Held() {
  if (objects_) objects_->give_back(keys_);
}

void TurnObjects::give_back(const std::vector<std::string>& keys) {
  const std::lock_guard lock(mutex_);
  for (const auto& key : keys)
    if (const auto found = held_.find(key); found != held_.end() && --found->second == 0) held_.erase(found);
  changed_.notify_all();
}

template <class Free>
Status TurnObjects::wait_until(std::unique_lock<std::mutex>& lock, const Deadline& deadline, Free free) {
  while (!free()) {
    PANDORA_CHECK(deadline.check("waiting for an object that another turn names"));
    changed_.wait_for(lock, kLook);
  }
  return {};
}

Result<TurnObjects::Held> TurnObjects::keep(std::span<const Attachment> attachments, Turn& turn,
                                            const Deadline& deadline) {
  if (attachments.empty() && turn.objects.empty()) return Held();
  PANDORA_CHECK(check_limits(attachments));
  std::vector<std::string> keys;
  for (const auto& object : turn.objects) keys.push_back(object.key);  // of an import: they may be there already
  for (const auto& one : attachments) {
    TurnObject object = one.object;
    object.key = sha256_hex(one.bytes);
    object.size = one.bytes.size();
    keys.push_back(object.key);
    const bool known = std::ranges::any_of(turn.objects, [&](const auto& other) { return other.key == object.key; });
    if (!known) turn.objects.push_back(std::move(object));
  }
  if (turn.objects.size() > kMaxTurnObjects)
    return fail(ErrorCode::kTooLarge,
                fmt::format("a turn with {} objects, at most {} are kept", turn.objects.size(), kMaxTurnObjects));
  {
    std::unique_lock lock(mutex_);
    PANDORA_CHECK(wait_until(lock, deadline, [&] {
      return std::ranges::none_of(keys, [&](const auto& key) { return going_.contains(key); });
    }));
    for (const auto& key : keys) ++held_[key];
  }
  Held held(*this, std::move(keys));
  for (const auto& one : attachments)
    PANDORA_CHECK(stores_.objects.put(one.bytes, one.object.media_type, deadline).map([](auto&&) {}));
  return held;
}

Result<RemovedObjects> TurnObjects::remove_unnamed(const std::vector<std::string>& keys,
                                                   const std::function<Status(const Deadline&)>& settle,
                                                   const Deadline& deadline) {
  RemovedObjects removed;
  if (keys.empty()) return removed;
  if (is_alone_) {
    PANDORA_TRY(alone, is_alone_(deadline));
    if (!alone) return RemovedObjects{{}, true};
  }
  // From here on no save names one of them anew, and those that did have been acknowledged or have failed.
  {
    std::unique_lock lock(mutex_);
    PANDORA_CHECK(wait_until(lock, deadline, [&] {
      return std::ranges::none_of(keys, [&](const auto& key) { return held_.contains(key) || going_.contains(key); });
    }));
    going_.insert(keys.begin(), keys.end());
  }
  const auto remove = [&]() -> Status {
    PANDORA_CHECK(settle(deadline));
    PANDORA_TRY(named, named_objects(stores_, {keys.begin(), keys.end()}, deadline));
    for (const std::string& key : std::set<std::string>(keys.begin(), keys.end())) {
      if (named.contains(key)) continue;
      PANDORA_CHECK(stores_.objects.remove(key, deadline));
      removed.keys.push_back(key);
    }
    return {};
  };
  const Status done = remove();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& key : keys) going_.erase(key);
  }
  changed_.notify_all();
  if (!done) return fail(done.error());
  return removed;
}

Result<std::set<std::string>> named_objects(Stores stores, std::set<std::string> keys, const Deadline& deadline) {
  return Search(stores, std::move(keys), deadline).run();
}

}  // namespace pandora
