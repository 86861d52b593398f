#include "cli/installation.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/admission.h"
#include "cli/installation_metrics.h"
#include "cli/program.h"
#include "cli/stack/sleeping_servers.h"
#include "cli/storage/move_places.h"
#include "cli/storage/served_points.h"
#include "cli/storage/shared_cache.h"
#include "cli/toolbox.h"
#include "embed/embedders.h"
#include "embed/vector_cache.h"
#include "metrics/measured_chat_model.h"
#include "metrics/measured_embedder.h"
#include "models/openai_chat_model.h"
#include "net/io_threads.h"
#include "recall/cached_research.h"
#include "recall/receipt_queue.h"
#include "service/local_service.h"
#include "turns/journal_id.h"
#include "turns/reindexer.h"

namespace pandora {
namespace {

constexpr Duration kOwnerWait = std::chrono::seconds(5);       // for an owner that is just starting or ending
constexpr Duration kServerPatience = std::chrono::seconds(5);  // for a server of points, at the start
constexpr Duration kOwnerPoll = std::chrono::milliseconds(50);
constexpr Duration kCatchUp = std::chrono::seconds(10);  // for what a crash left to be done
constexpr Duration kClockMayDiffer =
    std::chrono::hours(24);  // from the newest turn's time; an import may be of tomorrow elsewhere
constexpr Duration kFormerVectorsPatience = std::chrono::seconds(1);  // of a start; the next one goes on
constexpr Duration kAttendPatience = std::chrono::seconds(2);         // for what is done again and again
constexpr std::int64_t kLookAhead = 8;                                // numbers may have gaps
constexpr Duration kLeave = std::chrono::seconds(3);                  // at the end, for files and points
constexpr int kMostIoThreads = 4;                                     // they only move bytes

Result<std::shared_ptr<Embedder>> open_embedder(const Config& config, const std::string& model) {
  if (model == "hashing") return std::shared_ptr<Embedder>(make_hashing_embedder());
  if (model.find('/') != std::string::npos)
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" names no encoder", model), "see encoder.model");
  PANDORA_TRY(opened, open_bert_embedder(join_path(models_directory(config), model)));
  return std::shared_ptr<Embedder>(std::move(opened));
}

// The encoder that points were made by; when it is not to be had, one that says so.
Result<std::shared_ptr<Embedder>> open_embedder_of(const Config& config, const EmbedderIdentity& made_by) {
  auto opened = open_embedder(config, made_by.model);
  if (opened && (*opened)->identity() == made_by) return opened;
  const std::string& wanted = config.string("encoder.model");
  const Error why(ErrorCode::kIncompatible,
                  opened ? fmt::format("the points were made by {}@{}; now its revision is {}", made_by.model,
                                       made_by.revision, (*opened)->identity().revision)
                         : opened.error().message,
                  "run `pandora reindex`");
  log_warn("start.encoder_missing", {{"why", why.message}, {"remedy", why.remedy}});
  std::shared_ptr<Embedder> counts = opened ? *std::move(opened) : nullptr;
  if (!counts) {
    PANDORA_TRY(other, open_embedder(config, wanted));
    counts = std::move(other);
  }
  return std::shared_ptr<Embedder>(make_missing_embedder(made_by, why, std::move(counts)));
}

std::string host_name() {
  char host[256] = "";
  (void)::gethostname(host, sizeof host - 1);
  return host;
}

// Does its work from time to time, on a thread of its own, until it goes.
class Repeated {
 public:
  Repeated(Duration every, std::function<void()> work)
      : thread_([this, every, work = std::move(work)] {
          std::unique_lock lock(mutex_);
          while (!wake_.wait_for(lock, every, [this] { return ended_; })) {
            lock.unlock();
            work();
            lock.lock();
          }
        }) {}
  ~Repeated() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
  std::thread thread_;
};

class Owner final : public Installation {
 public:
  Owner(std::unique_ptr<FileSystem> files, std::unique_ptr<FileLock> lock)
      : files_(std::move(files)), lock_(std::move(lock)) {}

  // What is acknowledged is safe; this only makes files and points whole while nobody works on them. Bounded: what is
  // not done then is done by the next owner.
  ~Owner() override {
    server_.reset();
    attending_.reset();
    if (toolbox_) toolbox_->disconnect();
    if (keys_)
      if (const Status written = keys_->write_uses(Deadline::after(clock_, kLeave)); !written)
        log_info("end.uses_not_written", {{"why", written.error().to_line()}});
    if (!saver_) return;
    const Status whole = saver_->checkpoint(Deadline::after(clock_, kLeave));
    if (!whole) log_info("end.behind", {{"why", whole.error().to_line()}});
    if (JournalRegister* journals = storage_->journals())
      (void)(whole ? journals->remove(journal_.id, Deadline::after(clock_, kLeave))
                   : register_journal(saver_->pending()));
  }

