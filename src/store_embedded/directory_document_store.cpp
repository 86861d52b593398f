#include "store_embedded/directory_document_store.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>

#include <fmt/format.h>

#include "base/log.h"
#include "ports/document_checks.h"

namespace pandora {
namespace {

constexpr std::string_view kStaging = ".staging";

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }
bool within(const std::string& path, const std::string& folder) { return path.starts_with(folder + "/"); }
// Of what is staged while it is replaced, "old~turns~turn_000001~7": the folder that it was.
std::optional<std::string> old_folder_of(const std::string& staged) {
  const auto first = staged.find('~'), last = staged.rfind('~');
  if (!staged.starts_with("old~") || last <= first) return std::nullopt;
  std::string folder = staged.substr(first + 1, last - first - 1);
  std::ranges::replace(folder, '~', '/');
  return folder;
}

class Store final : public DocumentStore {
 public:
  Store(FileSystem& files, std::string root, const Clock& clock, const std::string& process)
      : files_(files),
        root_(std::move(root)),
        clock_(clock),
        staging_(process.empty() ? std::string(kStaging) : fmt::format("{}-{}", kStaging, process)) {}

  Status open() {
    PANDORA_CHECK(files_.create_directories(root_));
    PANDORA_CHECK(files_.create_directories(at(staging_)));
    PANDORA_CHECK(recover(staging_));
    // What a process left that had the directory alone.
    if (staging_ != kStaging && files_.exists(at(std::string(kStaging)))) PANDORA_CHECK(recover(std::string(kStaging)));
    return files_.sync_directory(root_);  // a process that was killed may have made folders and not synced them
  }

  Status put_folder(const std::string& folder, const std::vector<Document>& documents, Durability durability,
                    const Deadline& deadline) override {
    PANDORA_CHECK(check_folder(folder, documents));
    PANDORA_CHECK(deadline.check("writing " + folder));
    const std::lock_guard lock(mutex_);
    PANDORA_CHECK(settle());
    PANDORA_CHECK(must_not_be(folder, false));
    const std::string fresh = staged("new");
    Status written = write_folder(fresh, documents, durability);
    if (written) written = swap_in(fresh, folder, durability);
    if (!written) {
      (void)files_.remove_tree(fresh);
      return written;
    }
    forget_deferred(folder);
    if (durability == Durability::kDeferred) deferred_.insert(folder);
    return settle();
  }

  Status put(const std::string& path, std::string_view bytes, Durability durability,
             const Deadline& deadline) override {
    PANDORA_CHECK(check_document_path(path));
    PANDORA_CHECK(check_document_size(path, bytes.size()));
    PANDORA_CHECK(deadline.check("writing " + path));
    const std::lock_guard lock(mutex_);
    PANDORA_CHECK(settle());
    return put_locked(path, bytes, durability);
  }

  Result<std::string> read(const std::string& path, const Deadline& deadline) override {
    PANDORA_CHECK(check_document_path(path));
    PANDORA_CHECK(deadline.check("reading " + path));
    const std::shared_lock lock(names_);
    auto bytes = files_.read_file(at(path), kMaxDocumentBytes);
    if (!bytes && is(path, true)) return fail(ErrorCode::kNotFound, path + " is a folder");
    if (bytes || bytes.error().code != ErrorCode::kNotFound || is(parent_of(path), true)) return bytes;
    if (const auto aside = aside_of(path))
      if (auto old = files_.read_file(*aside, kMaxDocumentBytes)) return old;
    return files_.read_file(at(path), kMaxDocumentBytes);
  }

  Result<std::vector<FileInfo>> list(const std::string& folder, const Deadline& deadline) override {
    return listed(folder, deadline, [&](const std::string& path) { return files_.list(path); });
  }

  Result<std::vector<FileInfo>> list_after(const std::string& folder, const std::string& after, std::size_t limit,
                                           const Deadline& deadline) override {
    return listed(folder, deadline, [&](const std::string& path) { return files_.list_after(path, after, limit); });
  }

