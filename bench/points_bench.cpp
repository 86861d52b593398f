// Points with their vectors given, into the store: 100,000 of 384 dimensions in calls of 1,000, each durable when its
// call returns; bare ones, and ones as a turn has them (payload and some forty weighted words).
//
// PANDORA_BENCH_DIR names a directory on the disk to be measured (default: here).
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "ports/point_space.h"
#include "steps.h"
#include "store_embedded/sqlite_vector_store.h"

namespace {
using namespace pandora;

constexpr std::size_t kPoints = 100'000, kDimension = 384, kClusters = 200, kWords = 40, kVocabulary = 50'000;
constexpr unsigned kSeed = 20261125;
constexpr std::size_t kWanted = 20'000;  // a second

enum class Kind { kBare, kTurns };

class Source {
 public:
  explicit Source(Kind kind) : kind_(kind) {
    centres_.resize(kClusters * kDimension);
    for (float& value : centres_) value = normal_(random_);
  }
  std::vector<Point> next(std::size_t count) {
    std::vector<Point> points;
    for (std::size_t i = 0; i < count; ++i) points.push_back(one());
    return points;
  }

 private:
  Point one() {
    Point point;
    point.id = point_id("bench", std::to_string(++made_));
    std::vector<float>& vector = point.dense[""];
    const float* centre = centres_.data() + (random_() % kClusters) * kDimension;
    float squares = 0;
    for (std::size_t d = 0; d < kDimension; ++d) {
      vector.push_back(centre[d] + normal_(random_));
      squares += vector.back() * vector.back();
    }
    for (float& value : vector) value /= std::sqrt(squares);
    point.payload["user_id"] = std::string("bench");
    if (kind_ == Kind::kBare) return point;
    const auto number = static_cast<std::int64_t>(made_);
    point.payload["turn_uid"] = point.id.to_string();
    point.payload["turn_number"] = number;
    point.payload["session_id"] = fmt::format("session-{:06}", number / 20);
    point.payload["topic"] = std::string("boats and harbours");
    point.payload["intent"] = std::string("other");
    point.payload["timestamp"] = Timestamp{number * 60'000'000};
    point.payload["quality"] = 0.5;
    point.payload["rejected"] = false;
    point.payload["speaker"] = std::string("Ruth");
    point.payload["asks"] = false;
    std::map<std::uint32_t, float> words;
    while (words.size() < kWords) words[random_() % kVocabulary * (random_() % 100) / 100] = 1.5F;
    for (const auto& [term, weight] : words) {
      point.sparse[std::string(kLexicalVector)].indices.push_back(term);
      point.sparse[std::string(kLexicalVector)].values.push_back(weight);
    }
    return point;
  }
  const Kind kind_;
  std::mt19937 random_{kSeed};
  std::normal_distribution<float> normal_{0, 1};
  std::vector<float> centres_;
  std::size_t made_ = 0;
};

void measure(const char* what, Kind kind, const std::string& directory) {
  const SystemClock clock;
  const std::string path = directory + "/points_bench.db";
  const auto clean = [&] {
    for (const char* more : {"", "-wal", "-shm"}) std::filesystem::remove(path + more);
  };
  clean();
  auto store = must(SqliteVectorStore::open(path, "", clock), "opening");
  PointOrigin origin;
  origin.embedder = {"bench", "1", kDimension};
  const auto space = make_point_space(origin, "", nullptr);
  must(store->ensure_collection(collection_specs(*space).front(), Deadline::never()), "a collection");
  Source source(kind);
  double micros = 0;
  for (std::size_t done = 0; done < kPoints; done += kMaxUpsert) {
    const std::vector<Point> points = source.next(kMaxUpsert);  // not measured
    micros += micros_of(
        [&] { must(store->upsert(space->turns, points, Principal::system(), Deadline::never()), "writing"); });
  }
  fmt::print("{:24} {:8.0f} points/s (at least {} are wanted)\n", what, static_cast<double>(kPoints) / (micros / 1e6),
             kWanted);
  store.reset();
  clean();
}

}  // namespace

int main() {
  const std::string directory = environment_or("PANDORA_BENCH_DIR", ".");
  fmt::print("{} points of {} dimensions, {} a call, each call durable\n", kPoints, kDimension, kMaxUpsert);
  measure("vector alone", Kind::kBare, directory);
  measure("with payload and words", Kind::kTurns, directory);
  return 0;
}
