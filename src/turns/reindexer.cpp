#include "turns/reindexer.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "base/log.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr const char* kRecordName = "points";
constexpr const char* kFormerName = "encoder";  // "model@revision", of before there was a record
constexpr int kFormerForm = 1;
constexpr std::int64_t kRecordVersion = 1;
// The encoder, "model@revision", that a move was to and whose vectors alone are to stay; empty: that has been done. It
// is written before the move is: where another encoder answers it means nothing.
constexpr const char* kKeptVectorsName = "own_vectors_kept";

// Each is encoded while a turn that was just saved waits for its own points; some 64 are half a second.
constexpr std::size_t kTurnsAtOnce = 64;
constexpr std::size_t kTextsAtOnce = 16;
// For queries that began before; they end within their own deadline. What is left then is dropped at the next start.
constexpr auto kReadersLeave = std::chrono::seconds(30);
constexpr auto kReadersPoll = std::chrono::milliseconds(5);

std::string key_of(const EmbedderIdentity& embedder) { return embedder.model + "@" + embedder.revision; }

std::string encode(const PointSpace& space) {
  const auto& [embedder, analyzer, form] = space.origin;
  return dump_json({{"format", "pandora points"},
                    {"version", kRecordVersion},
                    {"model", embedder.model},
                    {"revision", embedder.revision},
                    {"dimension", embedder.dimension},
                    {"analyzer", analyzer},
                    {"form", form},
                    {"suffix", space.suffix}});
}

Result<PointSpaceRecord> decode(const std::string& text) {
  PANDORA_TRY(json, parse_json(text, kMaxInstanceValueBytes, "what points are made by"));
  JsonReader in(json, "points");
  PointSpaceRecord record;
  const std::string format = in.text("format");
  if (const std::int64_t version = in.integer("version"); in.ok() && version > kRecordVersion)
    return fail(ErrorCode::kIncompatible, fmt::format("the points are of version {}", version),
                "use the program that wrote them, or a newer one");
  record.origin.embedder.model = in.text("model");
  record.origin.embedder.revision = in.text("revision");
  record.origin.embedder.dimension = static_cast<std::size_t>(in.integer("dimension"));
  record.origin.analyzer = static_cast<int>(in.integer("analyzer"));
  record.origin.form = static_cast<int>(in.integer("form"));
  record.suffix = in.text("suffix");
  if (in.ok() && format != "pandora points") in.fault("format", "is not \"pandora points\"");
  if (in.ok() && !is_space_collection(fmt::format("{}{}", kTurnsCollection, record.suffix)))
    in.fault("suffix", "names no collections");
  PANDORA_CHECK(in.finish());
  return record;
}

}  // namespace

Result<std::optional<PointSpaceRecord>> read_point_space(InstanceStore& instance, VectorStore& vectors,
                                                         const Deadline& deadline) {
  PANDORA_TRY(text, instance.get(kRecordName, deadline));
  if (text) {
    PANDORA_TRY(record, decode(*text));
    return std::optional(std::move(record));
  }
  // Rows that are new, or of before: the collections know by what they were made.
  PANDORA_TRY(former, instance.get(kFormerName, deadline));
  PANDORA_TRY(specs, vectors.collections(deadline));
  const auto plain = std::ranges::find(specs, kTurnsCollection, &CollectionSpec::name);
  const auto any = plain != specs.end() ? plain : std::ranges::find_if(specs, [](const CollectionSpec& spec) {
    return spec.name.starts_with(kTurnsCollection) && is_space_collection(spec.name);
  });
  const std::string made_by = any != specs.end() ? any->embedder : former.value_or("");
  const auto at = made_by.rfind('@');
  if (at == std::string::npos) return std::optional<PointSpaceRecord>();
  PointSpaceRecord record;
  record.origin.embedder = {made_by.substr(0, at), made_by.substr(at + 1), CollectionSpec().dimension};
  record.origin.form = kFormerForm;
  if (any != specs.end()) {
    record.origin.embedder.dimension = any->dimension;
    record.origin.analyzer = any->analyzer_version;
    record.suffix = any->name.substr(kTurnsCollection.size());
  }
  return std::optional(std::move(record));
}

Status write_point_space(InstanceStore& instance, const PointSpace& space, const Deadline& deadline) {
  const std::string text = encode(space);
  PANDORA_TRY(known, instance.get(kRecordName, deadline));
  return known == text ? Status() : instance.put(kRecordName, text, deadline);
}

Result<int> tidy_collections(VectorStore& vectors, const PointSpace& space, const Deadline& deadline) {
  PANDORA_TRY(specs, vectors.collections(deadline));
  int dropped = 0;
  for (const auto& spec : specs) {
    if (!is_space_collection(spec.name) || space.has_collection(spec.name)) continue;
    PANDORA_CHECK(vectors.drop_collection(spec.name, deadline));
    ++dropped;
  }
  for (const auto& [plain, name] :
       {std::pair{kTurnsCollection, space.turns}, std::pair{kMemoriesCollection, space.memories},
        std::pair{kResearchCollection, space.research}}) {
    if (plain == name || std::ranges::find(specs, name, &CollectionSpec::name) == specs.end()) continue;
    const auto known = vectors.count(std::string(plain), {}, Principal::system(), deadline);
    if (!known && known.error().code == ErrorCode::kNotFound)
      PANDORA_CHECK(vectors.alias_switch(std::string(plain), name, deadline));
  }
  return dropped;
}

