#include "vectors/collection.h"

#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "base/scheduling.h"

namespace pandora::qdrant {
namespace {

constexpr const char* kFileName = "points.db";
constexpr const char* kPartsFolder = "parts";
constexpr std::size_t kPutAtOnce = 32;       // points that go into memory before readers have their turn
constexpr std::size_t kPutHere = 256;        // likewise, where waiting for the next turn is worse
constexpr std::size_t kMovedAtOnce = 32;     // likewise, out of files that are mostly dead
constexpr std::size_t kFilledAtOnce = 4096;  // slots of an index, before a writer of memory has its turn
constexpr std::string_view kRemedy = "delete the collection and fill it again, or restore its directory from a backup";

std::size_t changes_of(const std::vector<Operation>& operations) {
  std::size_t count = 0;
  for (const Operation& operation : operations)
    if (const auto* upsert = std::get_if<UpsertPoints>(&operation)) count += upsert->points.size();
  return count;
}

// Changes that go into memory in one piece. What that needs is made without memory's lock.
class Piece {
 public:
  using Place = Staging::Changes::const_iterator;
  Piece(const CollectionMemory& memory, Place first, Place behind, std::size_t most) : first_(first), end_(first) {
    for (; end_ != behind && prepared_.size() < most; ++end_)
      prepared_.push_back(end_->second ? std::optional(memory.prepare(*end_->second)) : std::nullopt);
    is_last_ = end_ == behind;
  }
  Place end() const { return end_; }
  // Under memory's lock. `number`: of the last operation of all.
  void put(CollectionMemory& memory, std::uint64_t number) const {
    Place place = first_;
    for (const auto& one : prepared_) {
      if (one)
        memory.put(*one);
      else
        memory.remove(place->first, number);
      ++place;
    }
    if (is_last_) memory.points().set_applied(number, number);
  }

 private:
  const Place first_;
  Place end_;
  bool is_last_ = false;
  std::vector<std::optional<CollectionMemory::Prepared>> prepared_;
};

}  // namespace

Result<std::shared_ptr<Collection>> Collection::create(FileSystem& files, const Clock& clock,
                                                       const std::string& directory, CollectionParams params,
                                                       const std::string& vfs) {
  PANDORA_CHECK(
      files.create_directories(join_path(directory, kPartsFolder)));  // no later: its name is synced with ours
  PANDORA_TRY(file, CollectionFile::create(join_path(directory, kFileName), params, vfs));
  PANDORA_TRY(facts, file->facts());
  std::shared_ptr<Collection> made(new Collection(files, clock, directory, std::move(file), std::move(facts)));
  made->thread_ = std::thread([one = made.get()] { one->run(); });
  return made;
}

std::shared_ptr<Collection> Collection::open(FileSystem& files, const Clock& clock, const std::string& directory,
                                             const std::string& vfs) {
  const auto red = [&](Error error) {
    if (error.code == ErrorCode::kDataCorrupt) error.remedy = kRemedy;
    log_error("vectors.collection_damaged", error);
    return std::shared_ptr<Collection>(new Collection(clock, error));
  };
  auto file = CollectionFile::open(join_path(directory, kFileName), vfs);
  if (!file) return red(file.error());
  auto facts = (*file)->facts();
  if (!facts) return red(facts.error());
  std::shared_ptr<Collection> collection(new Collection(files, clock, directory, *std::move(file), *facts));
  if (const Status loaded = collection->load(*facts); !loaded) return red(loaded.error());
  collection->thread_ = std::thread([one = collection.get()] { one->run(); });
  return collection;
}

Collection::Collection(FileSystem& files, const Clock& clock, const std::string& directory,
                       std::unique_ptr<CollectionFile> file, CollectionFacts facts)
    : clock_(clock),
      memory_(std::make_unique<CollectionMemory>(std::move(facts.params))),
      parts_(std::in_place, files, join_path(directory, kPartsFolder), facts.epoch, IndexFiles::Truth::kHere),
      file_(std::move(file)),
      unfilled_(std::move(facts.indexes)),
      next_number_(facts.operations + 1) {
  for (const IndexRequest& index : unfilled_) memory_->add_schema(index);
}

// The parts, and what has changed since.
Status Collection::load(const CollectionFacts& facts) {
  PointIndex& points = memory_->points();
  const auto damaged = [&](const std::string& what) {
    return fail(ErrorCode::kDataCorrupt, fmt::format("{}: {}", parts_->directory(), what), std::string(kRemedy));
  };
  const bool any = parts_->any();  // else none was finished: a crash may have left a part that nothing names
  const auto loaded = parts_->load(points, std::numeric_limits<std::uint64_t>::max(), 0);
  if (any && !loaded.whole) return damaged(loaded.why);
  if (points.applied() < facts.kept) return damaged("the file that names its parts is missing, or is an older one");
  memory_->adopt();
  const CollectionFile::Take take{[&](const StoredPoint& point) { memory_->put(point); },
                                  [&](const PointId& id, std::uint64_t version) { memory_->remove(id, version); }};
  PANDORA_CHECK(file_->load(points.applied(), memory_->name_count(), take));
  const std::uint64_t operations = std::max(facts.operations, points.applied());
  points.set_applied(operations, operations);
  next_number_ = operations + 1;
  changes_ = points.unsaved();
  if (memory_->damaged()) return damaged("a part is damaged");
  return {};
}

Collection::~Collection() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  if (!thread_.joinable()) return;
  thread_.join();
  if (!wants_keeping(true)) return;
  if (const Status kept = keep(); !kept) log_error("vectors.keep_failed", kept.error());
}