  Result<bool> exists(const std::string& path, const Deadline& deadline) override {
    PANDORA_CHECK(check_document_path(path));
    PANDORA_CHECK(deadline.check("looking for " + path));
    const std::shared_lock lock(names_);
    PANDORA_TRY(there, exists_locked(path));
    if (there) return true;
    if (const auto aside = aside_of(path); aside && files_.exists(*aside)) return true;
    return exists_locked(path);
  }

  Status move(const std::string& from, const std::string& to, const Deadline& deadline) override {
    PANDORA_CHECK(check_document_path(from));
    PANDORA_CHECK(check_document_path(to));
    if (within(to, from)) return fail(ErrorCode::kInvalidArgument, fmt::format("{} is in {}", to, from));
    PANDORA_CHECK(deadline.check("moving " + from));
    const std::lock_guard lock(mutex_);
    PANDORA_CHECK(settle());
    return move_locked(from, to);
  }

  Status remove(const std::string& path, const Deadline& deadline) override {
    PANDORA_CHECK(check_document_path(path));
    PANDORA_CHECK(deadline.check("removing " + path));
    const std::lock_guard lock(mutex_);
    PANDORA_CHECK(settle());
    PANDORA_TRY(there, exists_locked(path));
    if (!there) return {};
    // Its name goes first and as one, then its content, so that no crash leaves a part of a folder.
    const std::string gone = staged("gone");
    owe_swap(path);
    PANDORA_CHECK(files_.rename(at(path), gone));
    litter_.insert(gone);
    forget_deferred(path);
    return settle();
  }

  Result<std::string> quarantine(const std::string& path, const std::string& reason,
                                 const Deadline& deadline) override {
    PANDORA_CHECK(check_quarantine(path));
    PANDORA_CHECK(deadline.check("setting aside " + path));
    const std::lock_guard lock(mutex_);
    PANDORA_CHECK(settle());
    PANDORA_TRY(there, exists_locked(path));
    if (!there) return fail(ErrorCode::kNotFound, "there is no " + path);
    std::string place;
    for (int n = 1; place.empty() || files_.exists(at(place)); ++n) place = quarantine_folder(path, clock_.now(), n);
    PANDORA_CHECK(put_locked(place + "/reason.txt", reason + "\n", Durability::kNow));
    PANDORA_CHECK(move_locked(path, fmt::format("{}/{}", place, path.substr(path.rfind('/') + 1))));
    return place;
  }

  Status adopt(const std::string& path, const Deadline& deadline) override {
    PANDORA_CHECK(check_document_path(path));
    PANDORA_CHECK(deadline.check("looking at " + path));
    const std::lock_guard lock(mutex_);
    deferred_.insert(path);
    return {};
  }

  Status sync(const Deadline& deadline) override {
    const std::lock_guard lock(mutex_);
    if (deferred_.size() > kManyDeferred) {
      PANDORA_CHECK(deadline.check("syncing documents"));
      PANDORA_CHECK(files_.sync_below(root_));
      PANDORA_CHECK(settle());
      deferred_.clear();
      return {};
    }
    for (const auto& path : deferred_) {
      PANDORA_CHECK(deadline.check("syncing documents"));
      PANDORA_CHECK(sync_tree(at(path)));
      owed_.insert(parent_of(at(path)));
    }
    PANDORA_CHECK(deadline.check("syncing documents"));
    PANDORA_CHECK(settle());
    deferred_.clear();
    return {};
  }

 private:
  std::string at(const std::string& path) const { return join_path(root_, path); }

  // .staging/new~7; of a folder that is replaced .staging/old~turns~turn_000012~7: for `recover` its name stands there.
  std::string staged(std::string_view what) { return at(fmt::format("{}/{}~{}", staging_, what, ++counter_)); }
  std::string staged_old(const std::string& folder) {
    std::string flat = folder;
    std::ranges::replace(flat, '/', '~');
    return staged("old~" + flat);
  }

  template <class List>
  Result<std::vector<FileInfo>> listed(const std::string& folder, const Deadline& deadline, List list) {
    PANDORA_CHECK(check_document_path(folder));
    PANDORA_CHECK(deadline.check("listing " + folder));
    const std::shared_lock lock(names_);
    auto entries = list(at(folder));
    if (!entries && entries.error().code == ErrorCode::kNotFound) {
      if (const auto aside = aside_of(folder))
        if (auto old = list(*aside)) return old;
      entries = list(at(folder));
    }
    if (!entries && (entries.error().code == ErrorCode::kNotFound || is(folder, false))) return std::vector<FileInfo>();
    return entries;
  }

