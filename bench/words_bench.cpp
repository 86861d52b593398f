// Search by words beside SQLite's FTS5 with bm25, in one run over the same texts: 100,000 turns, questions of ten
// words.
//
// The vocabulary is made: 50,000 words by a Zipf–Mandelbrot law, as words are that are left when stop words are gone. A
// question has five words as frequent as in the texts and five of any rank. FTS5 indexes each turn's own words; ours
// have those of two turns either side as well, as recall does, so five times as many postings. Processor time.
#include <algorithm>
#include <cmath>
#include <ctime>
#include <random>

#include <fmt/format.h>
#include <sqlite3.h>

#include "domain/sparse_weights.h"
#include "vecdb/point_index.h"

namespace {
using namespace pandora;

constexpr unsigned kSeed = 20261125;
constexpr std::size_t kTurns = 100'000, kVocabulary = 50'000, kLeastWords = 10, kMostWords = 50, kQuestions = 400;

double thread_micros() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

class Language {
 public:
  Language() {
    double sum = 0;
    for (std::size_t rank = 0; rank < kVocabulary; ++rank)
      up_to_.push_back(sum += 1 / (static_cast<double>(rank) + 10));
  }
  std::string frequent() {
    const double at = std::uniform_real_distribution<double>(0, up_to_.back())(random_);
    return word(static_cast<std::size_t>(std::ranges::lower_bound(up_to_, at) - up_to_.begin()));
  }
  std::string any() { return word(random_() % kVocabulary); }
  std::string turn() {
    std::string text;
    const std::size_t words = kLeastWords + random_() % (kMostWords - kLeastWords + 1);
    for (std::size_t i = 0; i < words; ++i) text += frequent() + " ";
    return text;
  }

 private:
  // Syllables that no stemmer shortens and no stop word has.
  static std::string word(std::size_t rank) {
    static const char* syllables[] = {"ko", "ra", "mu", "ti", "po", "la", "vu", "zo", "ni", "ba"};
    std::string text;
    for (std::size_t rest = rank + 100; rest != 0; rest /= 10) text += syllables[rest % 10];
    return text + "k";
  }
  std::mt19937 random_{kSeed};
  std::vector<double> up_to_;
};

std::string show(std::vector<double> micros) {
  std::ranges::sort(micros);
  return fmt::format("{:7.2f} {:7.2f} {:7.2f}", micros[micros.size() / 2] / 1e3, micros[micros.size() * 99 / 100] / 1e3,
                     micros.back() / 1e3);
}
double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

class Fts5 {
 public:
  explicit Fts5(const std::vector<std::string>& turns) {
    check(sqlite3_open(":memory:", &database_));
    check(sqlite3_exec(database_, "CREATE VIRTUAL TABLE t USING fts5(text, content=''); BEGIN", {}, {}, {}));
    sqlite3_stmt* insert = nullptr;
    check(sqlite3_prepare_v2(database_, "INSERT INTO t(rowid, text) VALUES (?, ?)", -1, &insert, nullptr));
    for (std::size_t i = 0; i < turns.size(); ++i) {
      sqlite3_bind_int64(insert, 1, static_cast<sqlite3_int64>(i));
      sqlite3_bind_text(insert, 2, turns[i].data(), static_cast<int>(turns[i].size()), SQLITE_STATIC);
      sqlite3_step(insert);
      check(sqlite3_reset(insert));
    }
    sqlite3_finalize(insert);
    check(sqlite3_exec(database_, "INSERT INTO t(t) VALUES ('optimize'); COMMIT", {}, {}, {}));
    check(sqlite3_prepare_v2(database_, "SELECT rowid FROM t WHERE t MATCH ? ORDER BY bm25(t) LIMIT ?", -1, &search_,
                             nullptr));
  }
  ~Fts5() {
    sqlite3_finalize(search_);
    sqlite3_close(database_);
  }
  std::size_t search(const std::vector<std::string>& words, std::size_t k) {
    std::string match;
    for (const auto& word : words) match += (match.empty() ? "" : " OR ") + word;
    sqlite3_bind_text(search_, 1, match.data(), static_cast<int>(match.size()), SQLITE_STATIC);
    sqlite3_bind_int64(search_, 2, static_cast<sqlite3_int64>(k));
    std::size_t found = 0;
    while (sqlite3_step(search_) == SQLITE_ROW) ++found;
    check(sqlite3_reset(search_));
    return found;
  }

 private:
  void check(int code) {
    if (code == SQLITE_OK) return;
    fmt::print(stderr, "words_bench: {}\n", sqlite3_errmsg(database_));
    std::exit(1);
  }
  sqlite3* database_ = nullptr;
  sqlite3_stmt* search_ = nullptr;
};

}  // namespace

int main() {
  Language language;
  std::vector<std::string> turns;
  for (std::size_t i = 0; i < kTurns; ++i) turns.push_back(language.turn());
  PointIndex index({.dense = {}, .sparse = 1, .fields = {}, .meaning = {}});
  double put = 0;
  for (std::size_t i = 0; i < kTurns; ++i) {
    std::vector<WindowText> window;
    for (int distance = -kWindow; distance <= kWindow; ++distance) {
      const std::size_t at = i + static_cast<std::size_t>(distance);  // before the first: beyond the last
      if (at < kTurns) window.push_back({std::abs(distance), turns[at]});
    }
    const SparseVector weights = document_weights(window);
    const IndexedPoint point{.id = point_id("bench", std::to_string(i)),
                             .seq = i + 1,
                             .dense = {},
                             .sparse = {&weights},
                             .payload = {},
                             .stored = {}};
    const double start = thread_micros();
    if (!index.put(point)) return 1;
    put += thread_micros() - start;
  }
  Fts5 fts5(turns);
  std::vector<std::vector<std::string>> questions(kQuestions);
  for (auto& words : questions)
    for (int i = 0; i < 10; ++i) words.push_back(i % 2 ? language.any() : language.frequent());
  fmt::print("{} turns, {} questions of ten words, seed {}; {:.1f} µs to put one\n", kTurns, kQuestions, kSeed,
             put / static_cast<double>(kTurns));
  fmt::print("milliseconds:             p50     p99     max\n");
  for (const std::size_t k : {10, 200}) {
    std::vector<double> ours, theirs, ratios;
    for (const auto& words : questions) {
      std::string text;
      for (const auto& word : words) text += word + " ";
      const double start = thread_micros();
      const auto hits = index.by_terms(0, query_weights(text), k, nullptr, Deadline::never());
      const double middle = thread_micros();
      const std::size_t found = fts5.search(words, k);
      const double end = thread_micros();
      if (!hits || hits->empty() != (found == 0)) return 1;
      ours.push_back(middle - start);
      theirs.push_back(end - middle);
      ratios.push_back((end - middle) / (middle - start));
    }
    fmt::print("best {:3}: pandora    {}\n          FTS5 bm25  {}   {:.1f} × pandora's\n", k, show(ours), show(theirs),
               median(ratios));
  }
  return 0;
}
