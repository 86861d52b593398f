#include "turns/mover.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include <fmt/format.h>

#include "base/hash.h"
#include "turns/documents.h"
#include "turns/paged_merge.h"
#include "turns/reindexer.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

constexpr std::size_t kWriters = 64;           // at once: they share commits
constexpr std::size_t kWrittenAtOnce = 4'096;  // turns, before the next are read
constexpr std::size_t kPointsAtOnce = 500;
constexpr std::size_t kVectorsAtOnce = 500;
constexpr std::size_t kReceiptsAtOnce = 100;

const Principal& system() {
  static const Principal kSystem = Principal::system();
  return kSystem;
}

// Of rows in their order.
class RowsHash {
 public:
  void add(const std::string& row) { hash_ = sha256_hex(hash_ + row); }
  const std::string& value() const { return hash_; }

 private:
  std::string hash_ = sha256_hex("");
};

// Calls work(0) … work(parts − 1) on kWriters threads; the first error is given, and ends the rest.
Status at_once(std::size_t parts, const std::function<Status(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  Status first;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < std::min(kWriters, parts); ++i)
      threads.emplace_back([&] {
        for (std::size_t part; (part = next++) < parts;) {
          const Status done = work(part);
          if (done) continue;
          const std::lock_guard lock(mutex);
          if (first) first = done;
          next = parts;
        }
      });
  }
  return first;
}

std::string name_of(const Observation& one) { return sha256_hex(dump_json(to_json(one))).substr(0, 32); }

// What both sides have of a turn: 0 when it is the same, however it is ordered.
struct ObservationSum {
  std::uint64_t high = 0, low = 0;  // of the observations' names
  std::int32_t more = 0, there = 0;
  void add(const Observation& one, int side) {  // 1: there, -1: here
    const std::string name = name_of(one);
    std::uint64_t a = 0, b = 0;
    std::from_chars(name.data(), name.data() + 16, a, 16);
    std::from_chars(name.data() + 16, name.data() + 32, b, 16);
    high += side > 0 ? a : 0 - a;
    low += side > 0 ? b : 0 - b;
    more += side;
    there += side > 0 ? 1 : 0;
  }
  bool equal() const { return high == 0 && low == 0 && more == 0; }
};

tl::unexpected<Error> stranger(const std::string& what) {
  return fail(ErrorCode::kConflict, fmt::format("the other side holds {}, which was never here", what),
              "it is of another installation, or was written to since: empty it, or move it the other way");
}

// Also when an earlier try did it, whose answer was lost.
template <class T>
Status removed(const Result<T>& result) {
  return result || result.error().code == ErrorCode::kNotFound ? Status() : Status(fail(result.error()));
}

// A source's counts of the last days follow from its attempts.
Source without_recent(Source source) {
  source.recent_successes = source.recent_failures = 0;
  return source;
}

}  // namespace

std::int64_t MovePass::changed() const {
  std::int64_t all = 0;
  for (const auto& count : counts) all += count.written + count.removed;
  return all;
}

Result<MovePass> Mover::pass(const Progress& progress, const Deadline& deadline) {
  MovePass pass;
  // Every number that was given out; and first, for a turn whose number is the next has a server's counters to itself.
  PANDORA_TRY(number, patience_.ask([&] { return from_.stores.turns.reserve_number(system(), deadline); }));
  PANDORA_CHECK(patience_.ask([&] { return to_.stores.turns.reserve_through(number, system(), deadline); }));
  PANDORA_CHECK(turns(pass, progress, deadline));
  PANDORA_CHECK(own_vectors(pass, progress, deadline));
  // As a whole: whether what failed was written is not known, and twice would be too often.
  PANDORA_CHECK(patience_.ask([&] { return observations(pass, progress, deadline); }));
  PANDORA_CHECK(memories(pass, deadline));
  PANDORA_CHECK(research(pass, deadline));
  PANDORA_CHECK(patience_.ask([&] { return sources(pass, deadline); }));
  PANDORA_CHECK(patience_.ask([&] { return keys(pass, deadline); }));
  PANDORA_CHECK(receipts(pass, progress, deadline));
  if (points_) PANDORA_CHECK(points(pass, progress, deadline));
  PANDORA_CHECK(patience_.ask([&] { return last_things(deadline); }));
  return pass;
}