  // Where it stands while another process, or one that died in the middle, replaces a folder it is in: between two
  // renames that folder has no name here. Who finds nothing there either looks in its place once more.
  std::optional<std::string> aside_of(const std::string& path) {
    if (staging_ == kStaging) return std::nullopt;  // nobody shares the directory
    const auto areas = files_.list(root_);
    if (!areas) return std::nullopt;
    for (const auto& area : *areas) {
      if (!area.name.starts_with(kStaging) || area.name == staging_) continue;
      const auto staged = files_.list(at(area.name));
      if (!staged) continue;
      for (const auto& entry : *staged) {
        const auto folder = old_folder_of(entry.name);
        if (folder && (path == *folder || within(path, *folder)))
          return at(fmt::format("{}/{}{}", area.name, entry.name, path.substr(folder->size())));
      }
    }
    return std::nullopt;
  }

  bool is(const std::string& path, bool directory) {
    const auto info = files_.info(at(path));
    return info && info->is_directory == directory;
  }
  Result<bool> exists_locked(const std::string& path) {
    const auto info = files_.info(at(path));
    if (info) return true;
    if (info.error().code == ErrorCode::kNotFound) return false;
    return fail(info.error());
  }
  // Neither is `path` of the other kind, nor is a document where its folders should be.
  Status must_not_be(const std::string& path, bool directory) {
    if (is(path, directory))
      return fail(ErrorCode::kConflict, fmt::format("{} is a {}", path, directory ? "folder" : "document"));
    for (auto slash = path.rfind('/'); slash != std::string::npos && slash > 0; slash = path.rfind('/', slash - 1)) {
      const std::string above = path.substr(0, slash);
      if (is(above, true)) return {};
      if (is(above, false)) return fail(ErrorCode::kConflict, above + " is a document");
    }
    return {};
  }
  void forget_deferred(const std::string& path) {
    std::erase_if(deferred_, [&](const std::string& one) { return one == path || within(one, path); });
  }

  Status put_locked(const std::string& path, std::string_view bytes, Durability durability) {
    PANDORA_CHECK(must_not_be(path, true));
    PANDORA_CHECK(make_parents(path));
    // What is there is the only copy until the new content is on disk, also when the caller can wait.
    const bool sync = durability == Durability::kNow || files_.exists(at(path));
    if (durability == Durability::kNow) owe_name(path);
    const std::string fresh = staged("document");
    Status written = write_document(fresh, bytes, sync);
    if (written) written = files_.rename(fresh, at(path));
    if (!written) {
      (void)files_.remove_tree(fresh);
      return written;
    }
    if (durability == Durability::kDeferred)
      deferred_.insert(path);
    else
      deferred_.erase(path);
    return settle();
  }

  // Folders whose names change are noted before they do, and synced by `settle`. What a failure leaves here is synced
  // before anything else is done: else a call that is repeated, and finds its work done, would promise what is not on
  // disk. Litter is what has no name any more but still its bytes, perhaps of something that was to be forgotten.
  void owe_name(const std::string& path) {
    owed_.insert(parent_of(at(path)));
    for (const auto& one : deferred_)  // folders above it that wait for a sync themselves
      if (within(path, one)) owed_.insert(parent_of(at(one)));
  }
  void owe_swap(const std::string& path) {
    owed_.insert(parent_of(at(path)));
    owed_.insert(at(staging_));
  }
  Status settle() {
    while (!owed_.empty()) {
      const Status synced = files_.sync_directory(*owed_.begin());
      if (!synced && synced.error().code != ErrorCode::kNotFound) return synced;  // gone: nothing to sync
      owed_.erase(owed_.begin());
    }
    const bool littered = !litter_.empty();
    while (!litter_.empty()) {
      PANDORA_CHECK(files_.remove_tree(*litter_.begin()));
      litter_.erase(litter_.begin());
    }
    return littered ? files_.sync_directory(at(staging_)) : Status();
  }