std::optional<Error> Collection::damage() const {
  if (damage_) return damage_;
  const auto lock = memory_->lock().try_read();
  if (!lock || !memory_->damaged()) return std::nullopt;
  return damage_of_part();
}

Error Collection::damage_of_part() const {
  return {ErrorCode::kDataCorrupt, fmt::format("{}: a part is damaged", parts_->directory()), std::string(kRemedy)};
}

bool Collection::wants_keeping(bool idle) const {
  if (damage_ || abandoned_) return false;
  return changes_ - kept_ >= (idle ? kKeptChangesIdle : kKeptChanges) || unkept_bytes_ >= kKeptBytes;
}

void Collection::abandon() {
  abandoned_ = true;
  const std::lock_guard keeping(keeping_);  // whoever is at it has finished
}

Status Collection::keep() {
  struct Counted {
    std::atomic<int>& keepers;
    explicit Counted(std::atomic<int>& all) : keepers(all) { ++keepers; }
    ~Counted() { --keepers; }
  };
  const Counted counted(keepers_);
  const std::lock_guard keeping(keeping_);
  if (abandoned_) return {};
  std::unique_ptr<IndexFiles::Checkpoint> checkpoint;
  std::uint64_t changes = 0;
  std::size_t bytes = 0;
  {
    const auto lock = memory_->lock().write();
    if (memory_->damaged()) return {};
    changes = changes_;
    bytes = unkept_bytes_;
    checkpoint = parts_->begin(memory_->points(), IndexFiles::Scope::kTail);
  }
  if (checkpoint) {
    PANDORA_CHECK(checkpoint->write());
    {
      const auto lock = memory_->lock().write();
      parts_->end(memory_->points(), *checkpoint);
    }
    const std::lock_guard file(file_mutex_);
    PANDORA_CHECK(file_->forget(checkpoint->removals_applied()));
  }
  kept_ = changes;
  unkept_bytes_ -= bytes;
  return {};
}

std::size_t Collection::queued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

Written Collection::written(const Pending& pending, bool completed) {
  Written written{{}, completed};
  for (std::size_t i = 0; i < pending.operations; ++i) written.numbers.push_back(pending.number + i);
  return written;
}

// Whoever holds it changes points.
class Collection::Turn {
 public:
  explicit Turn(std::shared_ptr<Collection> collection) : collection_(std::move(collection)) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { collection_->give_turn_back(); }
  void use() { collection_->do_here(); }

 private:
  const std::shared_ptr<Collection> collection_;
};