  Status wire(const Config& config, const DataPaths& paths, const OpenOptions& options) {
    PANDORA_TRY(id, journal_id(*files_, paths.journal, ids_));
    journal_ = {id, host_name(), paths.root};
    PANDORA_TRY(storage, open_storage(*files_, config, paths, {options.damage, options.thorough, id}, clock_));
    storage_ = std::move(storage);
    PANDORA_TRY(cache, open_cache(config, clock_));
    cache_ = std::move(cache);
    Cache* const shared = cache_->may_wait() ? cache_.get() : nullptr;  // with other processes
    board_ = std::make_unique<TurnBoard>(shared, journal_.id, clock_);
    const Stores kept = storage_->stores();
    PANDORA_CHECK(open_points(config, options, kept));
    PANDORA_CHECK(open_keys(options, kept));
    const Status settled = settle(kept, Deadline::never());
    if (!settled && !may_wait(options, settled.error())) return settled;
    if (!settled) log_warn("start.rows_out_of_reach", {{"why", settled.error().to_line()}});
    receipts_ = std::make_unique<ReceiptQueue>(kept.receipts, clock_);
    research_ = std::make_unique<CachedResearch>(kept.research, *cache_, clock_);
    const Stores stores{kept.turns,  kept.memories, *research_,     kept.sources, kept.observations, kept.instance,
                        kept.outbox, kept.vectors,  kept.documents, kept.objects, *receipts_};

    SaverOptions saving;
    saving.journal_directory = paths.journal;
    saving.segment_bytes = static_cast<std::size_t>(config.integer("journal.segment_bytes"));
    saving.owner = journal_.id;
    saving.before_rows = [this, kept](const Deadline& deadline) { return settle(kept, deadline); };
    // Of an object that no turn names: one that died, too, may have a turn that does.
    if (JournalRegister* journals = storage_->journals())
      saving.is_alone = [this, journals](const Deadline& deadline) -> Result<bool> {
        PANDORA_TRY(known, journals->list(deadline));
        return std::ranges::all_of(known, [this](const RegisteredJournal& one) { return one.id == journal_.id; });
      };
    saving.on_sync = [this](Duration took) { metrics_.journal_sync(took); };
    PANDORA_TRY(saver, TurnSaver::open(saving, stores, *spaces_, *files_, clock_));
    saver_ = std::move(saver);
    // What the last process left undone comes first: its rows here, its points before a question is asked
    // (cli/catch_up.h).
    if (!settled) {
      // They cannot come before the server does.
    } else if (const Status caught_up = saver_->wait_rows(Deadline::after(clock_, kCatchUp)); !caught_up)
      log_warn("start.behind", {{"why", caught_up.error().to_line()}});

    recall_ = std::make_unique<Recall>(stores, *spaces_, clock_, storage_->texts());
    admission_ = std::make_unique<MemoryAdmission>(stores.memories, ids_, clock_);
    RuntimeOptions running;
    running.message_bytes = config.integer("limits.message_bytes");
    running.token_budget = config.integer("recall.token_budget");
    running.recall_limit = static_cast<std::size_t>(config.integer("recall.limit"));
    running.recall_candidates = static_cast<std::size_t>(config.integer("recall.candidates"));
    RecallRequest recall_defaults;
    recall_defaults.token_budget = running.token_budget;
    recall_defaults.limit = running.recall_limit;
    recall_defaults.candidates = running.recall_candidates;
    running.recall_deadline = std::chrono::milliseconds(config.integer("recall.deadline_ms"));
    running.findable_wait = std::chrono::milliseconds(config.integer("turns.findable_wait_ms"));
    running.board = board_.get();
    running.on_turn = [this](const TurnReport& report) { count_turn(metrics_, report); };
    PANDORA_CHECK(connect_model(config));
    approvals_ = std::make_unique<ApprovalDesk>(ids_, clock_,
                                                std::chrono::milliseconds(config.integer("tools.approval_ms")), shared);
    if (config.boolean("tools.enabled")) {
      if (options.tools == ToolPlace::kOrchestrator) PANDORA_CHECK(connect());
      PANDORA_TRY(toolbox, Toolbox::open(config, options.tools, client_.get(), clock_));
      toolbox_ = std::move(toolbox);
    }
    runtime_ = std::make_unique<TurnRuntime>(running, stores, *recall_, *saver_, ids_, clock_, admit_by(*admission_),
                                             model_.get(), toolbox_ ? &toolbox_->runner() : nullptr);
    service_ =
        make_local_service({stores,
                            *spaces_,
                            *saver_,
                            *runtime_,
                            *recall_,
                            *files_,
                            clock_,
                            ids_,
                            *keys_,
                            paths.journal,
                            running.message_bytes,
                            config.integer("turns.archive_after_days"),
                            recall_defaults,
                            running.recall_deadline,
                            [this](const Deadline& deadline) { return storage_->overwrite_deleted(deadline); },
                            [this, config](const std::string& model) -> Result<std::shared_ptr<Embedder>> {
                              PANDORA_TRY(embedder, open_embedder(config, model));
                              return std::shared_ptr<Embedder>(measured(std::move(embedder), metrics_, clock_));
                            },
                            config.string("encoder.model"),
                            [this, config, paths, stores](const std::string& to, const std::string& points) {
                              return open_move_places(*files_, config, paths, clock_, stores, *storage_, to, points);
                            },
                            approvals_.get(),
                            storage_->journals(),
                            journal_.id,
                            cache_.get(),
                            [this] { return rows_unwritable(); }});
    if (toolbox_) toolbox_->connect(*service_);
    if (storage_->journals()) {
      attend(kept);
      attending_ = std::make_unique<Repeated>(kJournalHeard, [this, kept] { attend(kept); });
    }
    PANDORA_TRY(server, serve_locally(paths.socket, *service_));
    server_ = std::move(server);
    figures_ = metrics_.add_source([this, stores, root = paths.root](std::vector<Sample>& samples) {
      add_store_samples(stores, *saver_, root, samples);
    });
    return {};
  }

