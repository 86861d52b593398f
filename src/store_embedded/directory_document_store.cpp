#include "store_embedded/directory_document_store.h"

#include <algorithm>
#include <mutex>
#include <set>

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxPath = 512;
constexpr std::size_t kMaxDocuments = 1'000;  // of one folder
constexpr std::string_view kStaging = ".staging";

Status check_path(const std::string& path) {
  bool good = !path.empty() && path.size() <= kMaxPath && !path.starts_with('/') && !path.ends_with('/');
  char previous = '/';
  for (const char c : path) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    good = good && (letter || (c == '.' && previous != '/') || (c == '/' && previous != '/'));
    previous = c;
  }
  if (good) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no path of a document", one_line(ellipsize(path, 100))));
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

class Store final : public DocumentStore {
 public:
  Store(FileSystem& files, std::string root, const Clock& clock) : files_(files), root_(std::move(root)), clock_(clock) {}

  Status open() {
    PANDORA_CHECK(files_.create_directories(root_));
    PANDORA_CHECK(files_.create_directories(at(std::string(kStaging))));
    return recover();
  }

  Status put_folder(const std::string& folder, const std::vector<Document>& documents, Durability durability, const Deadline& deadline) override {
    PANDORA_CHECK(check_path(folder));
    PANDORA_CHECK(deadline.check("writing " + folder));
    if (documents.size() > kMaxDocuments) return fail(ErrorCode::kTooLarge, fmt::format("{}: {} documents, at most {}", folder, documents.size(), kMaxDocuments));
    const std::lock_guard lock(mutex_);
    const std::string fresh = staged("new", folder);
    Status written = write_folder(fresh, documents, durability);
    if (written) written = swap_in(fresh, folder);
    if (!written) {
      (void)files_.remove_tree(fresh);
      return written;
    }
    if (durability == Durability::kNow) {
      deferred_.erase(folder);
      return files_.sync_directory(parent_of(at(folder)));
    }
    deferred_.insert(folder);
    return {};
  }

  Status put(const std::string& path, std::string_view bytes, Durability durability, const Deadline& deadline) override {
    PANDORA_CHECK(check_path(path));
    PANDORA_CHECK(deadline.check("writing " + path));
    PANDORA_CHECK(check_size(path, bytes.size()));
    const std::lock_guard lock(mutex_);
    PANDORA_CHECK(make_parents(path));
    PANDORA_CHECK(files_.write_atomic(at(path), bytes, durability));
    if (durability == Durability::kDeferred) deferred_.insert(path);
    else deferred_.erase(path);
    return {};
  }

  Result<std::string> read(const std::string& path, const Deadline& deadline) override {
    PANDORA_CHECK(check_path(path));
    PANDORA_CHECK(deadline.check("reading " + path));
    return files_.read_file(at(path), kMaxDocumentBytes);
  }

  Result<std::vector<FileInfo>> list(const std::string& folder, const Deadline& deadline) override {
    PANDORA_CHECK(check_path(folder));
    PANDORA_CHECK(deadline.check("listing " + folder));
    auto entries = files_.list(at(folder));
    if (!entries && entries.error().code == ErrorCode::kNotFound) return std::vector<FileInfo>();
    return entries;
  }

  Result<bool> exists(const std::string& path, const Deadline& deadline) override {
    PANDORA_CHECK(check_path(path));
    PANDORA_CHECK(deadline.check("looking for " + path));
    const auto info = files_.info(at(path));
    if (info) return true;
    if (info.error().code == ErrorCode::kNotFound) return false;
    return fail(info.error());
  }

  Status move(const std::string& from, const std::string& to, const Deadline& deadline) override {
    PANDORA_CHECK(check_path(from));
    PANDORA_CHECK(check_path(to));
    PANDORA_CHECK(deadline.check("moving " + from));
    const std::lock_guard lock(mutex_);
    return move_locked(from, to);
  }

  Status remove(const std::string& path, const Deadline& deadline) override {
    PANDORA_CHECK(check_path(path));
    PANDORA_CHECK(deadline.check("removing " + path));
    const std::lock_guard lock(mutex_);
    deferred_.erase(path);
    if (!files_.exists(at(path))) return {};
    PANDORA_CHECK(files_.remove_tree(at(path)));
    return files_.sync_directory(parent_of(at(path)));
  }

  Result<std::string> quarantine(const std::string& path, const std::string& reason, const Deadline& deadline) override {
    PANDORA_CHECK(check_path(path));
    PANDORA_CHECK(deadline.check("setting aside " + path));
    const std::lock_guard lock(mutex_);
    const std::string day = to_iso8601(clock_.now()).substr(0, 10);
    std::string flat = path;
    std::ranges::replace(flat, '/', '-');
    std::string place;
    for (int n = 1; place.empty() || files_.exists(at(place)); ++n) place = fmt::format("quarantine/{}-{}-{}", day, flat, n);
    PANDORA_CHECK(files_.create_directories(at(place)));
    PANDORA_CHECK(files_.write_atomic(at(place + "/reason.txt"), reason + "\n", Durability::kNow));
    PANDORA_CHECK(move_locked(path, fmt::format("{}/{}", place, path.substr(path.rfind('/') + 1))));
    PANDORA_CHECK(files_.sync_directory(at("quarantine")));
    return place;
  }