Status Mover::last_things(const Deadline& deadline) {
  // By what the points were made.
  PANDORA_TRY(record, read_point_space(from_.stores.instance, from_.stores.vectors, deadline));
  if (record)
    PANDORA_CHECK(
        write_point_space(to_.stores.instance, *make_point_space(record->origin, record->suffix, nullptr), deadline));
  PANDORA_CHECK(empty_outbox(deadline));
  // The points go with it, or stay where both look for them: what is written there next must not be older than they
  // are.
  PANDORA_TRY(version, from_.stores.outbox.last_version(deadline));
  return to_.stores.outbox.versions_through(version, deadline);
}

Result<bool> Mover::was_forgotten(const Uuid& id, const Deadline& deadline) {
  return patience_.ask([&] { return from_.stores.documents.exists(tombstone_path(id), deadline); });
}

Status Mover::turns(MovePass& pass, const Progress& progress, const Deadline& deadline) {
  const auto scan = [&](MoveSide& side) {
    return PagedRows<Turn, TurnNumber>(
        [&](const std::optional<TurnNumber>& after) {
          return patience_.ask(
              [&] { return side.stores.turns.scan(after.value_or(TurnNumber{}), kMaxPage, system(), deadline); });
        },
        [](const Turn& turn) { return turn.number; });
  };
  PANDORA_TRY(all, patience_.ask([&] { return from_.stores.turns.count(system(), deadline); }));
  MoveCount count{.kind = "turns", .from_sha256 = "", .to_sha256 = ""};
  std::vector<Turn> missing, different;
  RowsHash hash;
  const auto flush = [&](bool all_of_them) -> Status {
    if (!all_of_them && missing.size() + different.size() < kWrittenAtOnce) return {};
    PANDORA_CHECK(write_turns(missing, different, deadline));
    missing.clear();
    different.clear();
    return progress("turns", count.rows, all);
  };
  const auto keep = [&](const Turn& turn, std::vector<Turn>* to) -> Status {
    pass.users.insert(turn.user);
    hash.add(dump_json(to_json(turn)));
    if (++count.rows % static_cast<std::int64_t>(kMaxPage) == 0) PANDORA_CHECK(progress("turns", count.rows, all));
    if (!to) return {};
    ++count.written;
    to->push_back(turn);
    return flush(false);
  };
  auto from = scan(from_), to = scan(to_);
  PANDORA_CHECK((merge_rows<Turn, TurnNumber>(
      from, to,
      [&](const Turn& here, const Turn& there) -> Status {
        if (here.uid == there.uid) return keep(here, here == there ? nullptr : &different);
        ++count.removed;
        PANDORA_CHECK(drop_turn(there, deadline));
        return keep(here, &missing);
      },
      [&](const Turn& here) { return keep(here, &missing); },
      [&](const Turn& there) {
        ++count.removed;
        return drop_turn(there, deadline);
      })));
  PANDORA_CHECK(flush(true));
  // What the other side gives back now.
  RowsHash there;
  for (TurnNumber after;;) {
    PANDORA_TRY(page, patience_.ask([&] { return to_.stores.turns.scan(after, kMaxPage, system(), deadline); }));
    if (page.empty()) break;
    for (const auto& turn : page) there.add(dump_json(to_json(turn)));
    after = page.back().number;
    PANDORA_CHECK(progress("turns compared", after.value, 0));
  }
  count.from_sha256 = hash.value();
  count.to_sha256 = there.value();
  pass.counts.push_back(std::move(count));
  return {};
}

// Turns of one session are committed one after the other, so those that are written at once are of different ones: the
// first of each session, then the second of each.
Status Mover::write_turns(const std::vector<Turn>& missing, const std::vector<Turn>& different,
                          const Deadline& deadline) {
  struct Write {
    const Turn* turn;
    bool is_new;
    std::size_t round;
  };
  std::vector<Write> writes;
  std::map<std::pair<UserId, SessionId>, std::size_t> rounds;
  const auto add = [&](const Turn& turn, bool is_new) {
    writes.push_back({&turn, is_new, rounds[{turn.user, turn.session}]++});
  };
  for (const auto& turn : missing) add(turn, true);
  for (const auto& turn : different) add(turn, false);
  std::ranges::stable_sort(writes, {}, &Write::round);
  return at_once(writes.size(), [&](std::size_t i) {
    return patience_.ask([&] { return write_turn(*writes[i].turn, writes[i].is_new, deadline); });
  });
}