  Service& service() override { return *service_; }
  bool is_owner() const override { return true; }
  Result<ServingParts> serving() override {
    PANDORA_CHECK(connect());
    return ServingParts{*runtime_,
                        model_.get(),
                        directory_.get(),
                        *spaces_,
                        *io_,
                        *client_,
                        ids_,
                        random_,
                        clock_,
                        *keys_,
                        *cache_,
                        *board_,
                        metrics_,
                        toolbox_ ? &toolbox_->runner() : nullptr,
                        toolbox_ ? toolbox_->registry() : nullptr};
  }

 private:
  static bool may_wait(const OpenOptions& options, const Error& error) {
    return options.without_rows && error_info(error.code).retryable;
  }

  // What rests on rows that may be out of reach when the program starts; until it is done no row is written.
  Status settle(const Stores& stores, const Deadline& deadline) {
    if (is_settled_) return {};
    PANDORA_CHECK(follow_points(stores, deadline));
    if (!keys_->is_complete()) PANDORA_CHECK(keys_->refresh(deadline));
    const Status known = register_journal_again();
    if (!known)  // it is said again; a database may be full, or read-only
      log_warn("start.not_registered", {{"why", known.error().to_line()}});
    PANDORA_CHECK(keep_known_numbers(stores, deadline));
    PANDORA_CHECK(look_at_clock(stores, deadline));
    is_settled_ = true;
    return {};
  }

  // How many turns wait is known once the journal is replayed: until then what was said last stands.
  Status register_journal_again() {
    JournalRegister* journals = storage_->journals();
    if (!journals) return {};
    PANDORA_TRY(known, journals->list(Deadline::after(clock_, kAttendPatience)));
    const auto mine = std::ranges::find(known, journal_.id, &RegisteredJournal::id);
    return register_journal(mine == known.end() ? 0 : mine->pending);
  }
  Status register_journal(std::int64_t pending) {
    JournalRegister* journals = storage_->journals();
    RegisteredJournal now = journal_;
    now.pending = pending;
    return journals ? journals->put(now, Deadline::after(clock_, kAttendPatience)) : Status();
  }
  // Others that are known to live; when that is not known, they do.
  bool is_alone() {
    JournalRegister* journals = storage_->journals();
    if (!journals) return true;
    const auto known = journals->list(Deadline::after(clock_, kAttendPatience));
    return known && std::ranges::all_of(*known, [this](const RegisteredJournal& one) {
             return one.id == journal_.id || one.is_silent();
           });
  }

