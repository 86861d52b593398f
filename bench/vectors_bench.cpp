// Search by meaning: 384 dimensions, ten of 100,000 and of 1,000,000, one thread; with filters; beside memcpy.
//
// vectors_bench                         points in clusters, made here; the time of a query and what it reads
// vectors_bench --serve POINTS QUERIES  files of float32 rows; answers bench/vectors_beside_peers line by line:
//   time K SHARE  →  microseconds of processor time of each query, among a random SHARE of the points (1: all)
//   answers K     →  the rows that each query finds, ten thousand a query at most
#include <algorithm>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <random>
#include <sstream>

#include <fmt/format.h>

#include "support/listed_slots.h"
#include "vecdb/dense_index.h"

namespace {
using namespace pandora;

constexpr std::size_t kDimension = 384, kNearest = 10;
constexpr unsigned kSeed = 20261125;

using Vector = std::vector<float>;
using Search = std::function<Result<std::vector<Hit>>(const Vector& query)>;

double thread_micros() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

Vector normalised(Vector v) {
  double square = 0;
  for (const float x : v) square += static_cast<double>(x) * x;
  for (float& x : v) x = static_cast<float>(x / std::sqrt(square));
  return v;
}

// Around 1,000 directions that have something in common, as sentences do.
class Clusters {
 public:
  Clusters() {
    const Vector common = normalised(noise(1));
    for (std::size_t i = 0; i < kCentres; ++i) {
      centres_.push_back(normalised(noise(1)));
      for (std::size_t d = 0; d < kDimension; ++d) centres_.back()[d] += common[d];
    }
  }
  Vector next() {
    Vector v = noise(kSpread / std::sqrt(static_cast<float>(kDimension)));
    const Vector& centre = centres_[random_() % kCentres];
    for (std::size_t d = 0; d < kDimension; ++d) v[d] += centre[d];
    return normalised(std::move(v));
  }

 private:
  static constexpr std::size_t kCentres = 1'000;
  static constexpr float kSpread = 0.8F;
  Vector noise(float deviation) {
    Vector v(kDimension);
    for (float& x : v) x = deviation * normal_(random_);
    return v;
  }
  std::mt19937 random_{kSeed};
  std::normal_distribution<float> normal_;
  std::vector<Vector> centres_;
};

// Row i is point i.
class Points {
 public:
  Points() : index_(kDimension, slots_) {}
  void add(const Vector& vector) {
    Uuid id;
    const std::uint64_t number = slots_.bound(), mixed = number * 0x9E3779B97F4A7C15U;  // ids in no order
    std::memcpy(id.bytes.data(), &mixed, sizeof mixed);
    std::memcpy(id.bytes.data() + sizeof mixed, &number, sizeof number);
    const Slot slot = slots_.add(id);
    const double start = thread_micros();
    index_.put(slot, vector);
    put_micros_ += thread_micros() - start;
  }
  std::size_t size() const { return index_.size(); }
  double put_micros() const { return put_micros_ / static_cast<double>(size()); }
  Result<std::vector<Hit>> find(const Vector& query, std::size_t k, const SlotSet* filter,
                                DenseTrace* trace = nullptr) const {
    return index_.search(query, k, filter, Deadline::never(), trace);
  }
  std::vector<Hit> find_exactly(const Vector& query, std::size_t k) const {
    TopHits best(k);
    for (Slot slot = 0; slot < slots_.bound(); ++slot) {
      const float score = best_kernels().dot(query.data(), index_.vector(slot).data(), kDimension);
      if (best.wants(score)) best.offer({slot, slots_.id(slot), score});
    }
    return best.take();
  }
  SlotSet random_part(double share) const {
    std::mt19937 random(kSeed);
    std::bernoulli_distribution in(share);
    SlotSet part;
    for (Slot slot = 0; slot < slots_.bound(); ++slot)
      if (in(random)) part.insert(slot);
    return part;
  }

 private:
  testing::ListedSlots slots_;
  DenseIndex index_;
  double put_micros_ = 0;
};

std::vector<double> times(const std::vector<Vector>& queries, const Search& search) {
  std::vector<double> micros;
  for (const Vector& query : queries) {
    const double start = thread_micros();
    const auto hits = search(query);
    micros.push_back(thread_micros() - start);
    if (!hits) micros.back() = std::nan("");
  }
  return micros;
}

double quantile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  return values[std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())))];
}

void show(const std::string& what, const std::vector<double>& micros, const std::string& more) {
  fmt::print("{:34} least {:7.0f} µs  p50 {:7.0f}  p90 {:7.0f}  {}\n", what, quantile(micros, 0), quantile(micros, 0.5),
             quantile(micros, 0.9), more);
  std::fflush(stdout);
}

