// Whole recall over 100,000 turns: a question of at most 16 tokens is encoded, asked of both legs of turns, memories
// and research, ranked, and its section cut to the budget, as before every turn. Through the service and the stores of
// the program, alone and while ten turns a second are saved; the encoder's own time in the same run.
//
// The data is made once, of bench/make_corpus' lines, in PANDORA_BENCH_DIR (default: /dev/shm/pandora-recall-bench),
// and used again. PANDORA_BENCH_VECTORS: a file of the encoder's vectors as `pandora eval --vectors` keeps them
// (default: there too); without one that has them already the first run encodes 100,000 texts. Without weights nothing
// is measured, which is said. PANDORA_BENCH_SET="rows.store=postgres points.store=qdrant": settings besides, of servers
// that `pandora move` has filled from that directory; theirs come from the environment.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/random.h"
#include "cli/installation.h"
#include "domain/derive.h"
#include "embed/embedders.h"
#include "embed/vector_cache.h"
#include "steps.h"
#include "store_embedded/directory_document_store.h"
#include "store_embedded/directory_object_store.h"
#include "store_embedded/sqlite_stores.h"
#include "store_embedded/sqlite_vector_store.h"
#include "turns/indexer.h"
#include "turns/reindexer.h"
#include "wire/import_line.h"
#include "wire/json_reader.h"

namespace {
using namespace pandora;

constexpr std::size_t kTurns = 100'000, kQuestions = 1'000, kTokens = 16, kSpecialTokens = 2, kLeastTokens = 4,
                      kWarm = 100;
constexpr unsigned kSeed = 20261125;
constexpr int kWriters = 16;  // they share syncs
constexpr auto kBetweenSaves = std::chrono::milliseconds(100);
constexpr const char* kModel = "bge-small-en-v1.5";

struct Milliseconds {
  explicit Milliseconds(std::vector<double> micros) : micros_(std::move(micros)) { std::ranges::sort(micros_); }
  double at(double share) const {
    return micros_[static_cast<std::size_t>(share * static_cast<double>(micros_.size() - 1))] / 1e3;
  }
  std::string text() const {
    return fmt::format("{:7.2f} {:7.2f} {:7.2f} {:7.2f}", at(0.5), at(0.95), at(0.99), at(1));
  }

