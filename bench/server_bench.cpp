// The SQL part of a save on PostgreSQL, beside one bare INSERT on the same server in the same run; and what many
// writers get beside one, of saves and of bare INSERTs; of both the processor's time of the server, which says the same
// on a busy machine. Starts servers of its own, with syncs: one on this machine's disk as it is, and one each of whose
// syncs takes as long as on a slower disk (slow_sync.cpp).
//
// server_bench [rounds (20)] [seconds (5) of each rate] [microseconds (400) of a slower disk's sync, at least; 0: none]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "postgres/postgres_schema.h"
#include "steps.h"
#include "store_server/postgres_stores.h"
#include "support/postgres_server.h"

namespace pandora {
namespace {

constexpr int kEach = 50;  // of one round
constexpr int kWriters = 64;
const Deadline kNever = Deadline::never();
constexpr std::string_view kBareInsert = "INSERT INTO bare (text) VALUES ($1)";

// What a server's process has had of the processor since it began.
double processor_micros(std::int64_t process) {
  double nanos = 0;
  std::ifstream("/proc/" + std::to_string(process) + "/schedstat") >> nanos;
  return nanos / 1e3;
}

double at(std::vector<double>& times, double part) {
  std::ranges::sort(times);
  return times[static_cast<std::size_t>(part * static_cast<double>(times.size() - 1))];
}

// As a turn of a conversation is: two messages, ten keywords, an observation a phase.
TurnRecord record(UuidV7Generator& ids, const Clock& clock, const std::string& session, int n) {
  TurnRecord made;
  Turn& turn = made.turn;
  turn.uid = ids.next();
  turn.session = must(SessionId::parse(session));
  turn.user = must(UserId::parse("ana"));
  turn.created_at = clock.now();
  turn.message = {
      Role::kUser, "",
      fmt::format("What did I say about the {}th key, and which door does it fit? {}", n, std::string(200, 'x'))};
  turn.reply = Utterance{Role::kAssistant, "",
                         fmt::format("On Tuesday you said that it fits door {}. {}", n, std::string(400, 'y'))};
  turn.question = turn.message.text;
  turn.summary = "about a key";
  turn.topic = "key door tuesday";
  for (int i = 0; i < 10; ++i) turn.keywords.push_back(fmt::format("word{}", (n * 7 + i * 13) % 5'000));
  turn.model = "a-model";
  turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
  for (int phase = 0; phase < 8; ++phase)
    made.observations.push_back({turn.uid, ObservationKind::kPhase, fmt::format("phase {}", phase), clock.now(), 1'000,
                                 10, 20, true, "", std::nullopt});
  return made;
}

// Each a template: what one writer saves again and again differs in its ids only, and making it is none of the store's
// work.
void stamp(TurnRecord& record, UuidV7Generator& ids) {
  record.turn.uid = ids.next();
  for (Observation& one : record.observations) one.turn_uid = record.turn.uid;
}

// What so many writers get done by `work` of writer and time.
template <class Work>
double a_second(int writers, int seconds, Work work) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < writers; ++writer)
    threads.emplace_back([&, writer] {
      for (int n = 0; std::chrono::steady_clock::now() < end; ++n, ++done) work(writer, n);
    });
  for (auto& thread : threads) thread.join();
  return static_cast<double>(done) / seconds;
}

double turns_a_second(PostgresStores& stores, int writers, int seconds) {
  constexpr int kTemplates = 32;  // of a writer
  const SystemClock clock;
  SystemRandom random;
  UuidV7Generator ids(clock, random);
  std::vector<TurnRecord> records;
  for (int i = 0; i < writers * kTemplates; ++i)
    records.push_back(record(ids, clock, fmt::format("writer-{}", i / kTemplates), i));
  return a_second(writers, seconds, [&](int writer, int n) {
    TurnRecord& one = records[static_cast<std::size_t>(writer * kTemplates + n % kTemplates)];
    stamp(one, ids);
    must(stores.turns().commit_turn(one, Principal::of(one.turn.user), kNever));
  });
}

double inserts_a_second(const PostgresOptions& options, int writers, int seconds, const std::string& text) {
  std::vector<std::unique_ptr<PostgresConnection>> connections;
  for (int writer = 0; writer < writers; ++writer)
    connections.push_back(must(PostgresConnection::open(options, kNever)));
  return a_second(writers, seconds, [&](int writer, int) {
    must(connections[static_cast<std::size_t>(writer)]->query(kBareInsert, text));
  });
}

// Of 8 KiB in that folder, written over again and again as a server's log is.
double sync_of_disk(const std::string& folder) {
  const int file = ::open((folder + "/sync").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const std::string page(8192, 'x');
  std::vector<double> times;
  for (int i = 0; i < 200; ++i)
    times.push_back(micros_of([&] {
      if (::pwrite(file, page.data(), page.size(), 0) < 0 || ::fdatasync(file) != 0) {
        std::perror(folder.c_str());
        std::exit(1);
      }
    }));
  ::close(file);
  return at(times, 0.5);
}

// `sync`: microseconds that each of the server's takes at least; 0: what the disk takes.
void measure(int rounds, int seconds, int sync) {
  ::setenv("PANDORA_SYNC_MICROS", std::to_string(sync).c_str(), 1);
  // As a server looks after its tables by itself.
  testing::PostgresServer server({.programs = {},
                                  .settings = {"max_connections=200", "autovacuum_naptime=1min"},
                                  .durable = true,
                                  .password = {},
                                  .preload = sync > 0 ? PANDORA_SLOW_SYNC : ""});
  if (sync > 0)
    fmt::print("\na disk whose sync takes {} µs at least\n", sync);
  else
    fmt::print("this disk: a write and sync take {:.0f} µs\n", sync_of_disk(server.socket_folder()));
  PostgresOptions options;
  options.url = server.url();
  options.connections = kWriters;
  const SystemClock clock;
  const auto bare = must(PostgresConnection::open(options, kNever));
  must(PostgresSchema(*bare, clock).migrate(std::chrono::seconds(10), [](const auto&) {}));
  must(bare->script("CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL)"));
  const auto stores = PostgresStores::open(options, clock);
  SystemRandom random;
  UuidV7Generator ids(clock, random);

  std::vector<double> inserts, saves;
  const std::string text(1'000, 'x');
  std::int64_t of_bare = 0, of_saves = 0;
  double bare_began = 0, saves_began = 0;
  for (int round = 0; round <= rounds; ++round) {
    std::vector<double> some_inserts, some_saves;
    for (int i = 0; i < kEach; ++i) {
      some_inserts.push_back(micros_of([&] { must(bare->query(kBareInsert, text)); }));
      const TurnRecord one = record(ids, clock, fmt::format("session-{}", round), round * kEach + i);
      some_saves.push_back(
          micros_of([&] { must(stores->turns().commit_turn(one, Principal::of(one.turn.user), kNever)); }));
    }
    if (round == 0) {  // statements are prepared, caches filled; statistics are as autovacuum makes them
      must(bare->script("ANALYZE"));
      of_bare = must(bare->query("SELECT pg_backend_pid()")).integer(0, 0);
      of_saves = must(bare->query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
                                  " AND pid <> pg_backend_pid()"))
                     .integer(0, 0);
      bare_began = processor_micros(of_bare);
      saves_began = processor_micros(of_saves);
      continue;
    }
    inserts.insert(inserts.end(), some_inserts.begin(), some_inserts.end());
    saves.insert(saves.end(), some_saves.begin(), some_saves.end());
  }
  const double rows = rounds * kEach, of_insert = (processor_micros(of_bare) - bare_began) / rows,
               of_save = (processor_micros(of_saves) - saves_began) / rows;
  const double insert = at(inserts, 0.5), save = at(saves, 0.5);
  if (insert < sync) {
    fmt::print(stderr, "the server did not load {}: its syncs are the disk's\n", PANDORA_SLOW_SYNC);
    std::exit(1);
  }
  fmt::print("one bare INSERT … COMMIT  p50 {:.0f} µs  p95 {:.0f} µs\n", insert, at(inserts, 0.95));
  fmt::print("the SQL part of a save    p50 {:.0f} µs  p95 {:.0f} µs  = {:.2f} × (wanted: at most 1.5)\n", save,
             at(saves, 0.95), save / insert);
  fmt::print("of the server's processor  an INSERT {:.0f} µs, a save {:.0f} µs = {:.1f} ×\n", of_insert, of_save,
             of_save / of_insert);
  const double one = turns_a_second(*stores, 1, seconds), many = turns_a_second(*stores, kWriters, seconds);
  fmt::print("1 writer {:.0f} turns/s, {} writers {:.0f} turns/s = {:.1f} × (wanted: at least 5)\n", one, kWriters,
             many, many / one);
  const double bare_one = inserts_a_second(options, 1, seconds, text),
               bare_many = inserts_a_second(options, kWriters, seconds, text);
  fmt::print("bare INSERTs: 1 writer {:.0f} a second, {} writers {:.0f} = {:.1f} ×\n", bare_one, kWriters, bare_many,
             bare_many / bare_one);
}

int run(int rounds, int seconds, int slower) {
  if (rounds < 1 || seconds < 1 || slower < 0) {
    fmt::print(stderr, "usage: server_bench [rounds] [seconds] [microseconds of a slower disk's sync; 0: none]\n");
    return 2;
  }
  measure(rounds, seconds, 0);
  if (slower > 0) measure(rounds, seconds, slower);
  return 0;
}

}  // namespace
}  // namespace pandora

int main(int argc, char** argv) {
  const auto given = [&](int place, int otherwise) { return argc > place ? std::atoi(argv[place]) : otherwise; };
  return pandora::run(given(1, 20), given(2, 5), given(3, 400));
}