Status Mover::write_turn(const Turn& turn, bool is_new, const Deadline& deadline) {
  if (!is_new) return to_.stores.turns.rewrite(turn, system(), deadline);
  TurnRecord record;
  record.turn = turn;
  record.context.turn_uid = turn.uid;
  // What was observed goes with it, and so is written once also when the answer is lost.
  PANDORA_TRY(observed, from_.stores.observations.list({.turn = turn.uid, .limit = kMaxPage}, system(), deadline));
  for (auto& row : observed) record.observations.push_back(std::move(row.observation));
  return to_.stores.turns.commit_turn(record, system(), deadline).map([](auto&&) {});
}

Status Mover::drop_turn(const Turn& extra, const Deadline& deadline) {
  PANDORA_TRY(forgotten, was_forgotten(extra.uid, deadline));
  if (!forgotten) return stranger(fmt::format("turn {} ({})", extra.number.value, extra.uid.to_string()));
  // Receipts first: a run that ends between the two finds the row, and comes here again.
  ForgottenRows words{{extra.uid}, {extra.message.text}};
  if (extra.reply) words.texts.push_back(extra.reply->text);
  PANDORA_CHECK(forget_receipts(words, deadline));
  PANDORA_TRY(removed, patience_.ask([&]() -> Result<RemovedTurn> {
    auto gone = to_.stores.turns.remove(extra.number, system(), deadline);
    return gone || gone.error().code != ErrorCode::kNotFound ? gone : RemovedTurn();  // an earlier try did it
  }));
  // Receipts that name these are otherwise in the source, and are made equal.
  ForgottenRows rows{std::move(removed.memories), {}};
  rows.uids.insert(rows.uids.end(), removed.research.begin(), removed.research.end());
  return forget_receipts(rows, deadline);
}

Status Mover::forget_receipts(const ForgottenRows& rows, const Deadline& deadline) {
  return patience_.ask([&] { return to_.stores.receipts.forget(rows, system(), deadline); }).map([](auto&&) {});
}

// So that a neighbour's point is made there without encoding a turn again.
Status Mover::own_vectors(MovePass& pass, const Progress& progress, const Deadline& deadline) {
  using Key = std::pair<Uuid, std::string>;
  const auto list = [&](MoveSide& side) {
    return PagedRows<KeptVector, Key>(
        [&](const std::optional<Key>& after) {
          return patience_.ask([&] { return side.vectors.list(after, kMaxPage, deadline); });
        },
        [](const KeptVector& vector) { return vector.key(); });
  };
  MoveCount count{.kind = "vectors", .from_sha256 = "", .to_sha256 = ""};
  std::vector<KeptVector> missing;
  const auto flush = [&] {
    const auto all = std::exchange(missing, {});
    return patience_.ask([&] { return to_.vectors.put(all, deadline); });
  };
  const auto keep = [&](const KeptVector& vector, bool equal) -> Status {
    if (++count.rows % static_cast<std::int64_t>(kMaxPage) == 0)
      PANDORA_CHECK(progress("vectors of turns", count.rows, 0));
    if (equal) return {};
    ++count.written;
    missing.push_back(vector);
    return missing.size() < kVectorsAtOnce ? Status() : flush();
  };
  auto from = list(from_), to = list(to_);
  PANDORA_CHECK((merge_rows<KeptVector, Key>(
      from, to, [&](const KeptVector& a, const KeptVector& b) { return keep(a, a.values == b.values); },
      [&](const KeptVector& a) { return keep(a, false); },
      [](const KeptVector&) { return Status(); })));  // of another encoder: it does no harm
  if (!missing.empty()) PANDORA_CHECK(flush());
  pass.counts.push_back(std::move(count));
  return {};
}