 private:
  std::vector<double> micros_;
};

std::string corpus(const std::string& directory) {
  std::string path = environment_or("PANDORA_BENCH_CORPUS", directory + "/corpus.jsonl");
  if (std::filesystem::exists(path)) return path;
  const std::string command =
      fmt::format("{}/bench/make_corpus --turns {} --seed 1 --out '{}'", PANDORA_SOURCE, kTurns, path);
  if (std::system(command.c_str()) == 0) return path;
  fmt::print(stderr, "recall_bench: cannot make the corpus\n");
  std::exit(1);
}

UserId user() { return must(UserId::parse("bench"), "user"); }

std::vector<TurnRecord> records(const std::string& path) {
  std::ifstream file(path);
  std::vector<TurnRecord> all;
  for (std::string text; all.size() < kTurns && std::getline(file, text);) {
    const auto line = must(parse_import_line(text), "corpus");
    TurnRecord& record = all.emplace_back();
    Turn& turn = record.turn;
    turn.uid = point_id("bench", std::to_string(all.size()));
    turn.number = {static_cast<std::int64_t>(all.size())};
    turn.user = user();
    turn.session = line.session;
    turn.created_at = *line.at;
    turn.message = line.message;
    turn.reply = line.reply;
    turn.model = line.reply ? "imported" : "";
    derive_fields(turn, {}, {});
    turn.content_sha256 = content_sha256(turn.user, turn.message, turn.reply);
  }
  return all;
}

// Rows and points as the saver makes them; no documents: recall reads none.
void make_data(const std::string& directory, const std::string& data, const std::string& model,
               const SystemClock& clock) {
  const auto start = std::chrono::steady_clock::now();
  const auto files = make_posix_file_system();
  must(files->create_directories(data), "data directory");
  const auto all = records(corpus(directory));
  const auto rows = must(SqliteStores::open(data + "/pandora.db", "", clock), "rows");
  const auto vectors = must(SqliteVectorStore::open(data + "/vectors.db", "", clock), "points");
  const auto documents = must(DirectoryDocumentStore::open(*files, data + "/panda_system_docs", clock), "documents");
  const auto objects = must(DirectoryObjectStore::open(*files, data + "/objects"), "objects");
  const Principal who = Principal::of(user());
  const Deadline never = Deadline::never();
  must(rows->turns().reserve_through({static_cast<std::int64_t>(all.size())}, Principal::system(), never), "numbers");
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer)
    writers.emplace_back([&] {
      for (std::size_t at = next++; at < all.size(); at = next++)
        must(rows->turns().commit_turn(all[at], who, never), "a row");
    });
  for (auto& writer : writers) writer.join();
  for (;;) {
    const auto entries = must(rows->outbox().claim("bench", std::chrono::minutes(1), kMaxClaim, never), "outbox");
    if (entries.empty()) break;
    must(rows->outbox().ack_all(entries, never), "outbox");
  }
  auto bert = must(open_bert_embedder(model), "encoder");
  std::shared_ptr<Embedder> embedder =
      must(open_vector_cache(*files, environment_or("PANDORA_BENCH_VECTORS", directory + "/vectors"), std::move(bert)),
           "vectors");
  const auto space = make_point_space(embedder);
  const Stores stores{rows->turns(),        rows->memories(), rows->research(), rows->sources(),
                      rows->observations(), rows->instance(), rows->outbox(),   *vectors,
                      *documents,           *objects,         rows->receipts()};
  Indexer indexer(stores, clock);
  must(indexer.ensure_collections(*space, never), "collections");
  must(write_point_space(stores.instance, *space, never), "points");
  std::vector<Indexer::Item> items;
  for (std::size_t at = 0; at < all.size(); ++at) {
    items.push_back({all[at].turn.uid, 0});
    if (items.size() < kMaxClaim && at + 1 < all.size()) continue;
    must(indexer.index_turns(*space, items, never), "points");
    items.clear();
    if ((at + 1) % 10'240 == 0) fmt::print(stderr, "{} of {} turns\n", at + 1, all.size());
  }
  must(files->write_atomic(data + "/WHOLE", "", Durability::kNow), "data directory");
  fmt::print("data made in {:.0f} s\n", micros_since(start) / 1e6);
}

// What somebody says in the corpus, short enough.
std::vector<std::string> make_questions(const std::string& directory, const Embedder& embedder) {
  std::ifstream file(corpus(directory));
  std::vector<std::string> lines;
  for (std::string line; lines.size() < kTurns && std::getline(file, line);) lines.push_back(line);
  SeededRandom random(kSeed);
  std::vector<std::string> questions;
  while (questions.size() < kQuestions) {
    const std::string text = must(parse_import_line(lines[random.below(lines.size())]), "corpus").message.text;
    const std::string question = text.substr(0, text.find_first_of(".?!") + 1);
    const std::size_t tokens = embedder.count_tokens(question);
    if (tokens >= kLeastTokens && tokens + kSpecialTokens <= kTokens) questions.push_back(question);
  }
  return questions;
}

struct Figures {
  std::vector<double> whole, embed, search, rank;
};

Figures ask(Service& service, const std::vector<std::string>& questions) {
  NoObserver nobody;
  Figures figures;
  for (const auto& question : questions) {
    const Json arguments = {{"question", question}, {"session", "asking"}};
    const auto text = must(service.call({"recall", user(), dump_json(arguments)}, nobody, Deadline::never()), "recall");
    const Json result = Json::parse(text);
    if (result["mode"] != "hybrid" || result["items"].empty() || !result["missing"].empty()) {
      fmt::print(stderr, "recall_bench: {}: mode {}, missing {}\n", question, result["mode"].dump(),
                 result["missing"].dump());
      std::exit(1);
    }
    const auto& micros = result["micros"];
    figures.whole.push_back(micros["total"].get<double>());
    figures.embed.push_back(micros["embed"].get<double>());
    figures.search.push_back(micros["search"].get<double>());
    figures.rank.push_back(micros["rank"].get<double>());
  }
  return figures;
}

void show(const char* what, const Figures& figures) {
  const Milliseconds whole(figures.whole), embed(figures.embed);
  std::vector<double> rest;
  for (std::size_t i = 0; i < figures.whole.size(); ++i) rest.push_back(figures.whole[i] - figures.embed[i]);
  fmt::print("{:28} {}\n", what, whole.text());
  fmt::print("  encoder                    {}\n", embed.text());
  fmt::print("  search                     {}\n", Milliseconds(figures.search).text());
  fmt::print("  rows, ranking, tokens      {}\n", Milliseconds(figures.rank).text());
  fmt::print("  all but the encoder        {}\n", Milliseconds(rest).text());
}

// A turn of a conversation that goes on beside the questions, ten times a second.
class Speaker {
 public:
  Speaker(Service& service, const std::vector<std::string>& texts)
      : thread_([this, &service, &texts] { speak(service, texts); }) {}
  ~Speaker() {
    ended_ = true;
    thread_.join();
  }
  std::size_t said() const { return said_; }