  Status write_document(const std::string& path, std::string_view bytes, bool sync) {
    PANDORA_TRY(file, files_.open(path, OpenMode::kCreateNew));
    PANDORA_CHECK(file->append(bytes));
    return sync ? file->sync() : Status();
  }

  // New names on the way are made durable at once: they are few.
  Status make_parents(const std::string& path) {
    const std::string parent = parent_of(at(path));
    if (files_.exists(parent)) return {};
    for (std::string up = parent; up.size() > root_.size(); up = parent_of(up)) owed_.insert(parent_of(up));
    PANDORA_CHECK(files_.create_directories(parent));
    return settle();
  }

  Status write_folder(const std::string& fresh, const std::vector<Document>& documents, Durability durability) {
    PANDORA_CHECK(files_.create_directories(fresh));
    for (const auto& document : documents) {
      const std::string path = join_path(fresh, document.name);
      if (document.name.find('/') != std::string::npos) PANDORA_CHECK(files_.create_directories(parent_of(path)));
      PANDORA_CHECK(write_document(path, document.bytes, false));
    }
    return durability == Durability::kNow ? sync_tree(fresh) : Status();
  }

  Status swap_in(const std::string& fresh, const std::string& folder, Durability durability) {
    PANDORA_CHECK(make_parents(folder));
    const std::string target = at(folder);
    if (durability == Durability::kNow) owe_name(folder);
    if (!files_.exists(target)) return files_.rename(fresh, target);
    // The old folder is the only copy until the new one's content and name are on disk, also when the caller can wait.
    PANDORA_CHECK(sync_tree(fresh));
    const std::string old = staged_old(folder);
    {
      const std::lock_guard no_readers(names_);  // they would find nothing between the two renames
      owe_swap(folder);
      PANDORA_CHECK(files_.rename(target, old));
      Status renamed = settle();
      owe_swap(folder);
      if (renamed) renamed = files_.rename(fresh, target);
      if (!renamed) {
        (void)files_.rename(old, target);
        return renamed;
      }
    }
    litter_.insert(old);
    return settle();
  }

  Status move_locked(const std::string& from, const std::string& to) {
    PANDORA_TRY(there, exists_locked(from));
    if (!there) return fail(ErrorCode::kNotFound, "there is no " + from);
    PANDORA_TRY(taken, exists_locked(to));
    if (taken) return fail(ErrorCode::kConflict, to + " exists");
    PANDORA_CHECK(must_not_be(to, true));
    const bool deferred = std::ranges::any_of(
        deferred_, [&](const std::string& one) { return one == from || within(one, from) || within(from, one); });
    if (deferred) PANDORA_CHECK(sync_tree(at(from)));
    PANDORA_CHECK(make_parents(to));
    owe_name(to);
    owe_name(from);
    PANDORA_CHECK(files_.rename(at(from), at(to)));
    forget_deferred(from);
    return settle();
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

  Status recover(const std::string& staging) {
    PANDORA_TRY(left, files_.list(at(staging)));
    for (const auto& entry : left) {
      const std::string path = at(fmt::format("{}/{}", staging, entry.name));
      const auto folder = old_folder_of(entry.name);
      if (folder && !files_.exists(at(*folder))) {  // interrupted between its two renames: undone
        PANDORA_CHECK(make_parents(*folder));
        PANDORA_CHECK(files_.rename(path, at(*folder)));
        log_warn("documents.recovered", {{"folder", *folder}});
        continue;
      }
      PANDORA_CHECK(files_.remove_tree(path));
    }
    return {};
  }

  FileSystem& files_;
  const std::string root_;
  const Clock& clock_;
  const std::string staging_;
  std::mutex mutex_;         // one writer at a time
  std::shared_mutex names_;  // taken after mutex_: readers share it
  std::set<std::string> deferred_;
  std::set<std::string> owed_, litter_;  // folders to sync and things to remove, as paths of files_
  std::uint64_t counter_ = 0;
};

}  // namespace

Result<std::unique_ptr<DocumentStore>> DirectoryDocumentStore::open(FileSystem& files, const std::string& root,
                                                                    const Clock& clock, const std::string& process) {
  auto store = std::make_unique<Store>(files, root, clock, process);
  PANDORA_CHECK(store->open());
  return store;
}

}  // namespace pandora