void Collection::write(WriteRequest request, std::size_t bytes, Acknowledge acknowledge, Done done, const Soon& soon) {
  const auto* operations = std::get_if<std::vector<Operation>>(&request);
  const std::size_t count = operations ? operations->size() : 1;
  Pending pending{std::move(request), 0, count, bytes, {}};
  Written acknowledged;
  bool early = false, here = false;
  {
    std::unique_lock lock(mutex_);
    if (queue_.size() >= kMaxQueuedWrites) {
      lock.unlock();
      return done(fail(Fault{429, "Too many writes wait for this collection; try again in a moment"}));
    }
    pending.number = next_number_;
    next_number_ += pending.operations;
    early = acknowledge == Acknowledge::kWhenQueued && queued_bytes_ + bytes <= kAcknowledgedBytes;
    if (early)
      acknowledged = written(pending, false);
    else
      pending.done = std::move(done);
    queued_bytes_ += bytes;
    queue_.push_back(std::move(pending));
    here = soon && !taken_ && is_brief();
    if (here)
      taken_ = true;
    else if (!taken_)
      wake_.notify_one();
  }
  if (early) done(std::move(acknowledged));
  if (!here) return;
  const auto turn = std::make_shared<Turn>(shared_from_this());
  (void)soon([turn] { turn->use(); });  // when it is destroyed instead the thread takes over
}

bool Collection::is_brief() const {
  return commits_briefly_ && !untidy_ && keepers_ == 0 && queued_bytes_ <= kBriefBytes;
}

// Whatever would have to wait for those who read just now is left to the thread.
void Collection::do_here() {
  std::vector<Pending> group;
  auto reading = memory_->lock().read_soon();
  if (!reading) return;
  {
    const std::lock_guard lock(mutex_);
    const bool of_points = std::holds_alternative<std::vector<Operation>>(queue_.front().request);
    if (of_points && is_brief() && !abandoned_) group = take_some();
  }
  if (group.empty()) return;
  auto changed = commit(std::move(group), std::move(reading));
  if (changed && finish_here(*changed)) changed.reset();
  if (!changed && !is_untidy()) return;
  const std::lock_guard lock(mutex_);
  left_ = std::move(changed);
  untidy_ = true;
}

void Collection::give_turn_back() {
  const std::lock_guard lock(mutex_);
  taken_ = false;
  if (!queue_.empty() || untidy_ || ending_) wake_.notify_one();
}

// Of operations as many as fit; anything else by itself.
std::vector<Collection::Pending> Collection::take_some() {
  std::vector<Pending> group;
  std::size_t points = 0;
  while (!queue_.empty() && group.size() < kMaxWritesAtOnce) {
    const auto* operations = std::get_if<std::vector<Operation>>(&queue_.front().request);
    if (!operations && !group.empty()) break;
    const std::size_t more = operations ? changes_of(*operations) : 0;
    if (!group.empty() && points + more > kMaxGroupPoints) break;
    points += more;
    queued_bytes_ -= queue_.front().bytes;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
    if (!operations) break;
  }
  return group;
}

void Collection::run() {
  work_behind_others();  // a search is not to wait for it
  for (const IndexRequest& index : std::exchange(unfilled_, {})) {
    auto made = filled(index);
    const auto lock = memory_->lock().write();
    memory_->add_index(std::move(made));
  }
  give_turn_back();
  for (;;) {
    std::vector<Pending> group;
    std::unique_ptr<Changed> left;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return !taken_ && (ending_ || untidy_ || !queue_.empty()); });
      if (queue_.empty() && !untidy_) return;
      taken_ = true;
      untidy_ = false;
      left = std::move(left_);
      if (!left) group = take_some();
    }
    struct Back {
      Collection& collection;
      ~Back() { collection.give_turn_back(); }
    };
    const Back back{*this};
    if (left) finish(*left);
    if (abandoned_) {  // whoever lets go of it last may wait for this thread
      std::vector<std::optional<Fault>> faults(group.size(), not_found("The collection was deleted meanwhile"));
      answer(group, faults);
      continue;
    }
    if (group.empty() || std::holds_alternative<std::vector<Operation>>(group.front().request)) {
      if (!group.empty()) change_points(std::move(group));
      tidy();
      continue;
    }
    Pending& first = group.front();
    auto changed = change_schema(first.request);
    if (!first.done) continue;
    if (changed)
      first.done(written(first, true));
    else
      first.done(fail(std::move(changed).error()));
  }
}

