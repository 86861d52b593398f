#include "vectors/engine.h"

#include <fmt/format.h>
#include <malloc.h>

#include "base/log.h"
#include "base/scheduling.h"

namespace pandora::qdrant {
namespace {

constexpr const char* kCatalogueFile = "catalogue.json";
constexpr const char* kCollectionsFolder = "collections";
constexpr const char* kLockFile = "lock";
constexpr std::chrono::milliseconds kKeeperRests{50};
constexpr std::uint64_t kIdleRests = 20;     // without a change for so long nothing else happens
constexpr std::uint64_t kFailedRests = 100;  // before it is tried again, on a full disk say

Fault taken(const std::string& name) {
  return {409, fmt::format("Wrong input: Collection `{}` already exists!", name)};
}

}  // namespace

Engine::Engine(std::string directory, FileSystem& files, const Clock& clock, Random& random,
               std::unique_ptr<FileLock> lock)
    : directory_(std::move(directory)), files_(files), clock_(clock), random_(random), lock_(std::move(lock)) {}

Result<std::unique_ptr<Engine>> Engine::open(const std::string& directory, FileSystem& files, const Clock& clock,
                                             Random& random) {
  PANDORA_CHECK(files.create_directories(join_path(directory, kCollectionsFolder)));
  auto lock = files.lock(join_path(directory, kLockFile), "pandora vectors");
  if (!lock)
    return fail(std::move(lock).error().with_context(directory).with_remedy(
        "another process has it open: end that one, or choose another directory with --data"));
  std::unique_ptr<Engine> engine(new Engine(directory, files, clock, random, *std::move(lock)));
  PANDORA_TRY(catalogue, engine->read_catalogue());
  engine->catalogue_ = std::move(catalogue);
  PANDORA_CHECK(engine->remove_removed());
  for (const auto& [name, id] : engine->catalogue_.collections)
    engine->open_[name] = Collection::open(files, clock, engine->path_of(id));
  engine->keeper_ = std::thread([one = engine.get()] { one->keep_all(); });
  return engine;
}

Engine::~Engine() {
  {
    const std::lock_guard lock(ending_mutex_);
    ending_ = true;
  }
  ending_changed_.notify_one();
  if (keeper_.joinable()) keeper_.join();
}

void Engine::keep_all() {
  work_behind_others();
  struct Seen {
    std::uint64_t changes = 0, rests = 0, pause = 0;
  };
  std::map<const Collection*, Seen> seen;
  bool trimmed = true;
  for (;;) {
    {
      std::unique_lock lock(ending_mutex_);
      if (ending_changed_.wait_for(lock, kKeeperRests, [&] { return ending_; })) return;
    }
    std::map<const Collection*, Seen> now;
    bool idle = true;
    for (const auto& [name, collection] : collections()) {
      Seen& one = now[collection.get()];
      if (const auto before = seen.find(collection.get()); before != seen.end()) one = before->second;
      one.rests = one.changes == collection->changes() ? one.rests + 1 : 0;
      one.changes = collection->changes();
      idle = idle && one.rests >= kIdleRests;
      if (one.pause > 0) --one.pause;
      if (one.pause > 0 || !collection->wants_keeping(one.rests >= kIdleRests)) continue;
      if (const Status kept = collection->keep(); !kept) {
        log_error("vectors.keep_failed", kept.error());
        one.pause = kFailedRests;
      }
    }
    seen = std::move(now);
    // What writes needed goes back to the system: once when they have ended.
    if (idle && !trimmed) ::malloc_trim(0);
    trimmed = idle;
  }
}

std::string Engine::path_of(const std::string& id) const {
  return join_path(join_path(directory_, kCollectionsFolder), id);
}

Status Engine::write(const Catalogue& catalogue) {
  return catalogue.write(files_, join_path(directory_, kCatalogueFile));
}

// Written before there is any collection: one that is missing later was lost, and says nothing about collections.
Result<Catalogue> Engine::read_catalogue() {
  const std::string path = join_path(directory_, kCatalogueFile), folder = join_path(directory_, kCollectionsFolder);
  auto catalogue = Catalogue::read(files_, path);
  if (catalogue || catalogue.error().code != ErrorCode::kNotFound) return catalogue;
  PANDORA_TRY(found, files_.list(folder));
  if (!found.empty())
    return fail(ErrorCode::kDataCorrupt, fmt::format("{} is missing, but {} is not empty", path, folder),
                fmt::format("put {} back from a copy; to begin without these collections move {} away", kCatalogueFile,
                            folder));
  Catalogue none;
  PANDORA_CHECK(write(none));
  return none;
}

// What a crash left behind of collections that were removed. A folder that was never named may be one whose making was
// not finished, but also one that a catalogue from an older copy does not know: it stays.
Status Engine::remove_removed() {
  for (const std::string& id : std::exchange(catalogue_.removed, {})) PANDORA_CHECK(files_.remove_tree(path_of(id)));
  const std::string folder = join_path(directory_, kCollectionsFolder);
  std::set<std::string> known;
  for (const auto& [name, id] : catalogue_.collections) known.insert(id);
  PANDORA_TRY(found, files_.list(folder));
  for (const FileInfo& entry : found)
    if (!known.contains(entry.name)) log_warn("vectors.stray", {{"directory", join_path(folder, entry.name)}});
  return {};
}

Outcome<std::shared_ptr<Collection>> Engine::find(const std::string& name) const {
  const std::shared_lock lock(mutex_);
  auto found = open_.find(name);
  if (found == open_.end())
    if (const auto alias = catalogue_.aliases.find(name); alias != catalogue_.aliases.end())
      found = open_.find(alias->second);
  if (found == open_.end()) return fail(no_such_collection(name));
  return found->second;
}

bool Engine::exists(const std::string& name) const { return find(name).has_value(); }

std::vector<std::string> Engine::names() const {
  const std::shared_lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, collection] : open_) names.push_back(name);
  return names;
}