  // Hears what others have changed: keys, and by what points are made; and says that this gateway lives. What fails is
  // done again soon; who is answered meanwhile learns it from the stores themselves.
  void attend(const Stores& stores) {
    if (!is_settled_) return;
    const Deadline deadline = Deadline::after(clock_, kAttendPatience);
    Status heard = keys_->refresh(deadline);
    if (heard) heard = follow_points(stores, deadline);
    const Status said = register_journal(saver_->pending());
    saver_->set_shared(!is_alone());
    for (const Status& one : {heard, said})
      if (!one) log_debug("attend.failed", {{"why", one.error().to_line()}});
    const std::lock_guard lock(attended_);
    said_ = said;
  }
  // Of a server that answers, but writes nothing: a standby, one that is read-only or full. One that is away is met
  // by whoever asks it.
  std::string rows_unwritable() {
    const std::lock_guard lock(attended_);
    const bool refuses =
        !said_ && (said_.error().code == ErrorCode::kPermissionDenied || said_.error().code == ErrorCode::kStorageFull);
    return refuses ? said_.error().to_line() : "";
  }

  Status open_keys(const OpenOptions& options, const Stores& stores) {
    auto keys = KeyRing::open(storage_->keys(), stores.documents, ids_, random_, clock_, Deadline::never());
    if (!keys && may_wait(options, keys.error()))
      keys = KeyRing::open_without_rows(storage_->keys(), stores.documents, ids_, random_, clock_, Deadline::never());
    if (!keys) return fail(std::move(keys).error());
    keys_ = *std::move(keys);
    return {};
  }

  // By what points were made stands beside the data, and that goes on answering, whatever is configured now: vectors of
  // two encoders are never mixed.
  Status open_points(const Config& config, const OpenOptions& options, const Stores& stores) {
    const std::string& wanted = config.string("encoder.model");
    PANDORA_TRY(served, points_are_served(config));
    const Deadline patience = served ? Deadline::after(clock_, kServerPatience) : Deadline::never();
    const auto embedder_of = [this, config,
                              options](const EmbedderIdentity* made_by) -> Result<std::shared_ptr<Embedder>> {
      PANDORA_TRY(opened,
                  made_by ? open_embedder_of(config, *made_by) : open_embedder(config, config.string("encoder.model")));
      auto embedder = measured(std::move(opened), metrics_, clock_);
      if (options.vectors_file.empty()) return embedder;
      PANDORA_TRY(cache, open_vector_cache(*files_, options.vectors_file, std::move(embedder)));
      return std::shared_ptr<Embedder>(std::move(cache));
    };
    make_space_ =
        [embedder_of](const std::optional<PointSpaceRecord>& record) -> Result<std::shared_ptr<const PointSpace>> {
      PANDORA_TRY(embedder, embedder_of(record ? &record->origin.embedder : nullptr));
      return record ? make_point_space(record->origin, record->suffix, std::move(embedder))
                    : make_point_space(std::move(embedder));
    };
    auto record = read_point_space(stores.instance, stores.vectors, patience);
    if (!record && !may_wait(options, record.error())) return fail(std::move(record).error());
    PANDORA_TRY(space, make_space_(record.value_or(std::nullopt)));
    const bool stale = space->origin.analyzer != kAnalyzerVersion || space->origin.form != kPointForm;
    if (stale || space->origin.embedder.model != wanted)
      log_warn("start.points_of_another_make",
               {{"made_by", space->origin.text()}, {"encoder.model", wanted}, {"remedy", "pandora reindex"}});
    spaces_ = std::make_unique<PointSpaces>(space);
    if (!record) return {};  // what the points are made by is not known yet: nothing is tidied
    PANDORA_CHECK(write_point_space(stores.instance, *space, Deadline::never()));
    // What another gateway makes beside them just now is not dropped. A server that is away is no reason not to start:
    // turns are saved, and their points follow.
    const auto dropped = served && !is_alone() ? Result<int>(0) : tidy_collections(stores.vectors, *space, patience);
    if (!dropped && !error_info(dropped.error().code).retryable) return fail(dropped.error());
    if (!dropped) log_warn("start.points_out_of_reach", {{"why", dropped.error().to_line()}});
    if (dropped && *dropped > 0)
      log_info("start.points_dropped", {{"collections", *dropped}, {"why", "a move that did not end"}});
    const Deadline glance = Deadline::after(clock_, kFormerVectorsPatience);
    if (const Status gone = drop_former_vectors(stores.turns, stores.instance, *space, glance); !gone)
      log_info("start.former_vectors_left", {{"why", gone.error().to_line()}});
    if (!served || !dropped) return {};
    const Status made = check_made_by(stores.vectors, *space, patience);
    if (!made && !error_info(made.error().code).retryable) return made;
    if (!made) log_warn("start.points_out_of_reach", {{"why", made.error().to_line()}});
    return {};
  }

