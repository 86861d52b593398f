#include "vectors/collection.h"

#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "support/temporary_directory.h"
#include "vectors/bodies.h"
#include "vectors/engine.h"
#include "vectors/payload_edit.h"

namespace pandora::qdrant {
namespace {

namespace fs = std::filesystem;

using testing::TemporaryDirectory;

const SystemClock kClock;

FileSystem* posix() {
  static const auto files = make_posix_file_system();
  return files.get();
}

std::vector<Operation> one(Outcome<Operation> operation) {
  std::vector<Operation> operations;
  operations.push_back(std::move(operation).value());
  return operations;
}

Outcome<Written> write(Collection& collection, WriteRequest request) {
  std::promise<Outcome<Written>> done;
  collection.write(std::move(request), 0, Collection::Acknowledge::kWhenDurable,
                   [&](Outcome<Written> written) { done.set_value(std::move(written)); });
  return done.get_future().get();
}

Outcome<Written> upsert(Collection& collection, const std::string& points) {
  const std::string body = "{\"points\":[" + points + "]}";
  return write(collection, one(read_upsert(tape_of(body).root())));
}

TEST(Collection, what_was_written_is_there_after_the_next_start) {
  const TemporaryDirectory directory;
  {
    const auto made = Collection::create(*posix(), kClock, directory.path(), params_of(kPlain)).value();
    const auto index = read_create_index(tape_of(R"({"field_name":"k","field_schema":"keyword"})").root()).value();
    ASSERT_TRUE(write(*made, index));
    ASSERT_TRUE(upsert(*made, R"({"id":1,"vector":[1,2],"payload":{"k":"a"}},{"id":2,"vector":[3,4]})"));
    ASSERT_TRUE(write(*made, one(read_delete_points(tape_of(R"({"points":[2]})").root()))));
    ASSERT_TRUE(upsert(*made, R"({"id":"00000000-0000-0000-0000-000000000001","vector":[5,6],"payload":{"k":"b"}})"));
  }
  const auto opened = Collection::open(*posix(), kClock, directory.path());
  ASSERT_FALSE(opened->damage()) << opened->damage()->message;
  const CollectionMemory& memory = opened->memory();
  EXPECT_EQ(memory.table().size(), 2U);
  const auto slot = memory.table().find(PointId::of(1));
  ASSERT_TRUE(slot);
  EXPECT_EQ(memory.payload(*slot), R"({"k":"a"})");
  EXPECT_EQ(std::get<std::vector<float>>(memory.vectors(*slot).at(0)), (std::vector<float>{1, 2}));
  ASSERT_TRUE(upsert(*opened, R"({"id":1,"vector":[1,2],"payload":{"k":"a"}})"));  // behind the filling of the index
  ASSERT_TRUE(memory.index("k"));
  EXPECT_EQ(memory.index("k")->points(), 2U);
}

TEST(Collection, a_batch_with_one_bad_operation_leaves_nothing_behind) {
  const TemporaryDirectory directory;
  const auto collection = Collection::create(*posix(), kClock, directory.path(), params_of(kPlain)).value();
  ASSERT_TRUE(upsert(*collection, R"({"id":1,"vector":[1,2],"payload":{"v":1}})"));
  std::vector<Operation> batch;
  batch.push_back(
      read_upsert(tape_of(R"({"points":[{"id":1,"vector":[9,9]},{"id":7,"vector":[9,9]}]})").root()).value());
  batch.push_back(read_set_payload(tape_of(R"({"payload":{"v":2},"points":[1]})").root()).value());
  batch.push_back(read_set_payload(tape_of(R"({"payload":{"v":3},"points":[999]})").root()).value());
  const auto refused = write(*collection, std::move(batch));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 404);
  const CollectionMemory& memory = collection->memory();
  EXPECT_EQ(memory.table().size(), 1U);
  EXPECT_EQ(memory.payload(*memory.table().find(PointId::of(1))), R"({"v":1})");
}

TEST(Collection, later_operations_of_a_batch_see_what_the_earlier_ones_did) {
  const TemporaryDirectory directory;
  const auto collection = Collection::create(*posix(), kClock, directory.path(), params_of(kPlain)).value();
  ASSERT_TRUE(
      upsert(*collection, R"({"id":1,"vector":[1,2],"payload":{"v":1}},{"id":2,"vector":[1,2],"payload":{"v":1}})"));
  std::vector<Operation> batch;
  batch.push_back(read_set_payload(tape_of(R"({"payload":{"v":2},"points":[1]})").root()).value());
  batch.push_back(
      read_delete_points(tape_of(R"({"filter":{"must":[{"key":"v","match":{"value":2}}]}})").root()).value());
  batch.push_back(read_upsert(tape_of(R"({"points":[{"id":3,"vector":[0,1],"payload":{"v":2}}]})").root()).value());
  ASSERT_TRUE(write(*collection, std::move(batch)));
  const PointTable& table = collection->memory().table();
  EXPECT_FALSE(table.find(PointId::of(1)));
  EXPECT_TRUE(table.find(PointId::of(2)));
  EXPECT_TRUE(table.find(PointId::of(3)));
}

TEST(Collection, a_payload_becomes_as_deep_as_an_upsert_may_bring_and_no_deeper) {
  const TemporaryDirectory directory;
  const auto collection = Collection::create(*posix(), kClock, directory.path(), params_of(kPlain)).value();
  ASSERT_TRUE(upsert(*collection, R"({"id":1,"vector":[1,2]})"));
  std::string key = "a";
  for (std::size_t i = 1; i < kMaxPathSteps; ++i) key += ".a";
  const auto set = [&](std::size_t depth) {  // behind the steps of the key
    const std::string payload = "{\"b\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
    const std::string body = R"({"points":[1],"key":")" + key + R"(","payload":)" + payload + "}";
    return write(*collection, one(read_set_payload(tape_of(body).root())));
  };
  const auto refused = set(kMaxPayloadDepth - kMaxPathSteps + 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 400);
  ASSERT_TRUE(set(kMaxPayloadDepth - kMaxPathSteps));
  const std::string payload(collection->memory().payload(*collection->memory().table().find(PointId::of(1))));
  EXPECT_TRUE(upsert(*collection, R"({"id":2,"vector":[1,2],"payload":)" + payload + "}"));
}

TEST(Collection, an_empty_one_takes_no_more_than_64_kib_of_disk) {
  const TemporaryDirectory directory;
  const auto collection = Collection::create(*posix(), kClock, directory.path(), params_of(kPlain)).value();
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory.path()))
    if (entry.is_regular_file()) bytes += entry.file_size();
  EXPECT_LE(bytes, 64U * 1024);
}

