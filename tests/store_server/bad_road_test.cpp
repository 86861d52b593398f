// The way to the server is held, cut, refused and slow at random: what was acknowledged is there, what was not is done
// whole or not at all, and it all goes on by itself.
#include <iostream>
#include <map>
#include <thread>

#include "store_server/qdrant_vector_store.h"
#include "support/tcp_gate.h"
#include "support/temporary_directory.h"
#include "support/vectors_process.h"

namespace pandora::testing {
namespace {

constexpr std::uint64_t kSeed = 20'261'125;
constexpr int kWrites = 400, kIds = 30;
constexpr Duration kPatience = std::chrono::milliseconds(150);

class BadRoad : public ::testing::Test {
 protected:
  BadRoad() {
    QdrantStoreOptions options;
    options.server.url = "http://127.0.0.1:" + std::to_string(gate_.port());
    options.server.timeouts = {kPatience, kPatience, kPatience};
    store_ = must(QdrantVectorStore::open(options, *client_, *files_));
    QdrantStoreOptions straight;
    straight.server.url = server_.url();
    calm_ = must(QdrantVectorStore::open(straight, *client_, *files_));
  }
  void clear_the_road() {
    gate_.refuse(false);
    gate_.release();
    gate_.cut_after(0);
    gate_.trickle(0);
  }
  static Uuid id_of(std::uint64_t n) {
    Uuid id;
    id.bytes[15] = static_cast<std::uint8_t>(n);
    return id;
  }
  static Point point(std::uint64_t n, std::int64_t version) {
    return {id_of(n), version, {{"", {1, static_cast<float>(n), 0, 0}}}, {}, {{"n", version}}};
  }

  const SystemClock clock_;
  const Principal system_ = Principal::system();
  SeededRandom random_{kSeed};
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  TemporaryDirectory folder_;
  IoThreads threads_{clock_, 2};
  VectorsProcess server_{folder_.path() + "/collections", *files_, threads_};
  TcpGate gate_{server_.port()};
  const std::unique_ptr<HttpClient> client_ = must(HttpClient::create({}, threads_));
  std::unique_ptr<QdrantVectorStore> store_;  // over the bad road
  std::unique_ptr<QdrantVectorStore> calm_;   // past it
};

TEST_F(BadRoad, what_was_acknowledged_is_there_and_nothing_is_half_done) {
  std::cout << "seed " << kSeed << '\n';
  must(calm_->ensure_collection({"things", 4, {}, {{"n", PayloadType::kInteger}}, "model@1", 1}, kNever));
  std::map<Uuid, std::int64_t> acknowledged, tried;
  int failed = 0;
  for (int write = 1; write <= kWrites; ++write) {
    switch (random_.below(9)) {
      case 0:
        gate_.cut();
        break;
      case 1:
        gate_.cut_after(static_cast<std::int64_t>(1 + random_.below(900)));
        break;
      case 2:
        gate_.refuse(true);
        gate_.cut();
        break;
      case 3:
        gate_.hold();
        break;
      case 4:
        gate_.trickle(1 + random_.below(100));
        break;
      default:
        clear_the_road();
    }
    // Both points or neither.
    const std::uint64_t first = random_.below(kIds / 2) * 2;
    const std::vector<Point> points = {point(first, write), point(first + 1, write)};
    const auto put = store_->upsert("things", points, system_, kNever);
    for (const Point& one : points) (put ? acknowledged : tried)[one.id] = write;
    if (put) continue;
    ++failed;
    EXPECT_TRUE(error_info(put.error().code).retryable) << put.error().to_line();
  }
  clear_the_road();
  ASSERT_GT(failed, kWrites / 10) << "the road was too good";
  ASSERT_GT(acknowledged.size(), std::size_t{kIds} / 4) << "the road was too bad";
  const auto all = must(calm_->scroll("things", {}, std::nullopt, kMaxQueryLimit, system_, kNever));
  std::map<Uuid, std::int64_t> there;
  for (const Point& one : all) {
    there[one.id] = one.version;
    EXPECT_EQ(one.payload.at("n"), PayloadValue(one.version));
  }
  for (const auto& [id, version] : acknowledged) {
    EXPECT_GE(there[id], version) << "an acknowledged write is gone";
    EXPECT_TRUE(there[id] == version || there[id] <= tried[id]) << "from nowhere";
  }
  for (std::uint64_t n = 0; n < kIds; n += 2) EXPECT_EQ(there[id_of(n)], there[id_of(n + 1)]) << "half a batch";
}

}  // namespace
}  // namespace pandora::testing
