#include "support/fault_file_system.h"

#include <algorithm>

namespace pandora::testing {
namespace {

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool below(const std::string& path, const std::string& directory) {
  return path.starts_with(directory == "/" ? directory : directory + "/") && path != directory;
}

bool is_root(const std::string& path) { return path == "/" || path == "."; }

tl::unexpected<Error> not_found(const std::string& path) {
  return fail(ErrorCode::kNotFound, path + " does not exist");
}

}  // namespace

class FaultFileSystem::Lock final : public FileLock {
 public:
  Lock(FaultFileSystem& files, std::string path)
      : files_(files), path_(std::move(path)), generation_(files.generation_) {}
  ~Lock() override {
    const std::lock_guard guard(files_.mutex_);
    if (generation_ == files_.generation_) files_.locked_.erase(path_);
  }

 private:
  FaultFileSystem& files_;
  std::string path_;
  std::uint64_t generation_;
};

FaultFileSystem::FaultFileSystem() {
  for (const char* root : {"/", "."}) {
    live_[root] = std::make_shared<Node>();
    live_[root]->directory = true;
  }
  durable_ = live_;
}
FaultFileSystem::~FaultFileSystem() = default;

void FaultFileSystem::apply(const Write& write, std::string& content) {
  if (write.cut) return content.resize(write.offset, '\0');
  if (content.size() < write.offset + write.bytes.size()) content.resize(write.offset + write.bytes.size(), '\0');
  content.replace(write.offset, write.bytes.size(), write.bytes);
}

void FaultFileSystem::apply(const NameChange& change, Names& names) {
  if (!change.gone.empty()) names.erase(change.gone);
  if (!change.path.empty()) names[change.path] = change.node;
  if (change.gone.empty() || change.path.empty() || !change.node->directory) return;
  Names moved;
  for (auto it = names.begin(); it != names.end();) {
    if (!below(it->first, change.gone)) {
      ++it;
      continue;
    }
    moved[change.path + it->first.substr(change.gone.size())] = it->second;
    it = names.erase(it);
  }
  names.merge(moved);
}

// A name belongs to its folder, not to the path that the folder had then: on disk it may have another by now.
void FaultFileSystem::make_durable(NameChange change) {
  const auto place = [this](std::string& name, const NodePtr& folder) {
    if (name.empty() || is_root(parent_of(name))) return;
    for (const auto& [path, node] : durable_)
      if (node == folder) return name = path + name.substr(name.find_last_of('/')), void();
  };
  place(change.gone, change.gone_folder);
  place(change.path, change.folder);
  apply(change, durable_);
}

// What is left of one file: each unsynced write fares on its own.
void FaultFileSystem::survive(Node& node, Random& random) {
  const std::uint64_t mood = random.below(4);  // all kept; all lost; each on its own (twice as likely)
  for (Write& write : node.pending) {
    const std::uint64_t fate = mood == 0 ? 0 : mood == 1 ? 1 : random.below(5);
    if (fate == 1) continue;
    if (write.cut && fate != 0) continue;
    if (fate == 2) write.bytes.resize(random.below(write.bytes.size() + 1));
    if (fate == 3) std::ranges::fill(write.bytes, '\0');
    if (fate == 4) {
      const std::size_t from = random.below(write.bytes.size() + 1);
      for (std::size_t i = from; i < write.bytes.size(); ++i) write.bytes[i] = static_cast<char>(random.next());
    }
    apply(write, node.durable);
  }
  node.pending.clear();
  node.content = node.durable;
}

void FaultFileSystem::crash(Random& random) {
  const std::lock_guard guard(mutex_);
  std::set<NodePtr> nodes;
  for (const auto* names : {&live_, &durable_})
    for (const auto& [path, node] : *names) nodes.insert(node);
  for (const NameChange& change : pending_) {
    if (change.node) nodes.insert(change.node);
    if (random.below(2) == 0) make_durable(change);
  }
  for (const NodePtr& node : nodes) survive(*node, random);
  // A name in a directory that was lost is lost with it; sorted order puts a parent before its children.
  for (auto it = durable_.begin(); it != durable_.end();) {
    const auto parent = durable_.find(parent_of(it->first));
    const bool reachable = is_root(it->first) || (parent != durable_.end() && parent->second->directory);
    it = reachable ? std::next(it) : durable_.erase(it);
  }
  live_ = durable_;
  pending_.clear();
  locked_.clear();
  ++generation_;
  dead_ = false;
  fail_at_.reset();
  die_at_.reset();
}

void FaultFileSystem::fail_after(std::uint64_t n, ErrorCode code) {
  const std::lock_guard guard(mutex_);
  fail_at_ = operations_ + n;
  fail_code_ = code;
}
void FaultFileSystem::die_after(std::uint64_t n) {
  const std::lock_guard guard(mutex_);
  die_at_ = operations_ + n;
}
void FaultFileSystem::limit_bytes(std::optional<std::uint64_t> bytes) {
  const std::lock_guard guard(mutex_);
  bytes_left_ = bytes;
}
std::uint64_t FaultFileSystem::operations() const {
  const std::lock_guard guard(mutex_);
  return operations_;
}
bool FaultFileSystem::dead() const {
  const std::lock_guard guard(mutex_);
  return dead_;
}

Status FaultFileSystem::alive(std::uint64_t generation) const {
  if (dead_) return fail(ErrorCode::kUnavailable, "the machine is dead");
  if (generation != generation_) return fail(ErrorCode::kUnavailable, "opened before the crash");
  return {};
}

Status FaultFileSystem::begin(bool* may_reach_disk) {
  PANDORA_CHECK(alive(generation_));
  const std::uint64_t operation = operations_++;
  if (die_at_ && operation >= *die_at_) {
    dead_ = true;
    if (may_reach_disk) *may_reach_disk = true;
    return fail(ErrorCode::kUnavailable, "the machine died");
  }
  if (fail_at_ && operation == *fail_at_) {
    fail_at_.reset();
    return fail(fail_code_, "injected fault");
  }
  return {};
}

Status FaultFileSystem::change_name(NameChange change) {
  bool reaches = false;
  Status begun = begin(&reaches);
  if (!begun && !reaches) return begun;
  const auto folder_of = [this](const std::string& name) { return name.empty() ? nullptr : live_.at(parent_of(name)); };
  change.gone_folder = folder_of(change.gone);
  change.folder = folder_of(change.path);
  apply(change, live_);
  pending_.push_back(std::move(change));
  return begun;
}

Status FaultFileSystem::write(Node& node, std::uint64_t offset, std::string_view bytes) {
  bool reaches = false;
  Status status = begin(&reaches);
  if (!status && !reaches) return status;
  if (bytes_left_ && bytes.size() > *bytes_left_) {
    bytes = bytes.substr(0, *bytes_left_);
    if (status) status = fail(ErrorCode::kStorageFull, "no space left", "free some space");
  }
  if (bytes_left_) *bytes_left_ -= bytes.size();
  Write done{offset, std::string(bytes), false};
  apply(done, node.content);
  node.pending.push_back(std::move(done));
  return status;
}

Status FaultFileSystem::cut(Node& node, std::uint64_t size) {
  bool reaches = false;
  Status status = begin(&reaches);
  if (!status && !reaches) return status;
  Write done{size, {}, true};
  apply(done, node.content);
  node.pending.push_back(std::move(done));
  return status;
}

Status FaultFileSystem::sync(Node& node) {
  PANDORA_CHECK(begin());
  node.durable = node.content;
  node.pending.clear();
  return {};
}

Result<FaultFileSystem::NodePtr> FaultFileSystem::find(const std::string& path, bool directory) const {
  PANDORA_CHECK(alive(generation_));
  const auto found = live_.find(path);
  if (found == live_.end()) return not_found(path);
  if (found->second->directory != directory) return fail(ErrorCode::kUnavailable, path + " is of the other kind");
  return found->second;
}

Result<FaultFileSystem::NodePtr> FaultFileSystem::create_file(const std::string& path) {
  PANDORA_TRY(parent, find(parent_of(path), true));
  auto node = std::make_shared<Node>();
  PANDORA_CHECK(change_name({{}, path, node}));
  return node;
}

Result<std::unique_ptr<FaultFile>> FaultFileSystem::open_positional(const std::string& path, bool create) {
  const std::lock_guard guard(mutex_);
  PANDORA_CHECK(alive(generation_));
  auto node = !live_.contains(path) && create ? create_file(path) : find(path, false);
  if (!node) return fail(std::move(node).error());
  return std::unique_ptr<FaultFile>(new FaultFile(*this, *node, true, generation_));
}

Result<std::unique_ptr<File>> FaultFileSystem::open(const std::string& path, OpenMode mode) {
  const std::lock_guard guard(mutex_);
  PANDORA_CHECK(alive(generation_));
  const bool there = live_.contains(path);
  if (there && mode == OpenMode::kCreateNew) return fail(ErrorCode::kConflict, path + " exists");
  auto node = !there && mode != OpenMode::kRead ? create_file(path) : find(path, false);
  if (!node) return fail(std::move(node).error());
  return std::unique_ptr<File>(new FaultFile(*this, *node, mode != OpenMode::kRead, generation_));
}

Result<std::string> FaultFileSystem::read_file(const std::string& path, std::size_t max_bytes) {
  const std::lock_guard guard(mutex_);
  PANDORA_TRY(node, find(path, false));
  if (node->content.size() > max_bytes) return fail(ErrorCode::kTooLarge, path + " is too large");
  return node->content;
}

Status FaultFileSystem::write_atomic(const std::string& path, std::string_view bytes, Durability durability) {
  const std::lock_guard guard(mutex_);
  const std::string temporary = path + ".tmp" + std::to_string(temporaries_++);
  PANDORA_TRY(node, create_file(temporary));
  Status status = write(*node, 0, bytes);
  if (status && durability == Durability::kNow) status = sync(*node);
  if (status) status = rename(temporary, path);
  if (status && durability == Durability::kNow) return sync_directory(parent_of(path));
  if (!status && !dead_) {
    NameChange gone{temporary, {}, nullptr, live_.at(parent_of(temporary)), nullptr};
    apply(gone, live_);
    pending_.push_back(std::move(gone));
  }
  return status;
}

Status FaultFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard guard(mutex_);
  PANDORA_CHECK(alive(generation_));
  const auto found = live_.find(from);
  if (found == live_.end()) return not_found(from);
  PANDORA_TRY(parent, find(parent_of(to), true));
  if (const auto target = live_.find(to); target != live_.end() && target->second->directory)
    return fail(ErrorCode::kConflict, to + " is a directory");
  return change_name({from, to, found->second});
}