// What is not done while somebody waits for an answer.
void Collection::tidy() {
  if (unkept_bytes_ >= kMostUnkeptBytes)
    if (const Status kept = keep(); !kept) log_error("vectors.keep_failed", kept.error());
  {
    const std::lock_guard file(file_mutex_);
    if (file_->wants_checkpoint())
      if (const Status done = file_->checkpoint(); !done)
        log_warn("vectors.checkpoint_failed", {{"error", done.error().to_line()}});
  }
  move_some();
}

bool Collection::is_untidy() {
  if (unkept_bytes_ >= kMostUnkeptBytes) return true;
  {
    const std::lock_guard file(file_mutex_);
    if (file_->wants_checkpoint()) return true;
  }
  const auto lock = memory_->lock().try_read();
  return !lock || !memory_->points().worth_moving(1).empty();
}

void Collection::move_some() {
  {
    const auto lock = memory_->lock().read();
    if (memory_->points().worth_moving(1).empty()) return;
  }
  const auto lock = memory_->lock().write();
  if (!memory_->damaged()) memory_->move_some(kMovedAtOnce);
}

void Collection::change_points(std::vector<Pending> group) {
  if (auto changed = commit(std::move(group), memory_->lock().read())) finish(*changed);
}

// Nothing: it could not be, and all were answered.
std::unique_ptr<Collection::Changed> Collection::commit(std::vector<Pending> group, FairLock::Reading reading) {
  std::vector<std::optional<Fault>> faults(group.size());
  Staging staging(*memory_);
  Status committed;
  {
    const auto lock = std::move(reading);  // `keep` puts parts in the place of others
    for (std::size_t i = 0; i < group.size(); ++i) {
      const auto& operations = std::get<std::vector<Operation>>(group[i].request);
      if (auto staged = staging.apply(operations, group[i].number, Deadline::never()); !staged)
        faults[i] = std::move(staged).error();
    }
    if (memory_->damaged()) committed = fail(damage_of_part());
    const auto puts = static_cast<std::size_t>(
        std::ranges::count_if(staging.changed(), [](const auto& one) { return one.second.has_value(); }));
    // A point that goes needs no slot.
    if (committed && memory_->points().room() < puts)
      committed = fail(ErrorCode::kStorageFull,
                       fmt::format("the collection has {} slots for points and none left", PointIndex::kMaxSlots),
                       "put some of its points into another one");
  }
  CollectionFile::Change change;
  for (const auto& [id, point] : staging.changed()) {
    if (point)
      change.put.push_back(&*point);
    else
      change.removed.push_back(id);
  }
  change.number = group.back().number + group.back().operations - 1;
  if (committed && (!change.put.empty() || !change.removed.empty())) {
    const std::lock_guard file(file_mutex_);
    const auto begun = clock_.steady();
    const auto written = file_->write(change);
    commits_briefly_ = written && clock_.steady() - begun <= kBriefCommit;
    if (written)
      unkept_bytes_ += *written;
    else
      committed = fail(written.error());
  }
  if (!committed && group.size() > 1) {
    for (Pending& pending : group) {
      std::vector<Pending> alone;
      alone.push_back(std::move(pending));
      change_points(std::move(alone));
    }
    return nullptr;
  }
  if (!committed) {
    log_error("vectors.write_failed", committed.error());
    for (auto& fault : faults)
      if (!fault) fault = Fault(committed.error());
    answer(group, faults);
    return nullptr;
  }
  return std::make_unique<Changed>(std::move(group), std::move(faults), std::move(staging), change.number);
}