Status drop_former_vectors(TurnStore& turns, InstanceStore& instance, const PointSpace& space,
                           const Deadline& deadline) {
  const EmbedderIdentity& embedder = space.origin.embedder;
  PANDORA_TRY(kept, instance.get(kKeptVectorsName, deadline));
  if (kept != key_of(embedder)) return {};
  std::optional<Uuid> last;
  do {
    PANDORA_TRY(looked_at, turns.drop_other_vectors(embedder, last, kMaxPage, deadline));
    last = looked_at;
  } while (last);
  return instance.put(kKeptVectorsName, "", deadline);
}

Result<ReindexReport> Reindexer::run(std::shared_ptr<Embedder> embedder, const Progress& progress,
                                     const Deadline& deadline) {
  const auto move = spaces_.try_move();
  if (!move.owns_lock()) return fail(ErrorCode::kConflict, "the points are being made again already", "wait for that");
  ReindexReport report;
  std::weak_ptr<const PointSpace> old;
  std::vector<Moved> collections;
  const PointOrigin origin{embedder->identity()};
  const auto next = make_point_space(origin, suffix_of(origin), std::move(embedder));
  {
    const auto current = spaces_.current();
    report.from = current->origin.text();
    report.to = origin.text();
    if (current->origin == origin) return report;
    old = current;
    collections = {{current->turns, next->turns, "turn_uid", OutboxKind::kTurnPoint},
                   {current->memories, next->memories, "memory_id", OutboxKind::kMemoryPoint},
                   {current->research, next->research, "research_id", OutboxKind::kResearchPoint}};
  }
  PANDORA_TRY(before, stores_.outbox.last_version(deadline));
  // What an earlier run left half done missed what was saved since.
  PANDORA_CHECK(drop(*next, deadline));
  PANDORA_CHECK(indexer_.ensure_collections(*next, deadline));
  Status moved = fill(next, report, progress, deadline);
  if (moved) moved = switch_over(*next);
  if (!moved) {
    spaces_.write().set_next(nullptr);
    if (const Status dropped = drop(*next, Deadline::never()); !dropped)
      log_warn("reindex.left_behind", {{"error", dropped.error().to_line()}});
    return fail(std::move(moved).error());
  }
  report.moved = true;
  if (Status made_up = make_up_for(collections, before, deadline); !made_up)
    return fail(std::move(made_up)
                    .error()
                    .with_context("the move is made, but not what others wrote meanwhile")
                    .with_remedy("`pandora reconcile --apply` finds what is missing"));
  if (const Status gone = drop_former_vectors(stores_.turns, stores_.instance, *next, Deadline::never()); !gone)
    log_warn("reindex.left_behind", {{"error", gone.error().to_line()}});
  // Queries that began with the old points end on them.
  for (auto waited = Duration::zero(); !old.expired() && waited < kReadersLeave; waited += kReadersPoll)
    std::this_thread::sleep_for(kReadersPoll);
  if (!old.expired()) {
    log_info("reindex.old_points_in_use", {{"remedy", "they are dropped at the next start"}});
    return report;
  }
  if (const auto dropped = tidy_collections(stores_.vectors, *next, Deadline::never()); !dropped)
    log_warn("reindex.left_behind", {{"error", dropped.error().to_line()}});
  return report;
}

Status Reindexer::fill(const std::shared_ptr<const PointSpace>& next, ReindexReport& report, const Progress& progress,
                       const Deadline& deadline) {
  // First this, then the walk: a row that comes after the walk passed it is written by whoever indexes it.
  spaces_.write().set_next(next);
  PANDORA_CHECK(fill_turns(*next, report, progress, deadline));
  const auto memories = [&](const std::optional<Uuid>& after) {
    MemoryQuery query;
    query.include_superseded = true;
    query.after = after;
    query.limit = kTextsAtOnce;
    return stores_.memories.list(query, Principal::system(), deadline);
  };
  const auto index_memories = [&](std::span<const Indexer::Item> items) {
    return indexer_.index_memories(*next, items, deadline);
  };
  PANDORA_CHECK(fill_texts("memories", memories, index_memories, report.memories, progress));
  const auto research = [&](const std::optional<Uuid>& after) {
    ResearchQuery query;
    query.after = after;
    query.limit = kTextsAtOnce;
    return stores_.research.list(query, Principal::system(), deadline);
  };
  const auto index_research = [&](std::span<const Indexer::Item> items) {
    return indexer_.index_research(*next, items, deadline);
  };
  return fill_texts("research", research, index_research, report.research, progress);
}

