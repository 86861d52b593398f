// An in-memory disk that forgets: the FileSystem of tests about crashes.
//
// It models the page cache. Every write, truncation and change of a name is volatile until `sync`, `sync_file` or
// `sync_directory` covers it. `crash` is power loss: what was synced survives whole; each unsynced write is kept, lost,
// torn at any byte, or leaves zeros or garbage where it should be; each unsynced name change is kept or lost, whatever
// the others do; but those of one file keep their order, and the names in a folder go with it when it is renamed. After
// `crash` the machine is up again; handles and locks from before it answer kUnavailable.
//
// Faults are counted in operations that change something (create, write, truncate, sync, rename, remove). Thread-safe.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "base/file_system.h"
#include "base/random.h"

namespace pandora::testing {

class FaultFile;

class FaultFileSystem final : public FileSystem {
 public:
  FaultFileSystem();
  ~FaultFileSystem() override;

  void crash(Random& random);
  // The operation after `n` more fails once with `code` and does nothing.
  void fail_after(std::uint64_t n, ErrorCode code);
  // The operation after `n` more and all later ones fail, until `crash`: the machine is dead. A write that dies may
  // reach the disk all the same.
  void die_after(std::uint64_t n);
  // After `bytes` more written bytes the disk is full; the write that hits the end is done in part.
  void limit_bytes(std::optional<std::uint64_t> bytes);
  std::uint64_t operations() const;  // so far: the crash points of a scenario
  bool dead() const;
  // For the database: positional writes; created when missing and `create`.
  Result<std::unique_ptr<FaultFile>> open_positional(const std::string& path, bool create);

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::string> read_file(const std::string& path, std::size_t max_bytes) override;
  Status write_atomic(const std::string& path, std::string_view bytes, Durability durability) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove_file(const std::string& path) override;
  Status remove_tree(const std::string& path) override;
  Status create_directories(const std::string& path) override;
  Result<std::vector<FileInfo>> list(const std::string& path) override;
  Result<FileInfo> info(const std::string& path) override;
  Status sync_file(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, std::string_view holder) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;

 private:
  friend class FaultFile;
  class Lock;
  struct Write {  // a truncation when `cut`
    std::uint64_t offset = 0;
    std::string bytes;
    bool cut = false;
  };
  struct Node {
    bool directory = false;
    std::string content, durable;
    std::vector<Write> pending;
  };
  using NodePtr = std::shared_ptr<Node>;
  using Names = std::map<std::string, NodePtr>;
  struct NameChange {  // `gone` disappears and `path` appears, at once; either may be empty
    std::string gone, path;
    NodePtr node;
    NodePtr gone_folder, folder;  // that hold the two names, wherever they are moved meanwhile
  };

  Status begin(bool* may_reach_disk = nullptr);
  Status alive(std::uint64_t generation) const;
  Status change_name(NameChange change);
  Status write(Node& node, std::uint64_t offset, std::string_view bytes);
  Status cut(Node& node, std::uint64_t size);
  Status sync(Node& node);
  Result<NodePtr> find(const std::string& path, bool directory) const;
  Result<NodePtr> create_file(const std::string& path);
  static void apply(const NameChange& change, Names& names);
  void make_durable(NameChange change);
  static void apply(const Write& write, std::string& content);
  static void survive(Node& node, Random& random);

  mutable std::recursive_mutex mutex_;
  Names live_, durable_;
  std::vector<NameChange> pending_;
  std::set<std::string> locked_;
  std::uint64_t operations_ = 0, generation_ = 0, temporaries_ = 0;
  std::optional<std::uint64_t> fail_at_, die_at_, bytes_left_;
  ErrorCode fail_code_ = ErrorCode::kUnavailable;
  bool dead_ = false;
};

class FaultFile final : public File {
 public:
  Status append(std::string_view bytes) override;
  Status write_at(std::uint64_t offset, std::string_view bytes);
  Result<std::string> read_at(std::uint64_t offset, std::size_t length) override;
  Result<std::uint64_t> size() override;
  Status truncate(std::uint64_t size) override;
  Status sync() override;

 private:
  friend class FaultFileSystem;
  FaultFile(FaultFileSystem& files, FaultFileSystem::NodePtr node, bool writable, std::uint64_t generation)
      : files_(files), node_(std::move(node)), writable_(writable), generation_(generation) {}
  Status check_writable() const;
  FaultFileSystem& files_;
  FaultFileSystem::NodePtr node_;
  bool writable_;
  std::uint64_t generation_;
};

}  // namespace pandora::testing