 private:
  void speak(Service& service, const std::vector<std::string>& texts) {
    NoObserver nobody;
    for (auto at = std::chrono::steady_clock::now(); !ended_; std::this_thread::sleep_until(at += kBetweenSaves)) {
      const Json line = {{"session", "beside"},
                         {"message", texts[said_ % texts.size()]},
                         {"reply", texts[(said_ * 7) % texts.size()]}};
      const Json arguments = {{"lines", {dump_json(line)}}, {"first_line", SystemClock().now().micros}};
      must(service.call({"import.turns", user(), dump_json(arguments)}, nobody, Deadline::never()), "saving");
      ++said_;
    }
  }
  std::atomic<bool> ended_ = false;
  std::atomic<std::size_t> said_ = 0;
  std::thread thread_;
};

// Whether there was something to wait for: what searches points may be made anew when the data is opened.
bool wait_until_searched(Service& service) {
  NoObserver nobody;
  for (bool waited = false;; waited = true) {
    const Json status =
        Json::parse(must(service.call({"status", user(), "{}"}, nobody, Deadline::never()), "the status"));
    std::int64_t unsearched = 0;
    for (const auto& collection : status["collections"]) unsearched += collection.value("unsearched", 0);
    if (unsearched == 0) return waited;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace

int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const SystemClock clock;
  const std::string directory = environment_or("PANDORA_BENCH_DIR", "/dev/shm/pandora-recall-bench");
  const std::string data = directory + "/data";
  std::filesystem::create_directories(directory);
  ConfigInputs inputs;
  inputs.flags = {{"data.path", data}, {"encoder.model", kModel}, {"recall.deadline_ms", "10000"}};
  const std::string besides = environment_or("PANDORA_BENCH_SET", "");
  std::istringstream settings(besides);
  for (std::string one; settings >> one;) inputs.flags[one.substr(0, one.find('='))] = one.substr(one.find('=') + 1);
  inputs.environment = [&](const std::string& name) -> std::optional<std::string> {
    const char* value = besides.empty() ? nullptr : std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  const auto files = make_posix_file_system();
  const Config config = must(Config::load(inputs, *files), "settings");
  const std::string model = join_path(models_directory(config), kModel);
  const auto embedder = open_bert_embedder(model);
  if (!embedder) {
    fmt::print("not measured: {}\n", embedder.error().to_line());
    return 0;
  }
  if (!std::filesystem::exists(data + "/WHOLE")) {
    std::filesystem::remove_all(data);
    make_data(directory, data, model, clock);
  }
  const auto questions = make_questions(directory, **embedder);

  const auto start = std::chrono::steady_clock::now();
  const auto installation = must(Installation::open(config), "opening");
  fmt::print("{} turns, {} questions of at most {} tokens, seed {}; opened in {:.0f} ms\n", kTurns, kQuestions, kTokens,
             kSeed, micros_since(start) / 1e3);
  Service& service = installation->service();
  if (wait_until_searched(service)) fmt::print("the index was made in {:.1f} s\n", micros_since(start) / 1e6);
  (void)ask(service, {questions.begin(), questions.begin() + kWarm});
  fmt::print("milliseconds:                    p50     p95     p99     max\n");
  show("recall", ask(service, questions));
  const Speaker speaker(service, questions);
  show("while 10 turns/s are saved", ask(service, questions));
  fmt::print("{} turns were saved meanwhile\n", speaker.said());
  return 0;
}
