#include "turns/memory_admission.h"

#include <gtest/gtest.h>

#include "world.h"

namespace pandora {
namespace {

struct Admitting : ::testing::Test {
  void SetUp() override { ASSERT_TRUE(world.start()); }
  AdmittedMemory decide(const std::string& content, Trust trust = Trust::kUser,
                        std::vector<std::string_view> recalled = {}) {
    MemoryAdmission admission(world.rows->memories(), world.ids, world.clock);
    const auto decided = admission.decide({UserId::parse("ana").value(), {}, {}, {MemoryKind::kFact, content, trust}},
                                          recalled, {}, world.soon());
    EXPECT_TRUE(decided);
    return decided.value();
  }
  Uuid keep(const AdmittedMemory& decided) {
    EXPECT_TRUE(world.rows->memories().put(decided.memory, decided.supersedes, Principal::of(decided.memory.user),
                                           world.soon()));
    return decided.memory.id;
  }
  testing::World world{"admission"};
};

TEST_F(Admitting, WhatWasRecalledIsNotLearntAgain) {
  const std::string known = "the boat leaves the harbour of Porto every morning at nine";
  EXPECT_EQ(decide(known, Trust::kUser, {known}).admission, Admission::kRecalledText);
}

TEST_F(Admitting, AnExactDuplicateIsRefused) {
  keep(decide("my favourite colour is red"));
  EXPECT_EQ(decide("my favourite colour is red").admission, Admission::kExactDuplicate);
}

TEST_F(Admitting, ACorrectionSupersedesAndBothStay) {
  const Uuid old = keep(decide("my favourite colour is red"));
  const auto newer = decide("my favourite colour is green");
  ASSERT_EQ(newer.admission, Admission::kAdmit);
  EXPECT_EQ(newer.supersedes, std::vector<Uuid>{old});
  keep(newer);
  EXPECT_EQ(world.rows->memories().find(old, Principal::system(), world.soon())->superseded_by, newer.memory.id);
}

TEST_F(Admitting, ALessTrustedTextSupersedesNothing) {
  keep(decide("my favourite colour is red"));
  EXPECT_TRUE(decide("my favourite colour is green", Trust::kWeb).supersedes.empty());
}

}  // namespace
}  // namespace pandora
