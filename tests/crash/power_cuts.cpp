#include <cstdio>
#include <set>

#include <fmt/format.h>

#include "crash/crash_driver.h"
#include "support/forwarding_file_system.h"
#include "turns/documents.h"
#include "turns/world.h"

namespace pandora::crash {
namespace {

constexpr int kLives = 8;  // crashes of one installation before a fresh one is begun
constexpr int kTurnsALife = 6;
constexpr std::uint64_t kLongestLife = 600;  // operations on the disk

// Says that it synced, and did not: what a forgotten fdatasync would be.
class UnsyncedFile final : public testing::ForwardingFile {
 public:
  using ForwardingFile::ForwardingFile;
  Status sync() override { return {}; }
};

class UnsyncedFileSystem final : public testing::ForwardingFileSystem {
 public:
  using ForwardingFileSystem::ForwardingFileSystem;
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    PANDORA_TRY(file, files_.open(path, mode));
    return std::make_unique<UnsyncedFile>(std::move(file));
  }
};

// One installation and what it acknowledged.
class Installation {
 public:
  Installation(std::uint64_t seed, JournalSync sync, Tally& tally)
      : random_(seed), unsynced_(world_.files), seed_(seed), tally_(tally) {
    if (sync == JournalSync::kRemoved) world_.journal_files = &unsynced_;
  }

  void live_and_die(bool first) {
    if (!first) world_.files.die_after(random_.below(kLongestLife));  // also while it starts
    if (world_.start()) work();
    world_.crash(random_);
    ++tally_.kills;
  }

  void compare() {
    if (const Status started = world_.start(); !started) return refused(started.error());
    if (const Status drained = world_.saver->drain(world_.soon()); !drained) return refused(drained.error());
    const auto quiet = [](auto, auto) { return Status(); };
    if (const auto repaired = world_.reconciler->run(Apply::kApply, quiet, world_.soon()); !repaired)
      return refused(repaired.error());
    const auto report = world_.reconciler->run(Apply::kDryRun, quiet, world_.soon());
    if (!report) return refused(report.error());
    for (const auto& difference : report->differences) {
      fmt::print("seed {}: {}: {}\n", seed_, difference.kind, difference.what);
      ++tally_.differences;
    }
    count_turns();
    compare_searches();
    world_.stop();
  }

 private:
  void refused(const Error& error) {
    fmt::print("seed {}: refused: {}\n", seed_, error.to_line());
    ++tally_.refused_starts;
    world_.stop();
  }

  void work() {
    for (int i = 0; i < kTurnsALife && !world_.files.dead(); ++i) {
      auto record = world_.record(fmt::format("s{}", i % 2), fmt::format("Message {}", random_.next()), "Reply");
      if (random_.below(3) == 0)
        record.memories.push_back(world_.memory(record.turn, fmt::format("Memory {}", random_.next())));
      if (world_.saver->save(record, world_.soon())) acknowledged_.push_back(record);
      switch (random_.below(8)) {
        case 0:
          (void)world_.saver->checkpoint(Deadline::after(world_.clock, std::chrono::milliseconds(200)));
          break;
        case 1:
          change_one();
          break;
        case 2:
          forget_one();
          break;
        default:
          break;
      }
    }
  }

  void change_one() {
    if (acknowledged_.empty()) return;
    const auto& record = acknowledged_[random_.below(acknowledged_.size())];
    const auto number =
        world_.saver->wait_findable(record.turn.uid, Deadline::after(world_.clock, std::chrono::milliseconds(100)));
    if (number)
      (void)world_.rows->turns().change(*number, {.rejected = random_.below(2) == 0, .archived = random_.below(3) == 0},
                                        Principal::system(), world_.soon());
  }

  // A forgetting that was reported must hold; one that was not may have happened or not.
  void forget_one() {
    if (acknowledged_.empty()) return;
    const std::size_t at = random_.below(acknowledged_.size());
    const Uuid uid = acknowledged_[at].turn.uid;
    const auto number = world_.saver->wait_findable(uid, Deadline::after(world_.clock, std::chrono::milliseconds(100)));
    if (!number) return;
    acknowledged_.erase(acknowledged_.begin() + static_cast<std::ptrdiff_t>(at));
    const auto report = world_.forgetting->forget_turn(*number, Principal::system(),
                                                       Deadline::after(world_.clock, std::chrono::milliseconds(500)));
    (report ? forgotten_ : uncertain_).insert(uid);
  }