  Status sync(const Deadline& deadline) override {
    const std::lock_guard lock(mutex_);
    std::set<std::string> parents;
    for (auto path = deferred_.begin(); path != deferred_.end(); ++path) {
      PANDORA_CHECK(deadline.check("syncing documents"));
      PANDORA_CHECK(sync_tree(at(*path)));
      parents.insert(parent_of(at(*path)));
    }
    for (const auto& parent : parents) PANDORA_CHECK(files_.sync_directory(parent));
    deferred_.clear();
    return {};
  }

 private:
  std::string at(const std::string& path) const { return join_path(root_, path); }

  // .staging/new~turns~turn_000012~7: which folder it is of stands in its name, for `recover`.
  std::string staged(std::string_view what, const std::string& folder) {
    std::string flat = folder;
    std::ranges::replace(flat, '/', '~');
    return at(fmt::format("{}/{}~{}~{}", kStaging, what, flat, ++counter_));
  }

  static Status check_size(const std::string& path, std::size_t size) {
    if (size <= kMaxDocumentBytes) return {};
    return fail(ErrorCode::kTooLarge, fmt::format("{} of {} bytes, at most {} are kept", path, size, kMaxDocumentBytes));
  }

  // New names on the way are made durable at once: they are few.
  Status make_parents(const std::string& path) {
    const std::string parent = parent_of(at(path));
    if (files_.exists(parent)) return {};
    PANDORA_CHECK(files_.create_directories(parent));
    for (std::string up = parent; up.size() > root_.size(); up = parent_of(up)) PANDORA_CHECK(files_.sync_directory(parent_of(up)));
    return {};
  }

  Status write_folder(const std::string& fresh, const std::vector<Document>& documents, Durability durability) {
    PANDORA_CHECK(files_.create_directories(fresh));
    for (const auto& document : documents) {
      PANDORA_CHECK(check_path(document.name));
      PANDORA_CHECK(check_size(document.name, document.bytes.size()));
      const std::string path = join_path(fresh, document.name);
      if (document.name.find('/') != std::string::npos) PANDORA_CHECK(files_.create_directories(parent_of(path)));
      PANDORA_TRY(file, files_.open(path, OpenMode::kCreateNew));
      PANDORA_CHECK(file->append(document.bytes));
    }
    return durability == Durability::kNow ? sync_tree(fresh) : Status();
  }

  Status swap_in(const std::string& fresh, const std::string& folder) {
    PANDORA_CHECK(make_parents(folder));
    const std::string target = at(folder);
    if (!files_.exists(target)) return files_.rename(fresh, target);
    // The old folder is the only copy until the new one's content and name are on disk, also when the caller can wait.
    PANDORA_CHECK(sync_tree(fresh));
    const std::string old = staged("old", folder);
    PANDORA_CHECK(files_.rename(target, old));
    Status renamed = sync_names(target);
    if (renamed) renamed = files_.rename(fresh, target);
    if (!renamed) {
      (void)files_.rename(old, target);
      return renamed;
    }
    PANDORA_CHECK(sync_names(target));
    return files_.remove_tree(old);
  }

  // Both ends of a rename between the staging folder and `target`.
  Status sync_names(const std::string& target) {
    PANDORA_CHECK(files_.sync_directory(parent_of(target)));
    return files_.sync_directory(at(std::string(kStaging)));
  }

  Status move_locked(const std::string& from, const std::string& to) {
    PANDORA_CHECK(make_parents(to));
    if (deferred_.erase(from) > 0) PANDORA_CHECK(sync_tree(at(from)));
    PANDORA_CHECK(files_.rename(at(from), at(to)));
    PANDORA_CHECK(files_.sync_directory(parent_of(at(to))));
    return files_.sync_directory(parent_of(at(from)));
  }

  Status sync_tree(const std::string& path) {
    const auto info = files_.info(path);
    if (!info && info.error().code == ErrorCode::kNotFound) return {};  // replaced or removed since
    if (!info) return fail(info.error());
    if (!info->is_directory) return files_.sync_file(path);
    PANDORA_TRY(entries, files_.list(path));
    for (const auto& entry : entries) PANDORA_CHECK(sync_tree(join_path(path, entry.name)));
    return files_.sync_directory(path);
  }

  Status recover() {
    PANDORA_TRY(left, files_.list(at(std::string(kStaging))));
    for (const auto& entry : left) {
      const std::string path = at(fmt::format("{}/{}", kStaging, entry.name));
      const auto first = entry.name.find('~'), last = entry.name.rfind('~');
      const bool old = entry.name.starts_with("old~") && last > first;
      if (old) {
        std::string folder = entry.name.substr(first + 1, last - first - 1);
        std::ranges::replace(folder, '~', '/');
        if (!files_.exists(at(folder))) {  // interrupted between its two renames: undone
          PANDORA_CHECK(files_.rename(path, at(folder)));
          log_warn("documents.recovered", {{"folder", folder}});
          continue;
        }
      }
      PANDORA_CHECK(files_.remove_tree(path));
    }
    return {};
  }

  FileSystem& files_;
  const std::string root_;
  const Clock& clock_;
  std::mutex mutex_;
  std::set<std::string> deferred_;
  std::uint64_t counter_ = 0;
};

}  // namespace

Result<std::unique_ptr<DocumentStore>> DirectoryDocumentStore::open(FileSystem& files, const std::string& root, const Clock& clock) {
  auto store = std::make_unique<Store>(files, root, clock);
  PANDORA_CHECK(store->open());
  return store;
}

}  // namespace pandora