// Golden: docs/formats.md describes these bytes.
TEST(CollectionFile, a_change_lies_on_disk_as_it_always_did) {
  const TemporaryDirectory directory;
  {
    const auto collection = Collection::create(*posix(), kClock, directory.path(), params_of(kPlain)).value();
    ASSERT_TRUE(upsert(*collection, R"({"id":7,"vector":[1,2],"payload":{"k":1}})"));
    ASSERT_TRUE(upsert(*collection, R"({"id":"01020304-0506-0708-090a-0b0c0d0e0f10","vector":{}})"));
    ASSERT_TRUE(write(*collection, one(read_delete_points(
                                       tape_of(R"({"points":["01020304-0506-0708-090a-0b0c0d0e0f10"]})").root()))));
  }
  const auto connection = Connection::open(directory.path() + "/points.db", "").value();
  auto rows = connection->query("SELECT lower(hex(bytes)), number FROM changes ORDER BY row").value();
  const char* const wanted[] = {
      "01000000000000000000000000000000070100000000000000070000007b226b223a317d010000020000000000803f000000404056c3b0",
      "020102030405060708090a0b0c0d0e0f100200000000000000020000007b7d0011854b2a",
      "040102030405060708090a0b0c0d0e0f100300000000000000cdc4e227"};
  std::int64_t number = 0;
  for (const char* bytes : wanted) {
    ASSERT_TRUE(rows.next().value());
    EXPECT_EQ(rows.text(0), bytes);
    EXPECT_EQ(rows.integer(1), ++number);
  }
  EXPECT_FALSE(rows.next().value());
}

TEST(Collection, a_damaged_change_makes_it_red_and_says_which_row) {
  const TemporaryDirectory directory;
  {
    const auto collection = Collection::create(*posix(), kClock, directory.path(), params_of(kPlain)).value();
    ASSERT_TRUE(upsert(*collection, R"({"id":41,"vector":[1,2]})"));
  }
  {
    const auto connection = Connection::open(directory.path() + "/points.db", "").value();
    ASSERT_TRUE(connection->run("UPDATE changes SET bytes = zeroblob(length(bytes))"));
  }
  const auto opened = Collection::open(*posix(), kClock, directory.path());
  ASSERT_TRUE(opened->damage());
  EXPECT_EQ(opened->damage()->code, ErrorCode::kDataCorrupt);
  EXPECT_NE(opened->damage()->message.find("row 1"), std::string::npos) << opened->damage()->message;
}

