#include "vectors/collection.h"

#include <cstdlib>
#include <filesystem>
#include <future>

#include <gtest/gtest.h>

#include "base/random.h"
#include "vectors/engine.h"
#include "vectors/searching.h"

namespace pandora::qdrant {
namespace {

namespace fs = std::filesystem;

class Directory {
 public:
  Directory() {
    std::string made = (fs::temp_directory_path() / "pandora-collection-XXXXXX").string();
    path_ = ::mkdtemp(made.data());
  }
  ~Directory() { fs::remove_all(path_); }
  std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

JsonTape tape_of(const std::string& text) { return JsonTape::parse(text).value(); }

CollectionParams params_of(const std::string& text) { return read_create_collection(tape_of(text).root()).value(); }

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

constexpr const char* kPlain = R"({"vectors":{"size":2,"distance":"Dot"}})";

TEST(Collection, what_was_written_is_there_after_the_next_start) {
  const Directory directory;
  {
    const auto made = Collection::create(directory.path(), params_of(kPlain)).value();
    const auto index = read_create_index(tape_of(R"({"field_name":"k","field_schema":"keyword"})").root()).value();
    ASSERT_TRUE(write(*made, index));
    ASSERT_TRUE(upsert(*made, R"({"id":1,"vector":[1,2],"payload":{"k":"a"}},{"id":2,"vector":[3,4]})"));
    ASSERT_TRUE(write(*made, one(read_delete_points(tape_of(R"({"points":[2]})").root()))));
    ASSERT_TRUE(upsert(*made, R"({"id":"00000000-0000-0000-0000-000000000001","vector":[5,6],"payload":{"k":"b"}})"));
  }
  const auto opened = Collection::open(directory.path());
  ASSERT_FALSE(opened->damage()) << opened->damage()->message;
  const CollectionMemory& memory = opened->memory();
  EXPECT_EQ(memory.table().size(), 2U);
  const auto slot = memory.table().find(PointId::of(1));
  ASSERT_TRUE(slot);
  EXPECT_EQ(memory.payload(*slot), R"({"k":"a"})");
  EXPECT_EQ(std::get<std::vector<float>>(memory.vectors(*slot).at(0)), (std::vector<float>{1, 2}));
  ASSERT_TRUE(memory.index("k"));
  EXPECT_EQ(memory.index("k")->points(), 2U);
}

TEST(Collection, a_batch_with_one_bad_operation_leaves_nothing_behind) {
  const Directory directory;
  const auto collection = Collection::create(directory.path(), params_of(kPlain)).value();
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
  const Directory directory;
  const auto collection = Collection::create(directory.path(), params_of(kPlain)).value();
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

TEST(Collection, an_empty_one_takes_no_more_than_64_kib_of_disk) {
  const Directory directory;
  const auto collection = Collection::create(directory.path(), params_of(kPlain)).value();
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(directory.path())) bytes += entry.file_size();
  EXPECT_LE(bytes, 64U * 1024);
}

TEST(Collection, a_damaged_row_makes_it_red_and_says_which_point) {
  const Directory directory;
  {
    const auto collection = Collection::create(directory.path(), params_of(kPlain)).value();
    ASSERT_TRUE(upsert(*collection, R"({"id":41,"vector":[1,2]})"));
  }
  {
    const auto connection = Connection::open(directory.path() + "/points.db", "").value();
    ASSERT_TRUE(connection->run("UPDATE points SET payload = '{\"other\":1}'"));
  }
  const auto opened = Collection::open(directory.path());
  ASSERT_TRUE(opened->damage());
  EXPECT_EQ(opened->damage()->code, ErrorCode::kDataCorrupt);
  EXPECT_NE(opened->damage()->message.find("point 41"), std::string::npos) << opened->damage()->message;
}

TEST(Engine, of_two_collections_the_one_with_a_torn_file_is_red_and_the_other_serves) {
  const Directory directory;
  const auto files = make_posix_file_system();
  SystemRandom random;
  {
    const auto engine = Engine::open(directory.path(), *files, random).value();
    ASSERT_TRUE(engine->create("good", params_of(kPlain)));
    ASSERT_TRUE(engine->create("bad", params_of(kPlain)));
    EXPECT_EQ(Engine::open(directory.path(), *files, random).error().code, ErrorCode::kConflict);
  }
  const Catalogue catalogue = Catalogue::read(*files, directory.path() + "/catalogue.json").value();
  const std::string torn = directory.path() + "/collections/" + catalogue.collections.at("bad") + "/points.db";
  fs::resize_file(torn, 5000);
  fs::create_directories(directory.path() + "/collections/stray");
  const auto engine = Engine::open(directory.path(), *files, random).value();
  EXPECT_TRUE(engine->find("bad").value()->damage());
  EXPECT_FALSE(engine->find("good").value()->damage());
  EXPECT_FALSE(fs::exists(directory.path() + "/collections/stray"));
  ASSERT_TRUE(engine->remove("bad").value());
  EXPECT_FALSE(fs::exists(torn));
}

// Every distance, with and without a filter, against reading everything.
TEST(Searching, what_is_found_is_what_reading_every_vector_finds) {
  constexpr std::size_t kSize = 24, kPoints = 3'000, kLimit = 20;
  SeededRandom random(7);
  const auto component = [&] { return static_cast<float>(static_cast<double>(random.next() % 2001) / 1000 - 1); };
  for (const Distance distance : {Distance::kCosine, Distance::kDot, Distance::kEuclid, Distance::kManhattan}) {
    CollectionParams params;
    params.dense[""] = {kSize, distance};
    CollectionMemory memory(std::move(params));
    FieldSchema integers;
    integers.type = FieldType::kInteger;
    memory.add_index(memory.make_index(PayloadPath::parse("g").value(), integers));
    std::vector<std::vector<float>> vectors;
    for (std::size_t i = 0; i < kPoints; ++i) {
      DenseInput input;
      for (std::size_t j = 0; j < kSize; ++j) input.values.push_back(component());
      vectors.push_back(DenseSpace::prepare(input, {kSize, distance}).value());
      memory.put({PointId::of(i), 1, "{\"g\":" + std::to_string(i % 10) + "}", {{0, vectors.back()}}});
    }
    for (const bool filtered : {false, true}) {
      QueryRequest request;
      DenseInput target;
      for (std::size_t j = 0; j < kSize; ++j) target.values.push_back(component());
      request.step.query = Nearest{VectorInput(target)};
      request.step.limit = kLimit;
      if (filtered)
        request.step.filter =
            read_filter(tape_of(R"({"must":[{"key":"g","match":{"value":3}}]})").root(), "filter").value();
      const auto found = run_query(request, memory, Deadline::never()).value();
      const auto query = DenseSpace::prepare(target, {kSize, distance}).value();
      std::vector<std::pair<float, std::size_t>> all;
      for (std::size_t i = 0; i < kPoints; ++i)
        if (!filtered || i % 10 == 3)
          all.emplace_back(-memory.dense(0)->score(query, *memory.table().find(PointId::of(i))), i);
      std::ranges::sort(all);
      ASSERT_EQ(found.points.size(), kLimit);
      for (std::size_t i = 0; i < kLimit; ++i)
        EXPECT_FLOAT_EQ(found.points[i].score, -all[i].first) << to_string(distance);
    }
  }
}

TEST(Filter, one_nested_a_thousand_deep_is_refused_before_anyone_follows_it) {
  std::string text = "{}";
  for (int i = 0; i < 1000; ++i) text = R"({"must":[)" + text + "]}";
  EXPECT_FALSE(JsonTape::parse(text));
}

TEST(PointTable, integers_come_before_uuids_and_a_uuid_of_zeros_is_no_integer) {
  PointTable table;
  const auto uuid = [](const char* text) { return PointId::of(*parse_uuid(text)); };
  const std::vector<PointId> ids = {PointId::of(0),
                                    PointId::of(7),
                                    PointId::of(~0ULL),
                                    uuid("00000000-0000-0000-0000-000000000000"),
                                    uuid("00000000-0000-0000-0000-000000000007"),
                                    uuid("00000000-0000-0001-0000-000000000000"),
                                    uuid("ffffffff-ffff-ffff-ffff-ffffffffffff")};
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) table.add(*id);
  ASSERT_EQ(table.size(), ids.size());
  for (std::size_t from = 0; from < ids.size(); ++from) {
    std::vector<PointId> seen;
    table.visit_from(ids[from], [&](const PointId& id, Slot slot) {
      EXPECT_EQ(table.id(slot), id);
      seen.push_back(id);
      return true;
    });
    EXPECT_EQ(seen, std::vector<PointId>(ids.begin() + static_cast<std::ptrdiff_t>(from), ids.end()));
  }
  table.remove(*table.find(ids[4]));
  EXPECT_FALSE(table.find(ids[4]));
  EXPECT_TRUE(table.find(ids[1]));
}

}  // namespace
}  // namespace pandora::qdrant
