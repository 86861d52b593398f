#include "store_embedded/directory_object_store.h"

#include <algorithm>
#include <mutex>
#include <set>

#include <fmt/format.h>

#include "base/hash.h"
#include "ports/cache_checks.h"

namespace pandora {
namespace {

constexpr std::string_view kFirstLine = "pandora object 1\n";
constexpr std::size_t kMaxHead = kFirstLine.size() + kMaxMediaType + 1;
constexpr std::size_t kShardDigits = 2;

struct Head {
  std::string media_type;
  std::size_t size = 0;  // of the head itself
};
Result<Head> read_head(std::string_view bytes, const std::string& key) {
  const std::size_t end = bytes.substr(0, kMaxHead).find('\n', kFirstLine.size());
  if (!bytes.starts_with(kFirstLine) || end == std::string_view::npos)
    return fail(ErrorCode::kDataCorrupt, fmt::format("object {} does not begin as one", key));
  return Head{std::string(bytes.substr(kFirstLine.size(), end - kFirstLine.size())), end + 1};
}

bool is_key(const std::string& name) { return check_object_key(name).has_value(); }

class Store final : public ObjectStore {
 public:
  Store(FileSystem& files, std::string root) : files_(files), root_(std::move(root)) {}

  // A process that was killed may have made names and not synced them, and may have left half a file.
  Status open() {
    PANDORA_CHECK(files_.create_directories(root_));
    PANDORA_TRY(shards, files_.list(root_));
    for (const auto& shard : shards) {
      if (!shard.is_directory || shard.name.size() != kShardDigits) continue;
      const std::string folder = join_path(root_, shard.name);
      PANDORA_TRY(entries, files_.list(folder));
      for (const auto& entry : entries)
        if (!entry.is_directory && !is_key(entry.name))
          PANDORA_CHECK(files_.remove_file(join_path(folder, entry.name)));
      PANDORA_CHECK(files_.sync_directory(folder));
      shards_.insert(shard.name);
    }
    return files_.sync_directory(root_);
  }

  Result<std::string> put(std::string_view bytes, const std::string& media_type, const Deadline& deadline) override {
    PANDORA_CHECK(check_object(bytes, media_type));
    PANDORA_CHECK(deadline.check("keeping an object"));
    std::string key = sha256_hex(bytes);
    const std::lock_guard lock(mutex_);
    // One that is damaged is made good again. An earlier call may have failed to make the name of a good one last.
    if (const auto known = load(key); known && known->second == bytes) {
      PANDORA_CHECK(files_.sync_directory(join_path(root_, shard_of(key))));
      return key;
    }
    PANDORA_CHECK(make_shard(key));
    std::string file(kFirstLine);
    file.append(media_type).append("\n").append(bytes);
    PANDORA_CHECK(files_.write_atomic(path_of(key), file, Durability::kNow));
    return key;
  }

  Result<std::string> get(const std::string& key, const Deadline& deadline) override {
    PANDORA_CHECK(check_object_key(key));
    PANDORA_CHECK(deadline.check("fetching an object"));
    PANDORA_TRY(object, load(key));
    if (sha256_hex(object.second) != key)
      return fail(ErrorCode::kDataCorrupt, fmt::format("object {} has other content", key));
    return std::move(object.second);
  }

  Result<ObjectInfo> info(const std::string& key, const Deadline& deadline) override {
    PANDORA_CHECK(check_object_key(key));
    PANDORA_CHECK(deadline.check("looking at an object"));
    return look(key);
  }

  Status remove(const std::string& key, const Deadline& deadline) override {
    PANDORA_CHECK(check_object_key(key));
    PANDORA_CHECK(deadline.check("removing an object"));
    const std::lock_guard lock(mutex_);
    const Status removed = files_.remove_file(path_of(key));
    if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
    // Also when it is not there: an earlier call may have taken it away and failed to make that last.
    return shards_.contains(shard_of(key)) ? files_.sync_directory(join_path(root_, shard_of(key))) : Status();
  }

  Result<std::vector<ObjectInfo>> list(const std::string& after, std::size_t limit, const Deadline& deadline) override {
    PANDORA_CHECK(check_object_list(after, limit));
    PANDORA_CHECK(deadline.check("listing objects"));
    std::vector<ObjectInfo> listed;
    PANDORA_TRY(shards, files_.list(root_));
    for (const auto& shard : shards) {
      if (listed.size() >= limit) break;
      if (!shard.is_directory || shard.name.size() != kShardDigits || shard.name < after.substr(0, kShardDigits))
        continue;
      PANDORA_CHECK(deadline.check("listing objects"));
      PANDORA_TRY(entries, files_.list(join_path(root_, shard.name)));
      for (const auto& entry : entries) {
        if (listed.size() >= limit) break;
        if (entry.is_directory || !is_key(entry.name) || entry.name <= after) continue;
        auto info = look(entry.name);
        if (info)
          listed.push_back(*std::move(info));
        else if (info.error().code == ErrorCode::kDataCorrupt)
          listed.push_back({entry.name, entry.size, "application/octet-stream"});  // `get` says what is wrong with it
        else if (info.error().code != ErrorCode::kNotFound)                        // removed meanwhile
          return fail(std::move(info).error());
      }
    }
    return listed;
  }

 private:
  static std::string shard_of(const std::string& key) { return key.substr(0, kShardDigits); }
  std::string path_of(const std::string& key) const { return join_path(join_path(root_, shard_of(key)), key); }

  Status make_shard(const std::string& key) {
    const std::string shard = shard_of(key);
    if (shards_.contains(shard)) return {};
    PANDORA_CHECK(files_.create_directories(join_path(root_, shard)));
    PANDORA_CHECK(files_.sync_directory(root_));
    shards_.insert(shard);
    return {};
  }

  static tl::unexpected<Error> missing(const std::string& key) {
    return fail(ErrorCode::kNotFound, fmt::format("there is no object {}", key));
  }

  // Media type and bytes; kDataCorrupt: it does not begin as an object.
  Result<std::pair<std::string, std::string>> load(const std::string& key) {
    auto file = files_.read_file(path_of(key), kMaxHead + kMaxObjectBytes);
    if (!file && file.error().code == ErrorCode::kNotFound) return missing(key);
    if (!file && file.error().code == ErrorCode::kTooLarge)
      return fail(ErrorCode::kDataCorrupt, fmt::format("object {} is longer than any can be", key));
    if (!file) return fail(std::move(file).error());
    PANDORA_TRY(head, read_head(*file, key));
    file->erase(0, head.size);
    return std::pair{std::move(head.media_type), *std::move(file)};
  }

  Result<ObjectInfo> look(const std::string& key) {
    auto file = files_.open(path_of(key), OpenMode::kRead);
    if (!file && file.error().code == ErrorCode::kNotFound) return missing(key);
    if (!file) return fail(std::move(file).error());
    PANDORA_TRY(begin, (*file)->read_at(0, kMaxHead));
    PANDORA_TRY(head, read_head(begin, key));
    PANDORA_TRY(size, (*file)->size());
    return ObjectInfo{key, size - head.size, std::move(head.media_type)};
  }

  FileSystem& files_;
  const std::string root_;
  std::mutex mutex_;              // of whoever changes something
  std::set<std::string> shards_;  // folders whose names are on disk
};

}  // namespace

Result<std::unique_ptr<ObjectStore>> DirectoryObjectStore::open(FileSystem& files, const std::string& root) {
  auto store = std::make_unique<Store>(files, root);
  PANDORA_CHECK(store->open());
  return store;
}

}  // namespace pandora
