// What a power cut leaves of objects: all of one or nothing, whatever the moment, and what was said to be kept is.
#include "base/hash.h"
#include "contract/object_store_contract.h"

namespace pandora {
namespace {

constexpr std::uint64_t kSeeds = 6;
constexpr std::uint64_t kMaxPoints = 60;
const std::string kOld(3000, 'o'), kNew(3000, 'n');

class ObjectCrashContract : public ::testing::TestWithParam<Implementation<CrashingObjectStoreSetup>> {
 protected:
  using Change = std::function<Status(ObjectStore&)>;
  using Check = std::function<void(ObjectStore&, bool succeeded)>;

  enum class Fault { kPowerCut, kOneFailureThenAgain };
  // At every operation of `change` in turn, on a store that holds kOld.
  static void at_every_point(Fault fault, const Change& change, const Check& check) {
    bool reached_the_end = false;
    for (std::uint64_t point = 0; point < kMaxPoints && !reached_the_end; ++point)
      for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        SCOPED_TRACE("operation " + std::to_string(point) + ", seed " + std::to_string(seed));
        SeededRandom random(seed * 1'000 + point);
        const auto setup = GetParam().make();
        must(setup->store().put(kOld, "image/png", kNever));
        if (fault == Fault::kPowerCut)
          setup->die_after(point);
        else
          setup->fail_after(point);
        bool succeeded = change(setup->store()).has_value();
        reached_the_end = succeeded;
        if (fault == Fault::kOneFailureThenAgain && !succeeded) succeeded = change(setup->store()).has_value();
        setup->crash(random);
        check(setup->store(), succeeded);
        if (HasFailure()) return;
      }
    EXPECT_TRUE(reached_the_end) << "the change has more operations than were tried";
  }
  static bool holds(ObjectStore& store, const std::string& bytes) {
    const auto got = store.get(sha256_hex(bytes), kNever);
    EXPECT_TRUE(got ? *got == bytes : got.error().code == ErrorCode::kNotFound);
    return got.has_value();
  }
  static Status put_new(ObjectStore& store) {
    return store.put(kNew, "image/png", kNever).map([](auto&&) {});
  }
  static Status remove_old(ObjectStore& store) { return store.remove(sha256_hex(kOld), kNever); }
};

TEST_P(ObjectCrashContract, WhatWasKeptIsThereAndWhatWasNotIsNotThereInPart) {
  for (const Fault fault : {Fault::kPowerCut, Fault::kOneFailureThenAgain})
    at_every_point(fault, put_new, [](ObjectStore& store, bool succeeded) {
      const bool there = holds(store, kNew);
      EXPECT_TRUE(there || !succeeded);
      EXPECT_TRUE(holds(store, kOld));
      EXPECT_EQ(must(store.list("", kMaxObjectList, kNever)).size(), there ? 2u : 1u);
    });
}

TEST_P(ObjectCrashContract, WhatWasRemovedIsGoneForGood) {
  for (const Fault fault : {Fault::kPowerCut, Fault::kOneFailureThenAgain})
    at_every_point(fault, remove_old,
                   [](ObjectStore& store, bool succeeded) { EXPECT_TRUE(!holds(store, kOld) || !succeeded); });
}

TEST_P(ObjectCrashContract, ADamagedOneIsMadeGoodByKeepingItAgain) {
  const auto setup = GetParam().make();
  const std::string key = must(setup->store().put(kOld, "image/png", kNever));
  setup->damage(key);
  EXPECT_FAILS(kDataCorrupt, setup->store().get(key, kNever));
  must(setup->store().put(kOld, "image/png", kNever));
  EXPECT_EQ(must(setup->store().get(key, kNever)), kOld);
}

INSTANTIATE_TEST_SUITE_P(Objects, ObjectCrashContract, ::testing::ValuesIn(crashing_object_stores()),
                         kImplementationName);

}  // namespace
}  // namespace pandora
