#include "vectors/collection.h"

#include "base/log.h"

namespace pandora::qdrant {
namespace {

constexpr const char* kFileName = "points.db";
constexpr std::size_t kPutAtOnce = 32;  // points that go into memory before readers have their turn

std::size_t changes_of(const std::vector<Operation>& operations) {
  std::size_t count = 0;
  for (const Operation& operation : operations)
    if (const auto* upsert = std::get_if<UpsertPoints>(&operation)) count += upsert->points.size();
  return count;
}

}  // namespace

Result<std::shared_ptr<Collection>> Collection::create(const std::string& directory, CollectionParams params) {
  PANDORA_TRY(file, CollectionFile::create(directory + "/" + kFileName, params));
  return std::shared_ptr<Collection>(new Collection(std::move(file), {std::move(params), {}, 0}));
}

std::shared_ptr<Collection> Collection::open(const std::string& directory) {
  const auto red = [&](const Error& error) {
    log_error("vectors.collection_damaged", error);
    return std::shared_ptr<Collection>(new Collection(error));
  };
  auto file = CollectionFile::open(directory + "/" + kFileName);
  if (!file) return red(file.error());
  auto facts = (*file)->facts();
  if (!facts) return red(facts.error());
  std::shared_ptr<Collection> collection(new Collection(*std::move(file), *facts));
  const Status loaded = collection->file_->load(collection->memory_->name_count(),
                                                [&](StoredPoint point) { collection->memory_->put(std::move(point)); });
  if (!loaded) return red(loaded.error());
  for (IndexRequest& index : facts->indexes)
    collection->memory_->add_index(collection->memory_->make_index(std::move(index.path), index.schema));
  return collection;
}

Collection::Collection(std::unique_ptr<CollectionFile> file, CollectionFacts facts)
    : file_(std::move(file)),
      memory_(std::make_unique<CollectionMemory>(std::move(facts.params))),
      next_number_(facts.operations + 1),
      thread_([this] { run(); }) {}

Collection::~Collection() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
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

void Collection::write(WriteRequest request, std::size_t bytes, Acknowledge acknowledge, Done done) {
  const auto* operations = std::get_if<std::vector<Operation>>(&request);
  const std::size_t count = operations ? operations->size() : 1;
  Pending pending{std::move(request), 0, count, bytes, {}};
  Written acknowledged;
  bool early = false;
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
    wake_.notify_one();
  }
  if (early) done(std::move(acknowledged));
}

void Collection::run() {
  for (;;) {
    std::vector<Pending> group;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return ending_ || !queue_.empty(); });
      if (queue_.empty()) return;
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
    }
    Pending& first = group.front();
    if (std::holds_alternative<std::vector<Operation>>(first.request)) {
      change_points(std::move(group));
      continue;
    }
    auto changed = change_schema(first.request);
    if (!first.done) continue;
    if (changed)
      first.done(written(first, true));
    else
      first.done(fail(std::move(changed).error()));
  }
}

void Collection::change_points(std::vector<Pending> group) {
  std::vector<std::optional<Fault>> faults(group.size());
  Staging staging(*memory_);
  for (std::size_t i = 0; i < group.size(); ++i) {
    const auto& operations = std::get<std::vector<Operation>>(group[i].request);
    if (auto staged = staging.apply(operations, group[i].number, Deadline::never()); !staged)
      faults[i] = std::move(staged).error();
  }
  const std::uint64_t last = group.back().number + group.back().operations - 1;
  CollectionFile::Change change;
  for (const auto& [id, point] : staging.changed()) {
    if (point)
      change.put.push_back(&*point);
    else
      change.removed.push_back(id);
  }
  change.operations = last;
  const bool nothing = change.put.empty() && change.removed.empty();
  const Status committed = nothing ? Status() : file_->write(change);
  if (!committed && group.size() > 1) {
    for (Pending& pending : group) {
      std::vector<Pending> alone;
      alone.push_back(std::move(pending));
      change_points(std::move(alone));
    }
    return;
  }
  if (!committed) {
    log_error("vectors.write_failed", committed.error());
    for (auto& fault : faults)
      if (!fault) fault = Fault(committed.error());
  } else {
    std::size_t taken = 0;
    auto lock = memory_->lock().write();
    for (const auto& [id, point] : staging.changed()) {
      if (++taken % kPutAtOnce == 0) {
        lock.unlock();
        lock = memory_->lock().write();
      }
      if (point)
        memory_->put(*point);
      else
        memory_->remove(id);
    }
  }
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

Outcome<void> Collection::change_schema(WriteRequest& request) {
  if (auto* index = std::get_if<IndexRequest>(&request)) {
    PANDORA_CHECK(file_->write_index(*index));
    auto made = memory_->make_index(index->path, index->schema);
    const auto lock = memory_->lock().write();
    memory_->add_index(std::move(made));
  } else if (auto* removed = std::get_if<RemoveIndex>(&request)) {
    PANDORA_CHECK(file_->remove_index(removed->path.to_text()));
    const auto lock = memory_->lock().write();
    memory_->drop_index(removed->path.to_text());
  } else if (auto* update = std::get_if<UpdateHints>(&request)) {
    CollectionParams params = memory_->params();
    params.hints.merge_patch(update->hints);
    PANDORA_CHECK(file_->write_params(params));
    const auto lock = memory_->lock().write();
    memory_->set_hints(std::move(params.hints));
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
        if (dense) PANDORA_CHECK(DenseSpace::prepare(*dense, space->params()));
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
