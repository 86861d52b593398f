// What becomes of an index whose points are all put anew, again and again: vecdb over files, slots given again where
// parts have gone, and, beside it, given once.
//
// rewrites_bench [POINTS [ROUNDS]]  100,000 points, 5 rounds. Of each round: milliseconds of a search, of one filtered
// to
//                                   1 %, and of the filter alone (medians of 200); slots; bytes a point of its own
//                                   memory and on disk.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_system.h"
#include "vecdb/index_files.h"
#include "vecdb/vectors.h"

namespace {
using namespace pandora;

constexpr std::size_t kDimension = 384, kClusters = 1'000, kGroups = 100, kLimit = 10, kAsked = 200;
constexpr std::size_t kCheckpointAt = 16'384, kMovedAtOnce = 32, kPutsBetweenMoves = 64;
constexpr std::size_t kNever = PointIndex::kMaxSlots;

double now_millis() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class Ask>
double median_millis(Ask ask) {
  std::vector<double> all;
  for (std::size_t i = 0; i < kAsked; ++i) {
    const double begun = now_millis();
    ask();
    all.push_back(now_millis() - begun);
  }
  std::ranges::nth_element(all, all.begin() + kAsked / 2);
  return all[kAsked / 2];
}

std::size_t own_bytes() {  // of this process, without mapped files
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon:")) return std::strtoull(line.c_str() + 8, nullptr, 10) * 1024;
  return 0;
}

class Rewritten {
 public:
  Rewritten(std::size_t points, std::size_t least_stretch)
      : points_(points),
        folder_((std::filesystem::temp_directory_path() / fmt::format("pandora-rewrites-{}", ::getpid())).string()),
        index_(shape(), {}, least_stretch),
        files_(*system_, folder_, id_of(0)) {}
  ~Rewritten() { std::filesystem::remove_all(folder_); }

  bool round() {
    for (std::size_t i = 0; i < points_; ++i) {
      const Vector vector = clustered_.next();
      const Payload payload{{"group", static_cast<std::int64_t>(i % kGroups)}};
      if (!index_.put({id_of(i), ++seq_, {std::span<const float>(vector)}, {}, &payload, std::to_string(i % kGroups)}))
        return false;
      if (i % kPutsBetweenMoves == 0 && !move_some()) return false;
      if (index_.unsaved() >= kCheckpointAt && !checkpoint()) return false;
    }
    do {
      if (!checkpoint()) return false;
      while (!index_.worth_moving(1).empty())
        if (!move_some()) return false;
    } while (index_.unsaved() > 0);
    return true;
  }
  void report(std::size_t round) {
    const Condition condition{.field = "group", .from = std::int64_t{7}, .to = std::int64_t{8}};
    const auto filter = [&] { return index_.select(condition).value().value().slots; };
    const double search = median_millis([&] { ask(nullptr); });
    const double select = median_millis([&] { (void)filter(); });
    const double filtered = median_millis([&] {
      const SlotSet slots = filter();
      ask(&slots);
    });
    std::uint64_t disk = 0;
    const auto listed = system_->list(folder_).value();
    for (const auto& file : listed) disk += file.size;
    fmt::print(
        "  round {:>3}  search {:.3f} ms  1 % of them {:.3f} ms  the filter alone {:.3f} ms  slots {:>9}  memory "
        "{:.0f} B  disk {:.0f} B\n",
        round, search, filtered, select, index_.bound(),
        static_cast<double>(own_bytes()) / static_cast<double>(points_),
        static_cast<double>(disk) / static_cast<double>(points_));
    std::cout.flush();
  }

 private:
  static IndexShape shape() { return {{kDimension}, 0, {{"group", PayloadType::kInteger}}, "a bench"}; }
  bool checkpoint() {
    const auto checkpoint = files_.begin(index_, IndexFiles::Scope::kTail);
    if (!checkpoint) return true;
    if (!checkpoint->write()) return false;
    files_.end(index_, *checkpoint);
    return true;
  }
  bool move_some() {
    for (const Slot slot : index_.worth_moving(kMovedAtOnce)) {
      const std::string group(index_.stored(slot).value());
      const Payload payload{{"group", static_cast<std::int64_t>(std::stoul(group))}};
      if (!index_.move(slot, payload)) return false;
    }
    return true;
  }
  void ask(const SlotSet* filter) {
    const auto hits = index_.nearest(0, clustered_.next(), kLimit, filter, Deadline::never());
    if (!hits || hits->size() != kLimit) std::abort();
  }

  const std::size_t points_;
  const std::string folder_;
  const std::unique_ptr<FileSystem> system_ = make_posix_file_system();
  std::mt19937 random_{20261126};
  ClusteredVectors clustered_{random_, kDimension, kClusters, 0.6F};
  PointIndex index_;
  IndexFiles files_;
  std::uint64_t seq_ = 0;
};

int run(std::size_t points, std::size_t rounds, std::size_t least_stretch) {
  Rewritten one(points, least_stretch);
  for (std::size_t round = 0; round <= rounds; ++round) {
    if (!one.round()) return 1;
    if (round <= 1 || round % 5 == 0) one.report(round);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t points = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const std::size_t rounds = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 5;
  fmt::print("{} points of {} dimensions in {} clusters, all of them put anew\n", points, kDimension, kClusters);
  for (const std::size_t least_stretch : {PointIndex::kLeastStretch, kNever}) {
    fmt::print("{}\n", least_stretch == kNever ? "slots given once" : "slots given again");
    std::cout.flush();
    const pid_t child = ::fork();  // so that each has memory of its own
    if (child == 0) ::_exit(run(points, rounds, least_stretch));
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) return 1;
  }
}