// They have no keys: each is there as often as in the source, in whatever order. First a sum over each turn's on both
// sides, then, of turns whose sums differ, one by one: so much is held for a turn, however many it has.
Status Mover::observations(MovePass& pass, const Progress& progress, const Deadline& deadline) {
  MoveCount count{.kind = "observations", .from_sha256 = "", .to_sha256 = ""};
  const auto walk = [&](MoveSide& side, ObservationQuery query,
                        const std::function<Status(const Observation&)>& take) -> Status {
    for (query.limit = kMaxPage;;) {
      PANDORA_TRY(page, side.stores.observations.list(query, system(), deadline));
      if (page.empty()) return {};
      for (const auto& row : page) PANDORA_CHECK(take(row.observation));
      query.after_row = page.back().row;
      if (!query.turn) PANDORA_CHECK(progress("observations", query.after_row, 0));
    }
  };
  std::vector<Observation> missing;
  const auto flush = [&]() -> Status {
    if (missing.empty()) return {};
    count.written += static_cast<std::int64_t>(missing.size());
    PANDORA_CHECK(to_.stores.observations.add(missing, deadline));
    missing.clear();
    return {};
  };
  const auto add = [&](const Observation& one) -> Status {
    missing.push_back(one);
    return missing.size() < kMaxPage ? Status() : flush();
  };

  std::unordered_map<Uuid, ObservationSum> sums;
  PANDORA_CHECK(walk(to_, {}, [&](const Observation& one) { return sums[one.turn_uid].add(one, 1), Status(); }));
  PANDORA_CHECK(walk(from_, {}, [&](const Observation& one) { return sums[one.turn_uid].add(one, -1), Status(); }));
  PANDORA_CHECK(walk(from_, {}, [&](const Observation& one) -> Status {
    ++count.rows;
    const auto sum = sums.find(one.turn_uid);
    return sum == sums.end() || sum->second.there == 0 ? add(one) : Status();  // of a turn that had none there
  }));
  for (const auto& [turn, sum] : sums) {
    if (sum.there == 0 || sum.equal()) continue;
    std::map<std::string, int> there;
    PANDORA_CHECK(walk(to_, {.turn = turn}, [&](const Observation& one) { return ++there[name_of(one)], Status(); }));
    PANDORA_CHECK(walk(from_, {.turn = turn}, [&](const Observation& one) -> Status {
      const auto found = there.find(name_of(one));
      if (found == there.end() || found->second == 0) return add(one);
      return --found->second, Status();
    }));
    if (std::ranges::all_of(there, [](const auto& one) { return one.second == 0; })) continue;
    // Forgotten since this pass looked at its turn: they go with it in the next.
    PANDORA_TRY(forgotten, was_forgotten(turn, deadline));
    if (!forgotten) return stranger("observations of turn " + turn.to_string());
    ++count.removed;
  }
  PANDORA_CHECK(flush());
  pass.counts.push_back(std::move(count));
  return {};
}

template <class Row>
struct Mover::Knowledge {
  const char *kind, *one;
  std::function<Result<std::vector<Row>>(MoveSide&, const std::optional<Uuid>& after)> page;
  std::string (*encode)(const Row&);
  std::function<Status(const Row&)> put;
  std::function<Status(const Row&)> drop_receipts;  // that name it
  std::function<Result<Row>(const Row&)> remove;
};

template <class Row>
Status Mover::knowledge(const Knowledge<Row>& of, MovePass& pass, const Deadline& deadline) {
  const auto list = [&](MoveSide& side) {
    return PagedRows<Row, Uuid>(
        [&](const std::optional<Uuid>& after) { return patience_.ask([&] { return of.page(side, after); }); },
        [](const Row& row) { return row.id; });
  };
  MoveCount count{.kind = of.kind, .from_sha256 = "", .to_sha256 = ""};
  RowsHash hash, there;
  const auto keep = [&](const Row& row, bool equal) -> Status {
    pass.users.insert(row.user);
    hash.add(of.encode(row));
    ++count.rows;
    if (equal) return {};
    ++count.written;
    return patience_.ask([&] { return of.put(row); });
  };
  auto from = list(from_), to = list(to_);
  PANDORA_CHECK((merge_rows<Row, Uuid>(
      from, to, [&](const Row& a, const Row& b) { return keep(a, a == b); },
      [&](const Row& a) { return keep(a, false); },
      [&](const Row& b) -> Status {
        PANDORA_TRY(forgotten, was_forgotten(b.id, deadline));
        if (!forgotten) return stranger(fmt::format("{} {}", of.one, b.id.to_string()));
        ++count.removed;
        PANDORA_CHECK(of.drop_receipts(b));
        return patience_.ask([&] { return removed(of.remove(b)); });
      })));
  auto again = list(to_);
  for (;;) {
    PANDORA_TRY(row, again.front());
    if (!row) break;
    there.add(of.encode(*row));
    again.pop();
  }
  count.from_sha256 = hash.value();
  count.to_sha256 = there.value();
  pass.counts.push_back(std::move(count));
  return {};
}