std::map<std::string, std::shared_ptr<Collection>> Engine::collections() const {
  const std::shared_lock lock(mutex_);
  return {open_.begin(), open_.end()};
}

std::map<std::string, std::string> Engine::aliases() const {
  const std::shared_lock lock(mutex_);
  return catalogue_.aliases;
}

Outcome<void> Engine::create(const std::string& name, CollectionParams params) {
  const std::lock_guard changing(changing_);
  Catalogue next = catalogue_;  // changed under `changing_` alone
  if (next.collections.contains(name)) return fail(taken(name));
  if (next.aliases.contains(name))
    return fail(wrong_input(
        fmt::format("Can't create collection with name {}. Alias with the same name already exists", name)));
  if (next.collections.size() >= kMaxCollections)
    return fail(bad_request(fmt::format("there are {} collections already", kMaxCollections)));
  const std::string id = fmt::format("{:016x}", random_.next());
  PANDORA_CHECK(files_.create_directories(path_of(id)));
  auto made = Collection::create(files_, clock_, path_of(id), std::move(params));
  Status done = made ? files_.sync_directory(path_of(id)) : Status(fail(made.error()));
  if (done) done = files_.sync_directory(join_path(directory_, kCollectionsFolder));
  next.collections[name] = id;
  if (done) done = write(next);
  if (!done) {
    if (made) made->reset();
    (void)files_.remove_tree(path_of(id));
    return fail(Fault(done.error()));
  }
  const std::unique_lock lock(mutex_);
  catalogue_ = std::move(next);
  open_[name] = *std::move(made);
  return {};
}

Outcome<bool> Engine::remove(const std::string& name) {
  const std::lock_guard changing(changing_);
  Catalogue next = catalogue_;
  const auto found = next.collections.find(name);
  if (found == next.collections.end()) return false;
  const std::string id = found->second;
  next.collections.erase(found);
  next.removed.insert(id);
  std::erase_if(next.aliases, [&](const auto& alias) { return alias.second == name; });
  PANDORA_CHECK(write(next));
  std::shared_ptr<Collection> removed;
  {
    const std::unique_lock lock(mutex_);
    catalogue_ = std::move(next);
    removed = std::move(open_.at(name));
    open_.erase(name);
  }
  // Whoever still uses it has its files open; their names may go.
  removed->abandon();
  removed.reset();
  if (const Status gone = files_.remove_tree(path_of(id)); !gone)
    log_error("vectors.files_stay", gone.error());
  else
    catalogue_.removed.erase(id);  // in the file with the next change
  return true;
}

Outcome<void> Engine::change_aliases(const std::vector<AliasAction>& actions) {
  const std::lock_guard changing(changing_);
  Catalogue next = catalogue_;
  for (const AliasAction& action : actions) {
    using Kind = AliasAction::Kind;
    if (action.kind == Kind::kCreate) {
      if (!next.collections.contains(action.collection)) return fail(no_such_collection(action.collection));
      if (next.collections.contains(action.alias)) return fail(taken(action.alias));
      PANDORA_CHECK(check_collection_name(action.alias));
      next.aliases[action.alias] = action.collection;
    } else if (action.kind == Kind::kDelete) {
      next.aliases.erase(action.alias);
    } else {
      const auto found = next.aliases.find(action.alias);
      if (found == next.aliases.end()) return fail(not_found(fmt::format("Alias {} does not exists!", action.alias)));
      if (next.collections.contains(action.new_alias)) return fail(taken(action.new_alias));
      PANDORA_CHECK(check_collection_name(action.new_alias));
      const std::string collection = found->second;
      next.aliases.erase(found);
      next.aliases[action.new_alias] = collection;
    }
  }
  PANDORA_CHECK(write(next));
  const std::unique_lock lock(mutex_);
  catalogue_ = std::move(next);
  return {};
}

}  // namespace pandora::qdrant