// Everything that a point may have, in ever new states, kept in parts now and then.
class Kept : public ::testing::Test {
 protected:
  static constexpr std::size_t kIds = 300;
  void SetUp() override {
    collection_ = Collection::create(*posix(), kClock, directory_.path(), params_of(kEverything)).value();
    index_ = read_create_index(tape_of(R"({"field_name":"k","field_schema":"integer"})").root()).value();
    ASSERT_TRUE(write(*collection_, index_));
  }
  static std::string id(std::size_t number) {
    // Integers, UUIDs, and UUIDs that need a made-up key.
    if (number % 3 == 0) return std::to_string(number);
    return fmt::format("\"0000000{}-0000-0000-0000-{:012x}\"", number % 3 - 1, number);
  }
  // Nobody waits for each: one sync is for many.
  void queue(WriteRequest request) {
    collection_->write(std::move(request), 0, Collection::Acknowledge::kWhenQueued, [](const Outcome<Written>&) {});
  }
  void change(int times) {
    for (int i = 0; i < times; ++i) change_one();
    ASSERT_TRUE(
        write(*collection_, one(read_delete_points(tape_of(R"({"points":[999999]})").root()))));  // behind them all
  }
  void change_one() {
    const std::size_t number = random_.below(kIds);
    if (random_.below(4) == 0) {
      queue(one(read_delete_points(tape_of("{\"points\":[" + id(number) + "]}").root())));
      expected_.erase(number);
      return;
    }
    const std::uint64_t value = random_.below(1'000);
    std::string vectors = fmt::format("\"e\":[{},1]", value);
    if (value % 2 == 0) vectors += fmt::format(",\"m\":[{},2]", value);
    if (value % 3 == 0) vectors += fmt::format(R"(,"s":{{"indices":[7,{}],"values":[1,2]}})", 8 + value);
    if (value % 5 == 0) vectors += R"(,"t":{"indices":[],"values":[]})";
    queue(
        one(read_upsert(tape_of(fmt::format("{{\"points\":[{{\"id\":{},\"vector\":{{{}}},\"payload\":{{\"k\":{}}}}}]}}",
                                            id(number), vectors, value))
                            .root())));
    expected_[number] = value;
  }
  void expect() const {
    const CollectionMemory& memory = collection_->memory();
    ASSERT_FALSE(collection_->damage());
    EXPECT_EQ(memory.table().size(), expected_.size());
    EXPECT_EQ(memory.index("k") ? memory.index("k")->points() : expected_.size(), expected_.size());
    std::vector<PointId> ids;
    for (const auto& [number, value] : expected_) {
      ids.push_back(read_point_id(tape_of(id(number)).root()).value());
      const auto slot = memory.table().find(ids.back());
      ASSERT_TRUE(slot) << id(number);
      EXPECT_EQ(memory.table().id(*slot), ids.back());
      EXPECT_EQ(memory.payload(*slot), fmt::format("{{\"k\":{}}}", value));
      StoredVectors vectors;
      const auto v = static_cast<float>(value);
      vectors[0] = std::vector<float>{v, 1};
      if (value % 2 == 0) vectors[1] = std::vector<float>{v, 2};
      if (value % 3 == 0) vectors[2] = SparseVector{{7, 8 + static_cast<std::uint32_t>(value)}, {1, 2}};
      if (value % 5 == 0) vectors[3] = SparseVector{};
      const StoredVectors there = memory.vectors(*slot);
      ASSERT_EQ(there.size(), vectors.size());
      EXPECT_TRUE(there == vectors) << id(number);
    }
    std::ranges::sort(ids);
    std::vector<PointId> in_order;
    memory.table().visit_from(PointId(), [&](const PointId& id, Slot) { return in_order.push_back(id), true; });
    EXPECT_EQ(in_order, ids);
  }
  void reopen() {
    collection_.reset();
    collection_ = Collection::open(*posix(), kClock, directory_.path());
    ASSERT_FALSE(collection_->damage()) << collection_->damage()->to_line();
  }

  static constexpr const char* kEverything =
      R"({"vectors":{"e":{"size":2,"distance":"Euclid"},"m":{"size":2,"distance":"Manhattan"}},)"
      R"("sparse_vectors":{"s":{"modifier":"idf"},"t":{}}})";
  const TemporaryDirectory directory_;
  std::shared_ptr<Collection> collection_;
  IndexRequest index_;
  SeededRandom random_{20261125};
  std::map<std::size_t, std::uint64_t> expected_;
};

TEST_F(Kept, points_are_the_same_in_parts_in_changes_since_and_after_the_next_start) {
  for (int round = 0; round < 12; ++round) {
    change(150);
    expect();
    if (round % 3 != 2) {
      ASSERT_TRUE(collection_->keep());
    }
    expect();
    if (round % 2 == 0) reopen();
    expect();
  }
  EXPECT_TRUE(fs::exists(directory_.path() + "/parts/MANIFEST"));
}

TEST_F(Kept, a_part_that_is_damaged_makes_it_red_and_nothing_of_it_is_removed) {
  change(200);
  ASSERT_TRUE(collection_->keep());
  collection_.reset();
  std::vector<fs::path> parts;
  for (const auto& entry : fs::directory_iterator(directory_.path() + "/parts"))
    if (entry.path().extension() == ".part") parts.push_back(entry.path());
  ASSERT_EQ(parts.size(), 1U);
  {
    std::fstream file(parts.front(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('x');
  }
  for (int start = 0; start < 2; ++start) {
    const auto opened = Collection::open(*posix(), kClock, directory_.path());
    ASSERT_TRUE(opened->damage());
    EXPECT_EQ(opened->damage()->code, ErrorCode::kDataCorrupt);
    EXPECT_NE(opened->damage()->message.find("parts"), std::string::npos) << opened->damage()->message;
    EXPECT_TRUE(fs::exists(parts.front()));
  }
}

// Flip, zero, cut or extend anything: it is red, at the start or once everything has been read, or it answers as
// before.
TEST_F(Kept, damage_to_any_byte_range_of_its_parts_is_red_or_changes_no_answer) {
  for (const int changes : {400, 40}) {
    change(changes);
    ASSERT_TRUE(collection_->keep());
  }
  change(10);
  collection_.reset();
  const fs::path folder = directory_.path() + "/parts", kept = directory_.path() + "/kept";
  fs::copy(folder, kept);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kept)) files.push_back(entry.path());
  std::ranges::sort(files);
  ASSERT_GE(files.size(), 3U);
  constexpr std::size_t kPlaces = 40;
  std::size_t red = 0, trials = 0;
  for (const fs::path& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    for (std::size_t place = 0; place < kPlaces; ++place) {
      const std::size_t at = place * (bytes.size() - 1) / (kPlaces - 1);
      const std::size_t length = std::min<std::size_t>(bytes.size() - at, std::size_t{1} << random_.below(12));
      std::string damaged = bytes;
      if (place % 4 == 0)
        damaged[at] = static_cast<char>(damaged[at] ^ 1 << random_.below(8));
      else if (place % 4 == 1)
        std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(at), length, '\0');
      else if (place % 4 == 2)
        damaged.resize(at);
      else
        damaged.insert(at, length, 'x');
      SCOPED_TRACE(fmt::format("{} kind {} at {}", file.filename().string(), place % 4, at));
      fs::remove_all(folder);
      fs::copy(kept, folder);
      std::ofstream(folder / file.filename(), std::ios::binary | std::ios::trunc) << damaged;
      collection_ = Collection::open(*posix(), kClock, directory_.path());
      if (!collection_->damage()) {
        const CollectionMemory& memory = collection_->memory();
        memory.live().for_each([&](Slot slot) { (void)memory.payload(slot), (void)memory.vectors(slot); });
      }
      ++trials;
      if (collection_->damage())
        ++red;
      else
        expect();
      collection_->abandon();  // so that it writes nothing
      collection_.reset();
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(red, trials * 3 / 4);  // zeros over zeros are none, and what nobody lives in is read by nobody
}

TEST_F(Kept, a_crash_in_the_first_writing_of_parts_stands_in_nobodys_way) {
  change(50);
  collection_.reset();
  fs::create_directories(directory_.path() + "/parts");
  std::ofstream(directory_.path() + "/parts/000001.part") << "half a part";
  reopen();
  expect();
  ASSERT_TRUE(collection_->keep());
  reopen();
  expect();
  EXPECT_FALSE(fs::exists(directory_.path() + "/parts/000001.part"));
}

TEST_F(Kept, without_the_file_that_names_its_parts_it_is_red_and_not_empty) {
  change(200);
  ASSERT_TRUE(collection_->keep());
  collection_.reset();
  fs::remove(directory_.path() + "/parts/MANIFEST");
  const auto opened = Collection::open(*posix(), kClock, directory_.path());
  ASSERT_TRUE(opened->damage());
  EXPECT_NE(opened->damage()->message.find("missing"), std::string::npos) << opened->damage()->message;
}

TEST(Collection, damage_that_a_read_meets_later_turns_it_red) {
  const TemporaryDirectory directory;
  {
    const auto collection = Collection::create(*posix(), kClock, directory.path(), params_of(kPlain)).value();
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(upsert(*collection, fmt::format("{{\"id\":{},\"vector\":[1,2],\"payload\":{{\"n{}\":\"{}\"}}}}", i, i,
                                                  std::string(1'000, 'x'))));
    ASSERT_TRUE(collection->keep());
  }
  const auto opened = Collection::open(*posix(), kClock, directory.path());
  // In the midst of the payloads: they are read when they are asked for.
  for (const auto& entry : fs::directory_iterator(directory.path() + "/parts")) {
    if (entry.path().extension() != ".part") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    const std::size_t at = bytes.find("{\"n50\":");
    ASSERT_NE(at, std::string::npos);
    file.seekp(static_cast<std::streamoff>(at));
    file.put('y');
  }
  const auto payload_of = [&](std::uint64_t number) {
    const auto lock = opened->memory().lock().read();
    return std::string(opened->memory().payload(*opened->memory().table().find(PointId::of(number))));
  };
  EXPECT_TRUE(payload_of(0).starts_with("{\"n0\""));
  EXPECT_FALSE(opened->damage());
  EXPECT_EQ(payload_of(50), "{}");
  ASSERT_TRUE(opened->damage());
  EXPECT_EQ(opened->damage()->code, ErrorCode::kDataCorrupt);
  const auto refused = upsert(*opened, R"({"id":5,"vector":[1,2]})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 500);
}

TEST_F(Kept, what_is_mostly_dead_moves_and_its_files_go) {
  // More than vecdb leaves dead, in one part.
  const auto put_all = [&] {
    for (std::size_t first = 0; first < 4'000; first += 500) {
      std::string points;
      for (std::size_t i = first; i < first + 500; ++i)
        points += fmt::format("{}{{\"id\":{},\"vector\":{{\"e\":[{},1]}},\"payload\":{{\"k\":1}}}}",
                              i > first ? "," : "", i, i);
      ASSERT_TRUE(upsert(*collection_, points));
    }
  };
  put_all();
  ASSERT_TRUE(collection_->keep());
  std::string ids;
  for (std::size_t i = 0; i < 3'000; ++i) ids += (i > 0 ? "," : "") + std::to_string(i);
  ASSERT_TRUE(write(*collection_, one(read_delete_points(tape_of("{\"points\":[" + ids + "]}").root()))));
  for (std::size_t i = 0; i < 1'000 / 32 + 1; ++i)  // each write moves some
    ASSERT_TRUE(upsert(*collection_, R"({"id":1,"vector":{"e":[1,1]},"payload":{"k":1}})"));
  EXPECT_EQ(collection_->memory().table().size(), 1'001U);
  ASSERT_TRUE(collection_->keep());
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(directory_.path() + "/parts")) bytes += entry.file_size();
  EXPECT_LT(bytes, 1'000'000U);
  reopen();
  const CollectionMemory& memory = collection_->memory();
  EXPECT_EQ(memory.table().size(), 1'001U);
  EXPECT_EQ(std::get<std::vector<float>>(memory.vectors(*memory.table().find(PointId::of(3'999))).at(0)).front(),
            3'999);
}

TEST(Engine, of_two_collections_the_one_with_a_torn_file_is_red_and_the_other_serves) {
  const TemporaryDirectory directory;
  const auto files = make_posix_file_system();
  SystemRandom random;
  {
    const auto engine = Engine::open(directory.path(), *files, kClock, random).value();
    ASSERT_TRUE(engine->create("good", params_of(kPlain)));
    ASSERT_TRUE(engine->create("bad", params_of(kPlain)));
    EXPECT_EQ(Engine::open(directory.path(), *files, kClock, random).error().code, ErrorCode::kConflict);
  }
  const Catalogue catalogue = Catalogue::read(*files, directory.path() + "/catalogue.json").value();
  const std::string torn = directory.path() + "/collections/" + catalogue.collections.at("bad") + "/points.db";
  fs::resize_file(torn, 5000);
  const auto engine = Engine::open(directory.path(), *files, kClock, random).value();
  EXPECT_TRUE(engine->find("bad").value()->damage());
  EXPECT_FALSE(engine->find("good").value()->damage());
  ASSERT_TRUE(engine->remove("bad").value());
  EXPECT_FALSE(fs::exists(torn));
}

}  // namespace
}  // namespace pandora::qdrant