  // By what points are made now: nobody said so at the start, or another process has moved over since.
  Status follow_points(const Stores& stores, const Deadline& deadline) {
    PANDORA_TRY(record, read_point_space(stores.instance, stores.vectors, deadline));
    const auto current = spaces_->current();
    if (!record) return write_point_space(stores.instance, *current, deadline);
    if (record->origin == current->origin && record->suffix == current->suffix) return {};
    const auto moving = spaces_->try_move();
    if (!moving.owns_lock()) return {};  // this process is about to move itself
    PANDORA_TRY(space, make_space_(record));
    log_info("points.followed", {{"made_by", space->origin.text()}});
    auto writing = spaces_->write();
    writing.set_next(std::move(space));
    writing.switch_to_next();
    return {};
  }

  // A server's collections may be of another installation, or older than the data here: vectors of two encoders are
  // never compared.
  static Status check_made_by(VectorStore& vectors, const PointSpace& space, const Deadline& deadline) {
    PANDORA_TRY(there, vectors.collections(deadline));
    for (const auto& wanted : collection_specs(space)) {
      const auto found = std::ranges::find(there, wanted.name, &CollectionSpec::name);
      if (found == there.end() || (found->embedder == wanted.embedder && found->dimension == wanted.dimension))
        continue;
      return fail(ErrorCode::kIncompatible,
                  fmt::format("the server's collection {} was made by {} ({} dimensions), the data here by {} ({})",
                              wanted.name, found->embedder, found->dimension, wanted.embedder, wanted.dimension),
                  "remove that collection and run `pandora reconcile --apply`, or set qdrant.prefix");
    }
    return {};
  }

  Status connect() {
    if (io_) return {};
    io_ = std::make_unique<IoThreads>(
        clock_, std::min<int>(kMostIoThreads, static_cast<int>(std::thread::hardware_concurrency())));
    PANDORA_TRY(client, HttpClient::create({}, *io_));
    client_ = std::move(client);
    return {};
  }

  // Nothing is sent yet: a server that is down is no reason not to start.
  Status connect_model(const Config& config) {
    if (!has_model(config)) return {};
    PANDORA_TRY(settings, model_settings(config));
    if (settings.of(ModelRole::kVoice).servers.empty()) return {};  // only other roles have a server
    PANDORA_CHECK(connect());
    directory_ = std::make_unique<ModelDirectory>(settings, *client_, clock_);
    PANDORA_TRY(waker, open_sleeping_servers(config, clock_));
    waker_ = std::move(waker);
    model_ = measured(make_openai_chat_model(std::move(settings), *client_, clock_, random_, waker_.get()), metrics_,
                      clock_);
    return {};
  }

  // Rows that are gone (a database that was deleted or emptied) must not let a new turn take the folder of an old one.
  Status keep_known_numbers(const Stores& stores, const Deadline& deadline) {
    PANDORA_TRY(newest, stores.turns.list({.limit = 1}, Principal::system(), deadline));
    const TurnNumber known = newest.empty() ? TurnNumber{} : newest.front().number;
    // Listing all folders costs a while: only when there is a folder where the next ones would come.
    bool beyond = known.value == 0;
    for (std::int64_t next = known.value + 1; next <= known.value + kLookAhead && !beyond; ++next) {
      PANDORA_TRY(there, stores.documents.exists(turn_folder({next}), deadline));
      beyond = there;
    }
    if (!beyond) return {};
    TurnNumber last;
    for (const char* area : {"turns", "archive"}) {
      PANDORA_TRY(folders, stores.documents.list(area, deadline));
      for (const auto& folder : folders)
        if (const auto number = parse_turn_directory_name(folder.name)) last = std::max(last, *number);
    }
    if (last <= known) return {};
    log_warn("start.rows_missing",
             {{"last_turn_on_disk", last.value}, {"last_row", known.value}, {"remedy", "pandora reconcile --apply"}});
    return stores.turns.reserve_through(last, Principal::system(), deadline);
  }