// Rows are read again under the lock, so what is written is never older than what the outbox wrote; version 0 never
// overwrites that.
Status Reindexer::fill_turns(const PointSpace& next, ReindexReport& report, const Progress& progress,
                             const Deadline& deadline) {
  PANDORA_TRY(of, stores_.turns.count(Principal::system(), deadline));
  // What gets its row from now on is the outbox' to write: a walk that went after it might never end.
  PANDORA_TRY(newest, stores_.turns.list({.limit = 1}, Principal::system(), deadline));
  const TurnNumber last = newest.empty() ? TurnNumber() : newest.front().number;
  for (TurnNumber after; after < last;) {
    PANDORA_TRY(page, stores_.turns.scan(after, kTurnsAtOnce, Principal::system(), deadline));
    if (page.empty()) return {};
    after = page.back().number;
    std::vector<Indexer::Item> items;
    std::vector<Turn> lacking;
    for (auto& turn : page) {
      items.push_back({turn.uid, 0});
      PANDORA_TRY(own, stores_.turns.vectors_around(turn.uid, 0, next.origin.embedder, deadline));
      if (own.empty()) lacking.push_back(std::move(turn));
    }
    PANDORA_CHECK(indexer_.embed_turns(next, std::move(lacking), deadline));
    {
      const auto writing = spaces_.write();
      if (writing.next_error()) return fail(*writing.next_error());
      PANDORA_CHECK(indexer_.index_turns(next, items, deadline));
    }
    report.turns += static_cast<std::int64_t>(items.size());
    PANDORA_CHECK(progress("turns made findable again", report.turns, std::max(of, report.turns)));
  }
  return {};
}

template <class Page, class Index>
Status Reindexer::fill_texts(const char* what, Page next_page, Index index, std::int64_t& done,
                             const Progress& progress) {
  std::optional<Uuid> after;
  for (;;) {
    std::size_t written = 0;
    {
      const auto writing = spaces_.write();
      if (writing.next_error()) return fail(*writing.next_error());
      PANDORA_TRY(page, next_page(after));
      if (page.empty()) return {};
      std::vector<Indexer::Item> items;
      for (const auto& one : page) items.push_back({one.id, 0});
      PANDORA_CHECK(index(items));
      after = page.back().id;
      written = items.size();
    }
    done += static_cast<std::int64_t>(written);
    PANDORA_CHECK(progress(what, done, done));
  }
}

// The one write that counts comes first: a process that dies before it has not moved, after it has.
Status Reindexer::switch_over(const PointSpace& next) {
  auto writing = spaces_.write();
  if (writing.next_error()) return fail(*writing.next_error());
  PANDORA_CHECK(stores_.instance.put(kKeptVectorsName, key_of(next.origin.embedder), Deadline::never()));
  PANDORA_CHECK(write_point_space(stores_.instance, next, Deadline::never()));
  writing.switch_to_next();
  return {};
}

// Points that others wrote or removed in the old collections while the new ones were made.
Status Reindexer::make_up_for(const std::vector<Moved>& moved, std::int64_t since, const Deadline& deadline) {
  if (!others_follow_) return {};
  PANDORA_CHECK(others_follow_());
  for (const auto& [from, to, field, point_kind] : moved) {
    const auto walk = [&](const std::string& collection, const auto& is_behind) -> Status {
      for (std::optional<Uuid> after;;) {
        const auto page = stores_.vectors.scroll(collection, {}, after, kMaxPage, Principal::system(), deadline);
        if (!page && page.error().code == ErrorCode::kNotFound) return {};
        if (!page) return fail(page.error());
        if (page->empty()) return {};
        after = page->back().id;
        PANDORA_TRY(behind, is_behind(*page));
        PANDORA_CHECK(stores_.outbox.enqueue(behind, deadline));
      }
    };
    const auto item_of = [&, kind = point_kind, name = field](const Point& point) -> std::optional<OutboxItem> {
      const auto value = point.payload.find(name);
      const auto* id = value == point.payload.end() ? nullptr : std::get_if<std::string>(&value->second);
      return id ? std::optional(OutboxItem{kind, *id}) : std::nullopt;
    };
    const auto written_since = [&](const std::vector<Point>& page) -> Result<std::vector<OutboxItem>> {
      std::vector<OutboxItem> items;
      for (const Point& point : page)
        if (const auto item = item_of(point); item && point.version > since) items.push_back(*item);
      return items;
    };
    const auto gone_since = [&, old = from](const std::vector<Point>& page) -> Result<std::vector<OutboxItem>> {
      std::vector<Uuid> ids;
      for (const Point& point : page) ids.push_back(point.id);
      PANDORA_TRY(known, stores_.vectors.retrieve(old, ids, Principal::system(), deadline));
      std::vector<OutboxItem> items;
      for (const Point& point : page)
        if (const auto item = item_of(point); item && std::ranges::find(known, point.id, &Point::id) == known.end())
          items.push_back(*item);
      return items;
    };
    PANDORA_CHECK(walk(from, written_since));
    PANDORA_CHECK(walk(to, gone_since));
  }
  return {};
}

Status Reindexer::drop(const PointSpace& space, const Deadline& deadline) {
  for (const auto& name : {space.turns, space.memories, space.research})
    PANDORA_CHECK(stores_.vectors.drop_collection(name, deadline));
  return {};
}

}  // namespace pandora