// In pieces, so that readers have their turn.
void Collection::finish(Changed& changed) {
  const auto& all = changed.staging.changed();
  auto next = all.begin();
  for (;;) {
    const Piece piece(*memory_, next, all.end(), kPutAtOnce);
    next = piece.end();
    {
      const auto writing = memory_->lock().write();
      piece.put(*memory_, changed.number);
    }
    if (next == all.end()) break;
    std::this_thread::yield();  // a processor may be what readers wait for
  }
  finished(changed);
}

// False: somebody reads just now, and nothing happened.
bool Collection::finish_here(Changed& changed) {
  const auto& all = changed.staging.changed();
  if (all.size() > kPutHere) return false;
  const Piece piece(*memory_, all.begin(), all.end(), kPutHere);
  {
    const auto writing = memory_->lock().try_write();
    if (!writing) return false;
    piece.put(*memory_, changed.number);
  }
  finished(changed);
  return true;
}

void Collection::finished(Changed& changed) {
  changes_ += changed.staging.changed().size();
  answer(changed.group, changed.faults);
}

void Collection::answer(std::vector<Pending>& group, std::vector<std::optional<Fault>>& faults) {
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (!group[i].done) {
      if (faults[i]) log_warn("vectors.queued_write_failed", {{"why", faults[i]->text}});
    } else if (faults[i]) {
      group[i].done(fail(*std::move(faults[i])));
    } else {
      group[i].done(written(group[i], true));
    }
  }
}

// Only this thread changes points, so the index may be filled bit by bit.
std::unique_ptr<FieldIndex> Collection::filled(const IndexRequest& request) const {
  auto index = FieldIndex::create(request.path, request.schema);
  for (std::size_t first = 0;; first += kFilledAtOnce) {
    const auto lock = memory_->lock().read();
    const std::size_t end = memory_->table().bound();
    memory_->fill(*index, first, std::min(end, first + kFilledAtOnce));
    if (first + kFilledAtOnce >= end) return index;
  }
}

Outcome<void> Collection::change_schema(WriteRequest& request) {
  const auto in_file = [&](auto&& change) -> Status {
    const std::lock_guard file(file_mutex_);
    return change(*file_);
  };
  if (auto* index = std::get_if<IndexRequest>(&request)) {
    PANDORA_CHECK(in_file([&](CollectionFile& file) { return file.write_index(*index); }));
    auto made = filled(*index);
    const auto lock = memory_->lock().write();
    memory_->add_index(std::move(made));
  } else if (auto* removed = std::get_if<RemoveIndex>(&request)) {
    PANDORA_CHECK(in_file([&](CollectionFile& file) { return file.remove_index(removed->path.to_text()); }));
    const auto lock = memory_->lock().write();
    memory_->drop_index(removed->path.to_text());
  } else if (auto* update = std::get_if<UpdateHints>(&request)) {
    CollectionParams params = with_update(memory_->params(), update->hints);
    PANDORA_CHECK(in_file([&](CollectionFile& file) { return file.write_params(params); }));
    const auto lock = memory_->lock().write();
    memory_->set_params(std::move(params));
  }
  return {};
}

Outcome<void> check_vectors(const std::vector<Operation>& operations, const CollectionMemory& memory) {
  const auto check = [&](const std::vector<PointInput>& points) -> Outcome<void> {
    for (const PointInput& point : points)
      for (const auto& [name, input] : point.vectors) {
        const auto number = memory.number_of(name);
        if (!number) return fail(no_such_vector(name));
        const auto* dense = std::get_if<DenseInput>(&input);
        const DenseSpace* space = memory.dense(*number);
        if ((dense != nullptr) != (space != nullptr))
          return fail(wrong_input("Conversion between sparse and regular vectors failed"));
        if (dense) PANDORA_CHECK(DenseSpace::check(*dense, space->params()));
      }
    return {};
  };
  for (const Operation& operation : operations) {
    if (const auto* upsert = std::get_if<UpsertPoints>(&operation)) PANDORA_CHECK(check(upsert->points));
    if (const auto* update = std::get_if<UpdateVectors>(&operation)) PANDORA_CHECK(check(update->points));
  }
  return {};
}

}  // namespace pandora::qdrant
