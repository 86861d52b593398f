// How long a turn waits for its acknowledgement, with its rows in SQLite and in PostgreSQL, beside a bare append and
// sync of the same bytes on the same disk; the three take turns, and each turn is findable before the next is saved.
// Starts a server of its own, with syncs. PANDORA_BENCH_DIR names the directory (default: here).
//
// acknowledge_bench [turns (500)]
#include <algorithm>
#include <chrono>
#include <cstdlib>

#include <fmt/format.h>

#include "postgres/postgres_schema.h"
#include "steps.h"
#include "store_embedded/sqlite_stores.h"
#include "store_memory/memory_document_store.h"
#include "store_memory/memory_object_store.h"
#include "store_memory/memory_vector_store.h"
#include "store_server/postgres_stores.h"
#include "support/postgres_server.h"
#include "support/word_embedder.h"
#include "turns/turn_saver.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

const Deadline kNever = Deadline::never();

void show(const char* what, std::vector<double> times, double bare) {
  std::ranges::sort(times);
  const double p50 = times[times.size() / 2], p95 = times[times.size() * 95 / 100];
  fmt::print("{:44} p50 {:5.0f} µs  p95 {:5.0f} µs  = {:.2f} ×\n", what, p50, p95, p50 / bare);
}

// Rows of one kind; all that is written after the acknowledgement is in memory.
template <class Rows>
class Profile {
 public:
  Profile(FileSystem& files, const std::string& directory, Rows& rows, const Clock& clock)
      : documents_(clock),
        spaces_(make_point_space(std::shared_ptr<Embedder>(std::shared_ptr<void>(), &embedder_))),
        saver_(open(files, directory, rows, clock)) {}
  double save(const TurnRecord& record) {
    const double micros = micros_of([&] { must(saver_->save(record, {}, kNever)); });
    must(saver_->wait_findable(record.turn.uid, kNever));
    return micros;
  }

 private:
  std::unique_ptr<TurnSaver> open(FileSystem& files, const std::string& directory, Rows& rows, const Clock& clock) {
    SaverOptions options;
    options.journal_directory = directory;
    options.is_alone = [](const Deadline&) -> Result<bool> { return true; };
    const Stores stores{rows.turns(),        rows.memories(), rows.research(), rows.sources(),
                        rows.observations(), rows.instance(), rows.outbox(),   vectors_,
                        documents_,          objects_,        rows.receipts()};
    return must(TurnSaver::open(options, stores, spaces_, files, clock));
  }
  testing::WordEmbedder embedder_;
  MemoryVectorStore vectors_;
  MemoryDocumentStore documents_;
  MemoryObjectStore objects_;
  PointSpaces spaces_;
  std::unique_ptr<TurnSaver> saver_;
};

TurnRecord record(UuidV7Generator& ids, const Clock& clock, int n) {
  TurnRecord made;
  Turn& turn = made.turn;
  turn.uid = ids.next();
  turn.session = must(SessionId::parse("session"));
  turn.user = must(UserId::parse("ana"));
  turn.created_at = clock.now();
  turn.message = {Role::kUser, "", fmt::format("Which door does the {}th key fit? {}", n, std::string(200, 'x'))};
  turn.reply = Utterance{Role::kAssistant, "", fmt::format("Door {}. {}", n, std::string(400, 'y'))};
  turn.question = turn.message.text;
  turn.keywords = {"door", "key"};
  turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
  made.context.turn_uid = turn.uid;
  made.context.query = {turn.message.text, turn.question};
  made.context.replies.push_back({1, turn.model, turn.reply->text});
  return made;
}

int run(int turns) {
  const std::string directory = join_path(environment_or("PANDORA_BENCH_DIR", "."), "acknowledge_bench.tmp");
  const auto files = make_posix_file_system();
  (void)files->remove_tree(directory);
  must(files->create_directories(directory));
  const SystemClock clock;
  SystemRandom random;
  UuidV7Generator ids(clock, random);
  testing::PostgresServer server({.programs = {}, .settings = {}, .durable = true});
  PostgresOptions options;
  options.url = server.url();
  must(PostgresSchema(*must(PostgresConnection::open(options, kNever)), clock)
           .migrate(std::chrono::seconds(10), [](const auto&) {}));
  const auto postgres = PostgresStores::open(options, clock);
  const auto sqlite = must(SqliteStores::open(directory + "/pandora.db", "", clock));
  const auto bare = must(files->open(directory + "/bare.log", OpenMode::kCreateNew));
  std::vector<double> syncs, embedded_times, server_times;
  {
    Profile embedded(*files, directory + "/embedded", *sqlite, clock);
    Profile served(*files, directory + "/served", *postgres, clock);
    for (int n = 0; n < turns; ++n) {
      const std::string bytes = encode_record(record(ids, clock, n));
      syncs.push_back(micros_of([&] { must(bare->append(bytes)), must(bare->sync()); }));
      embedded_times.push_back(embedded.save(record(ids, clock, n)));
      server_times.push_back(served.save(record(ids, clock, n)));
    }
  }
  (void)files->remove_tree(directory);
  std::vector<double> sorted = syncs;
  std::ranges::sort(sorted);
  const double median = sorted[sorted.size() / 2];
  show("a bare append and sync", syncs, median);
  show("acknowledged, rows in SQLite", embedded_times, median);
  show("acknowledged, rows in PostgreSQL", server_times, median);
  return 0;
}

}  // namespace
}  // namespace pandora

int main(int argc, char** argv) { return pandora::run(argc > 1 ? std::atoi(argv[1]) : 500); }
