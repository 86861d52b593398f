// An installation on the disk that forgets: real stores, real saver; only the disk, the clock and the encoder are
// doubles.
#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "base/hash.h"
#include "domain/derive.h"
#include "store_embedded/directory_document_store.h"
#include "store_embedded/directory_object_store.h"
#include "store_embedded/sqlite_stores.h"
#include "store_embedded/sqlite_vector_store.h"
#include "support/fault_file_system.h"
#include "support/sqlite_fault_vfs.h"
#include "support/word_embedder.h"
#include "turns/forgetting.h"
#include "turns/reconciler.h"
#include "turns/reindexer.h"
#include "turns/turn_saver.h"

namespace pandora::testing {

// The wall clock of the machine, so that leases of a process that died run out when the test says so.
class ShiftedClock final : public Clock {
 public:
  Timestamp now() const override { return system_.now() + Duration(shift.load()); }
  SteadyTime steady() const override { return system_.steady(); }
  std::atomic<std::int64_t> shift = 0;

 private:
  SystemClock system_;
};

class World {
 public:
  explicit World(std::string name = "world") : vfs(files, std::move(name)) {}

  Status start() {
    PANDORA_CHECK(files.create_directories("/data/docs"));  // as whoever makes a data directory does, durably
    PANDORA_CHECK(files.sync_directory("/"));
    PANDORA_CHECK(files.sync_directory("/data"));
    PANDORA_TRY(opened_rows, SqliteStores::open("/data/pandora.db", vfs.name(), clock));
    rows = std::move(opened_rows);
    if (around_turns) turns = around_turns(rows->turns());
    PANDORA_TRY(opened_vectors, SqliteVectorStore::open("/data/vectors.db", vfs.name(), clock, indexed));
    vectors = std::move(opened_vectors);
    // SQLite on a real disk syncs the name of a new write-ahead log with its content; the double leaves that to us.
    PANDORA_CHECK(files.sync_directory("/data"));
    PANDORA_TRY(opened_documents, DirectoryDocumentStore::open(files, "/data/docs", clock));
    documents = std::move(opened_documents);
    PANDORA_TRY(opened_objects, DirectoryObjectStore::open(files, "/data/objects"));
    objects = std::move(opened_objects);
    PANDORA_TRY(record, read_point_space(rows->instance(), *vectors, soon()));
    const auto made_by = encoder_named(record ? record->origin.embedder.model : embedder.identity().model);
    auto space = record ? make_point_space(record->origin, record->suffix, made_by) : make_point_space(made_by);
    PANDORA_CHECK(write_point_space(rows->instance(), *space, soon()));
    PANDORA_CHECK(tidy_collections(*vectors, *space, soon()).map([](int) {}));
    PANDORA_CHECK(drop_former_vectors(rows->turns(), rows->instance(), *space, soon()));
    spaces = std::make_unique<PointSpaces>(std::move(space));
    SaverOptions options;
    options.journal_directory = "/data/journal";
    options.checkpoint_interval = checkpoint_interval;
    options.max_pending = max_pending;
    options.max_held_bytes = max_held_bytes;
    options.segment_bytes = segment_bytes;
    options.stuck_after = stuck_after;
    options.seen_by_others = std::chrono::minutes(1);  // of a machine that has other things to do
    options.is_alone = is_alone;
    PANDORA_TRY(opened_saver, TurnSaver::open(options, stores(), *spaces, *journal_files, clock));
    saver = std::move(opened_saver);
    forgetting = std::make_unique<Forgetting>(stores(), *saver, files, clock, "/data/journal",
                                              [this](const Deadline& deadline) -> Status {
                                                PANDORA_CHECK(rows->database().checkpoint(deadline));
                                                PANDORA_CHECK(vectors->database().checkpoint(deadline));
                                                return vectors->purge(deadline);
                                              });
    reconciler = std::make_unique<Reconciler>(stores(), *spaces, *saver, *forgetting, clock);
    return {};
  }
  void stop() {
    reconciler.reset(), forgetting.reset(), saver.reset(), spaces.reset(), objects.reset(), documents.reset(),
        vectors.reset(), turns.reset(), rows.reset();
  }
  Status restart() {
    stop();
    clock.shift += 120'000'000;  // past every lease
    return start();
  }
  void crash(Random& random) {
    stop();
    files.crash(random);
    vfs.forget();
    clock.shift += 120'000'000;
  }