// Bytes that memcpy copies in a second, far beyond the caches.
double copied_a_second() {
  std::vector<char> from(std::size_t{256} << 20, 1), to(from.size());
  std::vector<double> micros;
  for (int round = 0; round < 9; ++round) {
    const double start = thread_micros();
    std::memcpy(to.data(), from.data(), from.size());
    micros.push_back(thread_micros() - start);
    from[static_cast<std::size_t>(round)] = to[to.size() - 1 - static_cast<std::size_t>(round)];
  }
  return static_cast<double>(from.size()) / quantile(micros, 0.5) * 1e6;
}

int own_figures() {
  const double memcpy_rate = copied_a_second();
  Clusters clusters;
  Points all;
  fmt::print("{} kernels, seed {}; memcpy copies {:.1f} GB/s\n", best_kernels().name, kSeed, memcpy_rate / 1e9);
  for (const std::size_t size : {std::size_t{100'000}, std::size_t{1'000'000}}) {
    while (all.size() < size) all.add(clusters.next());
    std::vector<Vector> queries;
    for (int i = 0; i < 300; ++i) queries.push_back(clusters.next());
    std::size_t by_bytes = 0, exactly = 0, coarse = 0, hits = 0, expected = 0;
    for (std::size_t i = 0; i < queries.size(); ++i) {
      DenseTrace trace;
      const auto found = all.find(queries[i], kNearest, nullptr, &trace);
      if (!found) return 1;
      by_bytes += trace.by_bytes;
      exactly += trace.exactly;
      coarse += trace.coarse_parts > 0;
      if (i >= 100) continue;
      for (const Hit& hit : all.find_exactly(queries[i], kNearest)) {
        ++expected;
        hits += static_cast<std::size_t>(std::ranges::count(*found, hit.slot, &Hit::slot));
      }
    }
    fmt::print(
        "{} points: {:.1f} µs to put one; recall@10 {:.4f}; {} by bytes, {} by floats, {} of {} coarsely first\n", size,
        all.put_micros(), static_cast<double>(hits) / static_cast<double>(expected), by_bytes / queries.size(),
        exactly / queries.size(), coarse, queries.size());
    const auto every = [&](const Vector& query) { return all.find(query, kNearest, nullptr); };
    const auto micros = times(queries, every);
    // Of one bit a dimension, or of the coarse look, with two floats a point.
    const double read = 2 * coarse > queries.size() ? kCoarseDimensions : kDimension;
    const double bytes = static_cast<double>(size) * (read / 8 + 8);
    const double rate = bytes / quantile(micros, 0.5) * 1e6;
    show("ten of all", micros, fmt::format("codes {:.1f} GB/s, {:.2f} of memcpy", rate / 1e9, rate / memcpy_rate));
    for (const double share : {0.01, 0.1, 0.5}) {
      const SlotSet part = all.random_part(share);
      show(fmt::format("ten of a random {:.0f} %", share * 100),
           times(queries, [&](const Vector& query) { return all.find(query, kNearest, &part); }), "");
    }
  }
  return 0;
}

bool read_rows(const char* path, const std::function<void(const Vector&)>& take) {
  std::ifstream file(path, std::ios::binary);
  Vector row(kDimension);
  while (file.read(reinterpret_cast<char*>(row.data()), static_cast<std::streamsize>(kDimension * sizeof(float))))
    take(row);
  return file.eof();
}

int serve(const char* points_path, const char* queries_path) {
  Points points;
  std::vector<Vector> queries;
  if (!read_rows(points_path, [&](const Vector& row) { points.add(row); }) ||
      !read_rows(queries_path, [&](const Vector& row) { queries.push_back(row); }) || queries.empty()) {
    fmt::print(stderr, "vectors_bench: cannot read {} or {}\n", points_path, queries_path);
    return 1;
  }
  fmt::print("{} {} {:.2f}\n", points.size(), best_kernels().name, points.put_micros());
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, out;
    std::size_t k = 0;
    double share = 1;
    words >> command >> k >> share;
    const SlotSet part = points.random_part(share);
    const Search search = [&](const Vector& query) { return points.find(query, k, share < 1 ? &part : nullptr); };
    if (command == "time") {
      for (const double micros : times(queries, search)) out += fmt::format("{:.2f} ", micros);
    } else if (command == "answers" && k > 0 && k <= 10'000) {
      for (const Vector& query : queries) {
        const auto hits = search(query);
        if (!hits) return 1;
        for (const Hit& hit : *hits) out += fmt::format("{} ", hit.slot);
      }
    } else {
      return 2;
    }
    fmt::print("{}\n", out);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  if (count == 4 && std::string_view(words[1]) == "--serve") return serve(words[2], words[3]);
  if (count == 1) return own_figures();
  fmt::print(stderr, "usage: vectors_bench [--serve POINTS QUERIES]\n");
  return 2;
}