  // A clock that jumped back gives what is said now a time before what was said earlier.
  Status look_at_clock(const Stores& stores, const Deadline& deadline) {
    PANDORA_TRY(newest, stores.turns.list({.limit = 1}, Principal::system(), deadline));
    if (newest.empty() || newest.front().created_at - clock_.now() < kClockMayDiffer) return {};
    log_warn("start.clock_behind", {{"clock", to_iso8601(clock_.now())},
                                    {"last_turn", to_iso8601(newest.front().created_at)},
                                    {"remedy", "set the system's clock; nothing is lost, but new turns look old"}});
    return {};
  }

  SystemClock clock_;
  SystemRandom random_;
  Metrics metrics_{std::string(kProgramVersion)};
  UuidV7Generator ids_{clock_, random_};
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Storage> storage_;
  RegisteredJournal journal_;  // of this process
  std::atomic<bool> is_settled_ = false;
  std::mutex attended_;
  Status said_;  // that this gateway lives, when it was said last
  std::function<Result<std::shared_ptr<const PointSpace>>(const std::optional<PointSpaceRecord>&)> make_space_;
  std::unique_ptr<KeyRing> keys_;
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<TurnBoard> board_;  // which the saver's threads write on
  std::unique_ptr<ReceiptQueue> receipts_;
  std::unique_ptr<CachedResearch> research_;
  std::unique_ptr<PointSpaces> spaces_;
  std::unique_ptr<TurnSaver> saver_;
  std::unique_ptr<Recall> recall_;
  std::unique_ptr<MemoryAdmission> admission_;
  std::unique_ptr<IoThreads> io_;
  std::unique_ptr<HttpClient> client_;
  std::unique_ptr<ModelDirectory> directory_;
  std::unique_ptr<ServerWaker> waker_;  // null: no server sleeps
  std::unique_ptr<ChatModel> model_;
  std::unique_ptr<ApprovalDesk> approvals_;
  std::unique_ptr<Toolbox> toolbox_;
  std::unique_ptr<TurnRuntime> runtime_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Metrics::Added> figures_;
  std::unique_ptr<Repeated> attending_;
  std::unique_ptr<LocalServer> server_;  // last: nobody calls while the rest goes
};

// Reaches the owner. When that one ends before it took a call up, this process looks for the next owner, or becomes it.
class Guest final : public Installation, private Service {
 public:
  Guest(std::unique_ptr<Service> remote, const Config& config) : remote_(std::move(remote)), config_(config) {}
  Service& service() override { return *this; }
  bool is_owner() const override { return next_ && next_->is_owner(); }
  Result<ServingParts> serving() override {
    if (next_) return next_->serving();
    return fail(ErrorCode::kConflict, "another process owns the data directory",
                "end that process (a conversation?), then try again");
  }

 private:
  Result<std::string> call(const ServiceCall& call, CallObserver& observer, const Deadline& deadline) override {
    if (!next_) {
      auto answer = remote_->call(call, observer, deadline);
      if (answer || answer.error().message != kOwnerGone) return answer;
      PANDORA_TRY(next, Installation::open(config_));
      next_ = std::move(next);
    }
    return next_->service().call(call, observer, deadline);
  }

  std::unique_ptr<Service> remote_;
  std::unique_ptr<Installation> next_;
  const Config config_;
};

}  // namespace

Result<std::unique_ptr<Installation>> Installation::open(const Config& config, const OpenOptions& options) {
  PANDORA_TRY(paths, data_paths(config));
  auto files = make_posix_file_system();
  if (auto made = files->create_directories(paths.root); !made)
    return fail(std::move(made).error().with_context("data directory"));
  const SystemClock clock;
  const Deadline deadline = Deadline::after(clock, kOwnerWait);
  for (;;) {
    auto lock = files->lock(paths.lock, fmt::format("process {}", ::getpid()));
    if (lock) {
      auto owner = std::make_unique<Owner>(std::move(files), *std::move(lock));
      PANDORA_CHECK(owner->wire(config, paths, options));
      return owner;
    }
    if (lock.error().code != ErrorCode::kConflict) return fail(std::move(lock).error());
    if (auto remote = make_remote_service(paths.socket)) {
      if (options.vectors_file.empty()) return std::make_unique<Guest>(*std::move(remote), config);
      return fail(
          ErrorCode::kConflict,
          fmt::format("{} is in use by a process that keeps no vectors in {}", paths.root, options.vectors_file),
          "end that process");
    }
    if (deadline.expired())
      return fail(ErrorCode::kConflict,
                  fmt::format("{} is in use, but its owner does not answer: {}", paths.root, lock.error().message),
                  "wait for that process, or end it");
    std::this_thread::sleep_for(kOwnerPoll);
  }
}

}  // namespace pandora