Status Mover::memories(MovePass& pass, const Deadline& deadline) {
  const Knowledge<Memory> memories{
      "memories",
      "memory",
      [&](MoveSide& side, const std::optional<Uuid>& after) {
        MemoryQuery query;
        query.include_superseded = true;
        query.after = after;
        return side.stores.memories.list(query, system(), deadline);
      },
      encode_memory,
      [&](const Memory& memory) { return to_.stores.memories.put(memory, {}, system(), deadline); },
      [&](const Memory& memory) { return forget_receipts({{memory.id}, {memory.content}}, deadline); },
      [&](const Memory& memory) { return to_.stores.memories.remove(memory.id, system(), deadline); }};
  return knowledge(memories, pass, deadline);
}

Status Mover::research(MovePass& pass, const Deadline& deadline) {
  const Knowledge<Research> research{
      "research",
      "research",
      [&](MoveSide& side, const std::optional<Uuid>& after) {
        ResearchQuery query;
        query.after = after;
        return side.stores.research.list(query, system(), deadline);
      },
      encode_research,
      [&](const Research& one) { return to_.stores.research.put(one, system(), deadline); },
      [&](const Research& one) { return forget_receipts({{one.id}, {}}, deadline); },
      [&](const Research& one) { return to_.stores.research.remove(one.id, system(), deadline); }};
  return knowledge(research, pass, deadline);
}

Status Mover::sources(MovePass& pass, const Deadline& deadline) {
  MoveCount count{.kind = "sources", .from_sha256 = "", .to_sha256 = ""};
  const Timestamp now = clock_.now();
  PANDORA_TRY(here, from_.stores.sources.list(now, deadline));
  PANDORA_TRY(before, to_.stores.sources.list(now, deadline));
  std::map<std::string, Source> there;
  for (const auto& source : before) there.emplace(source.domain, source);
  RowsHash hash, after;
  for (const auto& source : here) {
    ++count.rows;
    hash.add(encode_source(source));
    const auto found = there.find(source.domain);
    const bool equal = found != there.end() && without_recent(found->second) == without_recent(source);
    if (found != there.end()) there.erase(found);
    if (equal) continue;
    ++count.written;
    PANDORA_CHECK(to_.stores.sources.restore(source, deadline));
  }
  if (!there.empty()) return stranger("source " + there.begin()->first);
  PANDORA_TRY(attempts, from_.attempts.list(deadline));
  PANDORA_TRY(others, to_.attempts.list(deadline));
  if (attempts != others) {
    count.written += static_cast<std::int64_t>(attempts.size());
    PANDORA_CHECK(to_.attempts.replace(attempts, deadline));
  }
  PANDORA_TRY(read, to_.stores.sources.list(now, deadline));
  for (const auto& source : read) after.add(encode_source(source));
  count.from_sha256 = hash.value();
  count.to_sha256 = after.value();
  pass.counts.push_back(std::move(count));
  return {};
}

// A key that was removed here must open nothing there.
Status Mover::keys(MovePass& pass, const Deadline& deadline) {
  MoveCount count{.kind = "keys", .from_sha256 = "", .to_sha256 = ""};
  PANDORA_TRY(here, from_.keys.list(deadline));
  PANDORA_TRY(there, to_.keys.list(deadline));
  for (const auto& key : there) {
    const auto same = std::ranges::find(here, key.id, &ApiKey::id);
    if (same != here.end() && *same == key) continue;
    PANDORA_CHECK(to_.keys.remove(key.id, deadline));
    if (same == here.end()) ++count.removed;
  }
  for (const auto& key : here) {
    ++count.rows;
    if (std::ranges::find(there, key) != there.end()) continue;
    ++count.written;
    PANDORA_CHECK(to_.keys.add(key, deadline));
  }
  pass.counts.push_back(std::move(count));
  return {};
}

