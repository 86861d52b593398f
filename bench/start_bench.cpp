// How quickly a store of points is there again, and what a point takes in memory: src/store_embedded over files.
//
// start_bench DIRECTORY POINTS [words]  fills an empty directory: turns as recall keeps them, 384 dimensions; with
// `words`
//                                       their BM25 vectors of 100 terms too. Says how many a second, and what is on
//                                       disk.
// start_bench DIRECTORY                 opens what is there, in this process, and asks 300 questions: milliseconds, and
//                                       bytes a point in memory of its own and of mapped files.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <set>

#include <fmt/format.h>

#include "store_embedded/sqlite_vector_store.h"

namespace {
using namespace pandora;

constexpr std::size_t kDimension = 384, kTerms = 100, kVocabulary = 50'000, kBatch = 1'000;
constexpr unsigned kSeed = 20261125;
constexpr const char* kCollection = "turns";

double now_millis() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

CollectionSpec spec() {
  using enum PayloadType;
  CollectionSpec spec;
  spec.name = kCollection;
  spec.dimension = kDimension;
  spec.sparse = {"bm25"};
  spec.indexes = {{"user_id", kKeyword}, {"session_id", kKeyword}, {"intent", kKeyword},
                  {"rejected", kBool},   {"quality", kFloat},      {"timestamp", kDatetime}};
  spec.embedder = "bench@1";
  spec.analyzer_version = 1;
  return spec;
}

class Turns {
 public:
  Point next(bool words) {
    const std::int64_t number = ++number_;
    Point point{.id = point_id("turn", std::to_string(number)), .version = number};
    std::vector<float> vector(kDimension);
    double square = 0;
    for (float& x : vector) x = normal_(random_), square += static_cast<double>(x) * x;
    for (float& x : vector) x = static_cast<float>(x / std::sqrt(square));
    point.dense[""] = std::move(vector);
    if (words) {
      std::set<std::uint32_t> terms;  // as frequent as words are: the r-th in 1/r
      while (terms.size() < kTerms) {
        const double share = std::generate_canonical<double, 32>(random_);
        terms.insert(static_cast<std::uint32_t>(std::pow(kVocabulary, share)) * 2654435761U);
      }
      SparseVector vector_of_words;
      for (const std::uint32_t term : terms) {
        vector_of_words.indices.push_back(term);
        vector_of_words.values.push_back(static_cast<float>(random_() % 1'000 + 1) / 500);
      }
      point.sparse["bm25"] = std::move(vector_of_words);
    }
    point.payload = {{"turn_uid", point.id.to_string()},
                     {"turn_number", number},
                     {"session_id", fmt::format("session-{}", number / 20)},
                     {"user_id", std::string("ana")},
                     {"topic", fmt::format("topic {} of {}", random_() % 1'000, random_() % 1'000)},
                     {"intent", std::string(random_() % 2 ? "question" : "task")},
                     {"timestamp", Timestamp{1'700'000'000'000'000 + number * 60'000'000}},
                     {"quality", 0.5},
                     {"rejected", false},
                     {"speaker", std::string()},
                     {"asks", random_() % 4 == 0}};
    return point;
  }

 private:
  std::mt19937 random_{kSeed};
  std::normal_distribution<float> normal_;
  std::int64_t number_ = 0;
};

// "RssAnon" and "RssFile" of /proc, in bytes.
double memory(const std::string& what) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(what + ":")) return std::stod(line.substr(what.size() + 1)) * 1024;
  return 0;
}

double on_disk(const std::string& path) {
  double sum = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
    if (entry.is_regular_file()) sum += static_cast<double>(entry.file_size());
  return sum;
}

std::unique_ptr<SqliteVectorStore> open(const std::string& directory, FileSystem& files, const Clock& clock) {
  return SqliteVectorStore::open(directory + "/vectors.db", "", clock, {.files = &files}).value();
}

int fill(const std::string& directory, std::size_t count, bool words) {
  const auto files = make_posix_file_system();
  const SystemClock clock;
  Turns turns;
  double put = 0;
  {
    auto store = open(directory, *files, clock);
    if (!store->ensure_collection(spec(), Deadline::never())) return 1;
    for (std::size_t done = 0; done < count; done += kBatch) {
      std::vector<Point> points;
      for (std::size_t i = 0; i < std::min(kBatch, count - done); ++i) points.push_back(turns.next(words));
      const double start = now_millis();
      if (!store->upsert(kCollection, points, Principal::system(), Deadline::never())) return 1;
      put += now_millis() - start;
    }
  }
  const auto points = static_cast<double>(count);
  fmt::print("{} points{}: {:.0f} a second; on disk {:.0f} bytes a point in rows, {:.0f} in derived files\n", count,
             words ? " with words" : "", points / put * 1e3,
             static_cast<double>(std::filesystem::file_size(directory + "/vectors.db")) / points,
             on_disk(directory + "/vectors.db-index") / points);
  return 0;
}

int open_again(const std::string& directory) {
  const auto files = make_posix_file_system();
  const SystemClock clock;
  const double anonymous = memory("RssAnon"), mapped = memory("RssFile"), start = now_millis();
  const auto store = open(directory, *files, clock);
  const double opened = now_millis() - start;
  const auto missing = store->unsearched(kCollection, Deadline::never());
  if (!missing || *missing != 0) return fmt::print(stderr, "start_bench: the index lacks points\n"), 1;
  const auto count = store->count(kCollection, {}, Principal::system(), Deadline::never());
  if (!count || *count == 0) return fmt::print(stderr, "start_bench: there are no points\n"), 1;
  const double points = static_cast<double>(*count);
  const double at_start = memory("RssAnon") - anonymous, mapped_at_start = memory("RssFile") - mapped;
  Turns turns;
  std::vector<double> dense, words;
  const Principal ana = Principal::of(*UserId::parse("ana"));
  for (int i = 0; i < 300; ++i) {
    const Point question = turns.next(true);
    PointQuery query{.vector = "", .nearest = question.dense.at("")};
    double begin = now_millis();
    if (!store->query(kCollection, query, ana, Deadline::never())) return 1;
    dense.push_back(now_millis() - begin);
    SparseVector asked = question.sparse.at("bm25");
    asked.indices.resize(10);
    asked.values.resize(10);
    query.vector = "bm25";
    query.nearest = asked;
    begin = now_millis();
    if (!store->query(kCollection, query, ana, Deadline::never())) return 1;
    words.push_back(now_millis() - begin);
  }
  std::ranges::sort(dense);
  std::ranges::sort(words);
  fmt::print(
      "open {:7.1f} ms; bytes a point: own {:.0f}, mapped {:.0f}; after 300 questions own {:.0f}, mapped {:.0f};"
      " p50 by meaning {:.2f} ms, by words {:.2f} ms\n",
      opened, at_start / points, mapped_at_start / points, (memory("RssAnon") - anonymous) / points,
      (memory("RssFile") - mapped) / points, dense[dense.size() / 2], words[words.size() / 2]);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 2) return open_again(arguments[1]);
  if (count == 3 || (count == 4 && std::string_view(arguments[3]) == "words"))
    return fill(arguments[1], static_cast<std::size_t>(std::stoull(arguments[2])), count == 4);
  fmt::print(stderr, "usage: start_bench DIRECTORY [POINTS [words]]\n");
  return 2;
}