  // Of the two that there are; both outlive the stores.
  std::shared_ptr<Embedder> encoder_named(const std::string& model) {
    WordEmbedder& named = model == other_embedder.identity().model ? other_embedder : embedder;
    return {std::shared_ptr<void>(), &named};
  }

  Stores stores() {
    return {turns ? *turns : rows->turns(),
            rows->memories(),
            rows->research(),
            rows->sources(),
            rows->observations(),
            rows->instance(),
            rows->outbox(),
            *vectors,
            *documents,
            *objects,
            receipts ? *receipts : rows->receipts()};
  }
  Deadline soon() const { return Deadline::after(clock, std::chrono::seconds(30)); }

  TurnRecord record(const std::string& session, const std::string& message, const std::string& reply) {
    TurnRecord record;
    Turn& turn = record.turn;
    turn.uid = ids.next();
    turn.session = SessionId::parse(session).value();
    turn.user = UserId::parse("ana").value();
    turn.created_at = clock.now();
    turn.message = {Role::kUser, "", message};
    turn.reply = Utterance{Role::kAssistant, "", reply};
    turn.model = "a-model";
    derive_fields(turn, {}, {});
    turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
    record.context.turn_uid = turn.uid;
    record.context.query = {message, turn.question};
    record.context.replies.push_back({1, turn.model, reply});
    record.observations.push_back(
        {turn.uid, ObservationKind::kTurn, "turn", turn.created_at, 1'000, 10, 20, true, "", 0.75});
    return record;
  }
  Memory memory(const Turn& turn, const std::string& content) {
    Memory memory;
    memory.id = ids.next();
    memory.user = turn.user;
    memory.content = content;
    memory.source_turn = turn.uid;
    memory.created_at = turn.created_at;
    return memory;
  }
  Research research(const Turn& turn, const std::string& topic) {
    Research research;
    research.id = ids.next();
    research.user = turn.user;
    research.source_turn = turn.uid;
    research.primary_topic = topic;
    research.findings.push_back({"it costs " + topic, ContentType::kPrice, 0.7, {"example.com"}});
    research.created_at = turn.created_at;
    research.expires_at = turn.created_at + std::chrono::hours(24);
    return research;
  }

  FaultFileSystem files;
  VectorStoreOptions indexed{.files = &files, .tail_points = 4, .least_at_end = 1};  // files often
  ReceiptStore* receipts = nullptr;                                                  // in place of the one of the rows
  FileSystem* journal_files = &files;  // a canary puts one here that lies about its syncs
  SqliteFaultVfs vfs;
  ShiftedClock clock;
  SeededRandom id_random{42};
  UuidV7Generator ids{clock, id_random};
  WordEmbedder embedder;
  WordEmbedder other_embedder{{"other words", "7", 24}};  // that a reindex moves to
  Duration checkpoint_interval = std::chrono::hours(1);
  std::size_t max_pending = 10'000;
  std::size_t max_held_bytes = 512u << 20, segment_bytes = 64u << 20;
  std::function<Result<bool>(const Deadline&)> is_alone;
  Duration stuck_after = std::chrono::seconds(5);

  std::function<std::unique_ptr<TurnStore>(TurnStore&)> around_turns;  // of those of the rows; none: themselves
  std::unique_ptr<SqliteStores> rows;
  std::unique_ptr<TurnStore> turns;  // null: those of the rows
  std::unique_ptr<SqliteVectorStore> vectors;
  std::unique_ptr<DocumentStore> documents;
  std::unique_ptr<ObjectStore> objects;
  std::unique_ptr<PointSpaces> spaces;
  std::unique_ptr<TurnSaver> saver;
  std::unique_ptr<Forgetting> forgetting;
  std::unique_ptr<Reconciler> reconciler;
};

}  // namespace pandora::testing