Status Mover::receipts(MovePass& pass, const Progress& progress, const Deadline& deadline) {
  MoveCount count{.kind = "receipts", .from_sha256 = "", .to_sha256 = ""};
  for (ReceiptQuery query;;) {
    query.limit = kReceiptsAtOnce;
    PANDORA_TRY(page, patience_.ask([&] { return from_.stores.receipts.list(query, system(), deadline); }));
    if (page.empty()) break;
    std::vector<RecallReceipt> missing;
    for (const auto& receipt : page) {
      ++count.rows;
      const auto there = patience_.ask([&] { return to_.stores.receipts.find(receipt.id, system(), deadline); });
      if (!there && there.error().code != ErrorCode::kNotFound) return fail(there.error());
      if (!there || !(*there == receipt)) missing.push_back(receipt);
    }
    count.written += static_cast<std::int64_t>(missing.size());
    if (!missing.empty())
      PANDORA_CHECK(patience_.ask([&] { return to_.stores.receipts.put(missing, system(), deadline); }));
    query.before = page.back().id;
    PANDORA_CHECK(progress("receipts", count.rows, 0));
  }
  pass.counts.push_back(std::move(count));
  return {};
}

Status Mover::points(MovePass& pass, const Progress& progress, const Deadline& deadline) {
  MoveCount count{.kind = "points", .from_sha256 = "", .to_sha256 = ""};
  PANDORA_TRY(record,
              patience_.ask([&] { return read_point_space(from_.stores.instance, from_.stores.vectors, deadline); }));
  if (record)
    for (const auto& spec : collection_specs(*make_point_space(record->origin, record->suffix, nullptr)))
      PANDORA_CHECK(collection(spec, count, progress, deadline));
  pass.counts.push_back(std::move(count));
  return {};
}

Status Mover::collection(const CollectionSpec& spec, MoveCount& count, const Progress& progress,
                         const Deadline& deadline) {
  VectorStore &here = from_.stores.vectors, &there = to_.stores.vectors;
  PANDORA_TRY(known, patience_.ask([&] { return here.collections(deadline); }));
  if (std::ranges::find(known, spec.name, &CollectionSpec::name) == known.end()) return {};  // nothing was ever found
  PANDORA_CHECK(patience_.ask([&] { return there.ensure_collection(spec, deadline); }));
  const auto scroll = [&](VectorStore& store) {
    return PagedRows<Point, Uuid>(
        [&](const std::optional<Uuid>& after) {
          return patience_.ask([&] { return store.scroll(spec.name, {}, after, kMaxPage, system(), deadline); });
        },
        [](const Point& point) { return point.id; });
  };
  std::vector<Uuid> missing, extra;
  const auto flush = [&](std::size_t from) -> Status {
    if (missing.size() >= from && !missing.empty()) {
      PANDORA_TRY(found, patience_.ask([&] { return here.retrieve(spec.name, missing, system(), deadline); }));
      PANDORA_CHECK(
          patience_.ask([&] { return there.upsert(spec.name, found, system(), deadline); }).map([](auto&&) {}));
      missing.clear();
    }
    if (extra.size() >= from && !extra.empty()) {
      PANDORA_CHECK(
          patience_.ask([&] { return there.remove(spec.name, extra, system(), deadline); }).map([](auto&&) {}));
      extra.clear();
    }
    return {};
  };
  const auto keep = [&](const Point& point, bool equal) -> Status {
    if (++count.rows % static_cast<std::int64_t>(kMaxPage) == 0) PANDORA_CHECK(progress("points", count.rows, 0));
    if (equal) return {};
    ++count.written;
    missing.push_back(point.id);
    return flush(kPointsAtOnce);
  };
  auto from = scroll(here), to = scroll(there);
  PANDORA_CHECK((merge_rows<Point, Uuid>(
      from, to,
      [&](const Point& a, const Point& b) { return keep(a, a.version == b.version && a.payload == b.payload); },
      [&](const Point& a) { return keep(a, false); },
      [&](const Point& b) -> Status {
        ++count.removed;  // points are made of rows: one without has no right to be there
        extra.push_back(b.id);
        return flush(kPointsAtOnce);
      })));
  return flush(0);
}

// What they ask for is done: files and points of the source were up to date when its rows were read.
Status Mover::empty_outbox(const Deadline& deadline) {
  constexpr Duration kLease = std::chrono::seconds(60);
  PANDORA_CHECK(to_.stores.outbox.release("move", deadline));  // what a claim took whose answer was lost
  for (;;) {
    PANDORA_TRY(entries, to_.stores.outbox.claim("move", kLease, kMaxClaim, deadline));
    if (entries.empty()) return {};
    PANDORA_CHECK(to_.stores.outbox.ack_all(entries, deadline).map([](auto&&) {}));
  }
}

}  // namespace pandora