Status FaultFileSystem::remove_file(const std::string& path) {
  const std::lock_guard guard(mutex_);
  PANDORA_TRY(node, find(path, false));
  return change_name({path, {}, node});
}

Status FaultFileSystem::remove_tree(const std::string& path) {
  const std::lock_guard guard(mutex_);
  PANDORA_CHECK(alive(generation_));
  std::vector<std::string> doomed;
  for (const auto& [name, node] : live_)
    if (name == path || below(name, path)) doomed.push_back(name);
  for (auto name = doomed.rbegin(); name != doomed.rend(); ++name)
    PANDORA_CHECK(change_name({*name, {}, live_.at(*name)}));
  return {};
}

Status FaultFileSystem::create_directories(const std::string& path) {
  const std::lock_guard guard(mutex_);
  PANDORA_CHECK(alive(generation_));
  if (const auto found = live_.find(path); found != live_.end())
    return found->second->directory ? Status() : Status(fail(ErrorCode::kConflict, path + " is a file"));
  PANDORA_CHECK(create_directories(parent_of(path)));
  auto node = std::make_shared<Node>();
  node->directory = true;
  return change_name({{}, path, node});
}

Result<std::vector<FileInfo>> FaultFileSystem::list(const std::string& path) {
  const std::lock_guard guard(mutex_);
  PANDORA_TRY(directory, find(path, true));
  std::vector<FileInfo> entries;
  for (const auto& [name, node] : live_)
    if (!is_root(name) && parent_of(name) == path)
      entries.push_back({name.substr(name.find_last_of('/') + 1), node->directory, node->content.size()});
  std::ranges::sort(entries, {}, &FileInfo::name);
  return entries;
}

