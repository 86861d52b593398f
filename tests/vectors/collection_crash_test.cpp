// A collection on a disk that forgets what was not synced, tears and reorders it, or is full.
#include <future>
#include <iostream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "support/fault_file_system.h"
#include "support/sqlite_fault_vfs.h"
#include "vectors/bodies.h"
#include "vectors/collection.h"

namespace pandora::qdrant {
namespace {

using testing::FaultFileSystem;
using testing::SqliteFaultVfs;

const SystemClock kClock;
constexpr const char* kDirectory = "/data/c";
constexpr std::size_t kIds = 60, kLives = 120;

class BadDisk : public ::testing::Test {
 protected:
  void create() {
    ASSERT_TRUE(files_.create_directories(kDirectory));
    collection_ = Collection::create(files_, kClock, kDirectory, params_of(kPlain), vfs_.name()).value();
    for (const char* directory : {kDirectory, "/data", "/"}) ASSERT_TRUE(files_.sync_directory(directory));
  }
  // Points with `value` in their payload, all of them or none.
  Outcome<Written> put(const std::vector<std::uint64_t>& ids, std::uint64_t value) {
    std::string body = "{\"points\":[";
    for (const std::uint64_t id : ids)
      body += fmt::format("{}{{\"id\":{},\"vector\":[{},1],\"payload\":{{\"v\":{}}}}}", body.back() == '[' ? "" : ",",
                          id, value, value);
    const JsonTape tape = JsonTape::parse(body += "]}").value();
    return write(read_upsert(tape.root()).value());
  }
  Outcome<Written> remove(std::uint64_t id) {
    const std::string body = fmt::format("{{\"points\":[{}]}}", id);
    const JsonTape tape = JsonTape::parse(body).value();
    return write(read_delete_points(tape.root()).value());
  }
  Outcome<Written> write(Operation operation) {
    std::vector<Operation> operations;
    operations.push_back(std::move(operation));
    std::promise<Outcome<Written>> done;
    collection_->write(std::move(operations), 0, Collection::Acknowledge::kWhenDurable,
                       [&](Outcome<Written> written) { done.set_value(std::move(written)); });
    return done.get_future().get();
  }
  std::map<std::uint64_t, std::string> there() const {
    std::map<std::uint64_t, std::string> points;
    const CollectionMemory& memory = collection_->memory();
    const auto lock = memory.lock().read();
    memory.table().visit_from(PointId(), [&](const PointId& id, Slot slot) {
      return points[id.number()] = std::string(memory.payload(slot)), true;
    });
    return points;
  }
  static std::string payload(std::uint64_t value) { return fmt::format("{{\"v\":{}}}", value); }

  FaultFileSystem files_;
  SqliteFaultVfs vfs_{files_, "collection-on-a-bad-disk"};
  std::shared_ptr<Collection> collection_;
};

TEST_F(BadDisk, after_a_power_cut_everything_that_was_acknowledged_is_there_and_nothing_by_halves) {
  const std::uint64_t seed = SystemRandom().next();
  std::cout << "seed " << seed << "\n";
  SeededRandom random(seed);
  create();
  std::map<std::uint64_t, std::string> known;
  std::size_t kept = 0;
  for (std::size_t life = 0; life < kLives; ++life) {
    files_.die_after(random.below(150));
    std::map<std::uint64_t, std::string> perhaps = known;  // with what was under way
    for (;;) {
      if (random.below(6) == 0) {
        if (!collection_->keep()) break;
        ++kept;
        continue;
      }
      perhaps = known;
      bool done = false;
      if (random.below(4) == 0) {
        const std::uint64_t id = random.below(kIds);
        perhaps.erase(id);
        done = remove(id).has_value();
      } else {
        std::vector<std::uint64_t> ids;
        for (std::uint64_t i = random.below(8) + 1; i > 0; --i) ids.push_back(random.below(kIds));
        const std::uint64_t value = random.next() >> 20;
        for (const std::uint64_t id : ids) perhaps[id] = payload(value);
        done = put(ids, value).has_value();
      }
      // A removal of what is not there writes nothing, and succeeds on a dead disk too.
      if (!done) break;
      known = perhaps;
    }
    collection_->abandon();  // it ended without a word
    collection_.reset();
    files_.crash(random);
    vfs_.forget();
    collection_ = Collection::open(files_, kClock, kDirectory, vfs_.name());
    ASSERT_FALSE(collection_->damage()) << "life " << life << ": " << collection_->damage()->to_line();
    const auto found = there();
    ASSERT_TRUE(found == known || found == perhaps) << "life " << life;
    known = found;
  }
  EXPECT_GT(kept, 10U);
}

TEST_F(BadDisk, a_full_disk_is_said_changes_nothing_and_is_over_when_there_is_room) {
  create();
  ASSERT_TRUE(put({1, 2, 3}, 7));
  const auto before = there();
  std::vector<std::uint64_t> many;
  for (std::uint64_t id = 2; id < 2'000; ++id) many.push_back(id);
  for (const std::uint64_t room : {0ULL, 1'000ULL, 40'000ULL}) {
    files_.limit_bytes(room);
    const auto refused = put(many, 8);
    ASSERT_FALSE(refused) << room;
    EXPECT_EQ(refused.error().status, 507) << refused.error().text;
    EXPECT_EQ(there(), before);
    EXPECT_FALSE(collection_->damage());
    files_.limit_bytes(std::nullopt);
  }
  files_.limit_bytes(100);
  EXPECT_FALSE(collection_->keep());
  files_.limit_bytes(std::nullopt);
  EXPECT_EQ(there(), before);
  ASSERT_TRUE(put(many, 8));
  ASSERT_TRUE(collection_->keep());
  collection_.reset();
  collection_ = Collection::open(files_, kClock, kDirectory, vfs_.name());
  EXPECT_EQ(there().size(), 1'999U);
}

}  // namespace
}  // namespace pandora::qdrant