  void count_turns() {
    std::map<Uuid, int> seen;
    std::set<std::int64_t> numbers;
    TurnNumber after;
    for (;;) {
      const auto page = world_.rows->turns().scan(after, kMaxPage, Principal::system(), world_.soon());
      if (!page || page->empty()) break;
      for (const auto& turn : *page) {
        after = turn.number;
        ++seen[turn.uid];
        if (!numbers.insert(turn.number.value).second) ++tally_.doubled;
      }
    }
    for (const auto& record : acknowledged_) {
      ++tally_.acknowledged;
      const int times = seen[record.turn.uid];
      const bool whole = times == 1 && has_its_files(record);
      if (!whole)
        fmt::print("seed {}: {} {}\n", seed_, record.turn.message.text,
                   times == 0  ? "is lost"
                   : times > 1 ? "is doubled"
                               : "has no whole files");
      if (times == 0 || (times == 1 && !whole)) ++tally_.lost;
      if (times > 1) ++tally_.doubled;
    }
    for (const Uuid& uid : forgotten_)
      if (seen[uid] != 0) {
        fmt::print("seed {}: {} was forgotten and is back\n", seed_, uid.to_string());
        ++tally_.differences;
      }
  }

  // What derived files give must be what the rows give.
  void compare_searches() {
    const std::string copy = "/data/copy.db";
    if (const Status copied = world_.vectors->snapshot(std::string(kTurnsCollection), copy, world_.soon()); !copied)
      return refused_search(copied.error());
    {
      auto rows = SqliteVectorStore::open(copy, world_.vfs.name(), world_.clock);
      if (!rows) return refused_search(rows.error());
      for (const TurnRecord& record : acknowledged_) {
        const std::string_view text = record.turn.message.text;
        const auto vector = world_.embedder.embed({&text, 1}, TextRole::kQuestion, world_.soon());
        for (const bool by_words : {false, true}) {
          PointQuery query{.vector = by_words ? std::string(kLexicalVector) : std::string(),
                           .nearest = vector->front()};
          if (by_words) query.nearest = query_weights(text);
          const auto here = search(*world_.vectors, query), there = search(**rows, query);
          if (here == there && !here.empty()) continue;
          fmt::print("seed {}: {}: {} by {} are not what the rows give\n", seed_, text, here.size(),
                     by_words ? "words" : "meaning");
          ++tally_.differences;
        }
      }
    }
    Connection::remove_file(copy, world_.vfs.name());
  }
  void refused_search(const Error& error) {
    fmt::print("seed {}: searches cannot be compared: {}\n", seed_, error.to_line());
    ++tally_.differences;
  }
  std::vector<std::pair<Uuid, float>> search(VectorStore& store, const PointQuery& query) {
    std::vector<std::pair<Uuid, float>> found;
    if (const auto points = store.query(std::string(kTurnsCollection), query, Principal::system(), world_.soon()))
      for (const auto& point : *points) found.emplace_back(point.id, point.score);
    return found;
  }

  bool has_its_files(const TurnRecord& record) {
    const auto rows = world_.rows->turns().find_all({&record.turn.uid, 1}, Principal::system(), world_.soon());
    if (!rows || rows->size() != 1 || rows->front().message != record.turn.message ||
        rows->front().reply != record.turn.reply)
      return false;
    const auto& turn = rows->front();
    return read_turn_folder(*world_.documents,
                            turn.archived ? archived_turn_folder(turn.number) : turn_folder(turn.number), world_.soon())
        .has_value();
  }

  SeededRandom random_;
  pandora::testing::World world_{"crash-driver"};
  UnsyncedFileSystem unsynced_;
  const std::uint64_t seed_;
  Tally& tally_;
  std::vector<TurnRecord> acknowledged_;
  std::set<Uuid> forgotten_, uncertain_;
};

}  // namespace

Tally cut_power(std::int64_t kills, std::uint64_t seed, JournalSync sync) {
  Tally tally;
  for (std::uint64_t round = 0; tally.kills < kills; ++round) {
    Installation installation(seed + round, sync, tally);
    for (int life = 0; life < kLives && tally.kills < kills; ++life) installation.live_and_die(life == 0);
    installation.compare();
    if (sync == JournalSync::kRemoved && tally.lost > 0) break;  // caught
    fmt::print(stderr, "\r{} of {} power cuts", tally.kills, kills);
    std::fflush(stderr);
  }
  fmt::print(stderr, "\n");
  return tally;
}

}  // namespace pandora::crash