Result<FileInfo> FaultFileSystem::info(const std::string& path) {
  const std::lock_guard guard(mutex_);
  PANDORA_CHECK(alive(generation_));
  const auto found = live_.find(path);
  if (found == live_.end()) return not_found(path);
  return FileInfo{path.substr(path.find_last_of('/') + 1), found->second->directory, found->second->content.size()};
}

Status FaultFileSystem::sync_file(const std::string& path) {
  const std::lock_guard guard(mutex_);
  PANDORA_TRY(node, find(path, false));
  return sync(*node);
}

Status FaultFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard guard(mutex_);
  PANDORA_TRY(directory, find(path, true));
  PANDORA_CHECK(begin());
  // What came earlier for the same file goes with it: else its old name would come back.
  std::set<NodePtr> moved;
  std::vector<bool> covered(pending_.size());
  for (std::size_t i = pending_.size(); i-- > 0;) {
    const NameChange& change = pending_[i];
    covered[i] = (change.path.empty() ? change.gone_folder : change.folder) == directory || moved.contains(change.node);
    if (covered[i] && change.node) moved.insert(change.node);
  }
  std::vector<NameChange> left;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (covered[i])
      make_durable(pending_[i]);
    else
      left.push_back(pending_[i]);
  }
  pending_ = std::move(left);
  return {};
}

Result<std::unique_ptr<FileLock>> FaultFileSystem::lock(const std::string& path, std::string_view holder) {
  const std::lock_guard guard(mutex_);
  if (locked_.contains(path)) return fail(ErrorCode::kConflict, path + " is locked");
  PANDORA_TRY(file, open_positional(path, true));
  PANDORA_CHECK(file->truncate(0));
  PANDORA_CHECK(file->append(holder));
  locked_.insert(path);
  return std::make_unique<Lock>(*this, path);
}

Result<std::uint64_t> FaultFileSystem::free_bytes(const std::string&) {
  const std::lock_guard guard(mutex_);
  PANDORA_CHECK(alive(generation_));
  return bytes_left_.value_or(std::uint64_t{1} << 40);
}

Status FaultFile::check_writable() const {
  PANDORA_CHECK(files_.alive(generation_));
  return writable_ ? Status() : Status(fail(ErrorCode::kPermissionDenied, "opened for reading"));
}

Status FaultFile::append(std::string_view bytes) {
  const std::lock_guard guard(files_.mutex_);
  return write_at(node_->content.size(), bytes);
}

Status FaultFile::write_at(std::uint64_t offset, std::string_view bytes) {
  const std::lock_guard guard(files_.mutex_);
  PANDORA_CHECK(check_writable());
  return files_.write(*node_, offset, bytes);
}

Result<std::string> FaultFile::read_at(std::uint64_t offset, std::size_t length) {
  const std::lock_guard guard(files_.mutex_);
  PANDORA_CHECK(files_.alive(generation_));
  return offset >= node_->content.size() ? std::string() : node_->content.substr(offset, length);
}

Result<std::uint64_t> FaultFile::size() {
  const std::lock_guard guard(files_.mutex_);
  PANDORA_CHECK(files_.alive(generation_));
  return node_->content.size();
}

Status FaultFile::truncate(std::uint64_t size) {
  const std::lock_guard guard(files_.mutex_);
  PANDORA_CHECK(check_writable());
  return files_.cut(*node_, size);
}

Status FaultFile::sync() {
  const std::lock_guard guard(files_.mutex_);
  PANDORA_CHECK(files_.alive(generation_));
  return files_.sync(*node_);
}

}  // namespace pandora::testing
