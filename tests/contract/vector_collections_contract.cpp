// Collections, aliases, restarts and snapshots.
#include <algorithm>

#include "contract/vector_store_contract.h"

namespace pandora {
namespace {

TEST_P(VectorStoreContract, ACollectionIsMadeOnce) {
  put({point(1)});
  must(store().ensure_collection(small_spec(), kNever));
  EXPECT_EQ(must(store().collections(kNever)), std::vector{small_spec()});
  EXPECT_EQ(count(), 1);
}

TEST_P(VectorStoreContract, ACollectionOfAnotherShapeEmbedderOrAnalyserIsIncompatibleAndNothingChanges) {
  put({point(1)});
  std::vector<CollectionSpec> others(5, small_spec());
  others[0].dimension = 5;
  others[1].sparse = {"words"};
  others[2].indexes["more"] = PayloadType::kBool;
  others[3].embedder = "model@2";
  others[4].analyzer_version = 2;
  for (const auto& other : others) EXPECT_FAILS(kIncompatible, store().ensure_collection(other, kNever));
  EXPECT_EQ(must(store().collections(kNever)), std::vector{small_spec()});
  setup_->reopen();
  EXPECT_EQ(must(store().collections(kNever)), std::vector{small_spec()});
  EXPECT_EQ(get({id_of(1)}).at(0).dense.at(""), (std::vector<float>{1, 0, 0, 0}));
}

TEST_P(VectorStoreContract, NamesAreOfSmallLettersDigitsAndUnderscores) {
  const std::string longest(64, 'a');
  must(store().ensure_collection({longest, 1, {longest}, {{longest, PayloadType::kText}}, "", 0}, kNever));
  for (const std::string& name :
       {std::string(), std::string(65, 'a'), std::string("A"), std::string("a b"), std::string("a/b"), std::string("ä"),
        std::string("a-b"), std::string("a.b"), std::string("a\0b", 3)}) {
    EXPECT_FAILS(kInvalidArgument, store().ensure_collection({name, 1, {}, {}, "", 0}, kNever)) << name;
    EXPECT_FAILS(kInvalidArgument, store().ensure_collection({"good", 1, {name}, {}, "", 0}, kNever)) << name;
    EXPECT_FAILS(kInvalidArgument,
                 store().ensure_collection({"good", 1, {}, {{name, PayloadType::kText}}, "", 0}, kNever))
        << name;
    EXPECT_FAILS(kInvalidArgument, store().alias_switch(name, "things", kNever)) << name;
    EXPECT_FAILS(kInvalidArgument,
                 store().upsert("things", std::vector{point(1, {1, 0, 0, 0}, {{name, true}})}, system_, kNever))
        << name;
  }
  EXPECT_FAILS(kInvalidArgument, store().ensure_collection({"good", 1, {"twice", "twice"}, {}, "", 0}, kNever));
}

TEST_P(VectorStoreContract, DimensionsAndSparseVectorsHaveTheirBounds) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kMaxSparseVectors; ++i) names.push_back("v" + std::to_string(i));
  must(store().ensure_collection({"one", 1, {}, {}, "", 0}, kNever));
  must(store().ensure_collection({"most", kMaxDimension, names, {}, "", 0}, kNever));
  EXPECT_FAILS(kInvalidArgument, store().ensure_collection({"none", 0, {}, {}, "", 0}, kNever));
  EXPECT_FAILS(kTooLarge, store().ensure_collection({"wide", kMaxDimension + 1, {}, {}, "", 0}, kNever));
  names.push_back("one_more");
  EXPECT_FAILS(kTooLarge, store().ensure_collection({"many", 1, names, {}, "", 0}, kNever));
  Point wide = point(1, std::vector<float>(kMaxDimension, 1));
  EXPECT_EQ(must(store().upsert("most", {&wide, 1}, system_, kNever)), 1u);
}

TEST_P(VectorStoreContract, CollectionsAreListedByNameWithoutAliases) {
  for (const char* name : {"zebra", "apple", "0"}) must(store().ensure_collection(small_spec(name), kNever));
  must(store().alias_switch("banana", "apple", kNever));
  std::vector<std::string> names;
  for (const auto& spec : must(store().collections(kNever))) names.push_back(spec.name);
  EXPECT_EQ(names, (std::vector<std::string>{"0", "apple", "things", "zebra"}));
}

TEST_P(VectorStoreContract, ADroppedCollectionIsGoneWithItsPointsAndAliases) {
  put({point(1)});
  must(store().alias_switch("alias", "things", kNever));
  must(store().drop_collection("things", kNever));
  must(store().drop_collection("things", kNever));  // missing is fine
  for (const bool again : {false, true}) {
    if (again) setup_->reopen();
    EXPECT_TRUE(must(store().collections(kNever)).empty());
    EXPECT_FAILS(kNotFound, store().count("things", {}, system_, kNever));
    EXPECT_FAILS(kNotFound, store().count("alias", {}, system_, kNever));
  }
  must(store().ensure_collection(small_spec(), kNever));
  EXPECT_EQ(count(), 0);
  EXPECT_FAILS(kNotFound, store().count("alias", {}, system_, kNever));
}

TEST_P(VectorStoreContract, DroppingAnAliasLeavesTheCollection) {
  must(store().alias_switch("alias", "things", kNever));
  must(store().drop_collection("alias", kNever));
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(must(store().count("alias", {}, system_, kNever)), 0);
}

TEST_P(VectorStoreContract, WhatNamesNoCollectionIsNotFound) {
  const std::vector<Uuid> ids = {id_of(1)};
  const std::vector<Point> points = {point(1)};
  EXPECT_FAILS(kNotFound, store().upsert("nothing", points, system_, kNever));
  EXPECT_FAILS(kNotFound, store().remove("nothing", ids, system_, kNever));
  EXPECT_FAILS(kNotFound, store().query("nothing", {.nearest = std::vector<float>{1, 0, 0, 0}}, system_, kNever));
  EXPECT_FAILS(kNotFound, store().retrieve("nothing", ids, system_, kNever));
  EXPECT_FAILS(kNotFound, store().scroll("nothing", {}, std::nullopt, 1, system_, kNever));
  EXPECT_FAILS(kNotFound, store().count("nothing", {}, system_, kNever));
  EXPECT_FAILS(kNotFound, store().snapshot("nothing", setup_->new_path("nothing"), kNever));
  EXPECT_FAILS(kNotFound, store().alias_switch("alias", "nothing", kNever));
}

TEST_P(VectorStoreContract, AnAliasStandsForItsCollectionInEveryCall) {
  must(store().alias_switch("alias", "things", kNever));
  const std::vector<Point> points = {point(1), point(2)};
  const std::vector<Uuid> first = {id_of(1)}, second = {id_of(2)};
  EXPECT_EQ(must(store().upsert("alias", points, system_, kNever)), 2u);
  EXPECT_EQ(must(store().remove("alias", first, system_, kNever)), 1u);
  EXPECT_EQ(numbers(must(store().query("alias", {.nearest = std::vector<float>{1, 0, 0, 0}}, system_, kNever))),
            Numbers{2});
  EXPECT_EQ(numbers(must(store().retrieve("alias", second, system_, kNever))), Numbers{2});
  EXPECT_EQ(numbers(must(store().scroll("alias", {}, std::nullopt, 10, system_, kNever))), Numbers{2});
  EXPECT_EQ(must(store().count("alias", {}, system_, kNever)), 1);
  must(store().snapshot("alias", setup_->new_path("of_alias"), kNever));
  EXPECT_EQ(count(), 1);
}

TEST_P(VectorStoreContract, AnAliasIsSwitchedInOneStepAndOutlivesARestart) {
  put({point(1)});
  must(store().ensure_collection(small_spec("other"), kNever));
  const std::vector<Point> points = {point(2), point(3)};
  must(store().upsert("other", points, system_, kNever));
  must(store().alias_switch("alias", "things", kNever));
  EXPECT_EQ(must(store().count("alias", {}, system_, kNever)), 1);
  must(store().alias_switch("alias", "other", kNever));
  EXPECT_EQ(must(store().count("alias", {}, system_, kNever)), 2);
  setup_->reopen();
  EXPECT_EQ(must(store().count("alias", {}, system_, kNever)), 2);
  EXPECT_EQ(count(), 1);
}

TEST_P(VectorStoreContract, AnAliasAndACollectionNeverShareAName) {
  must(store().ensure_collection(small_spec("other"), kNever));
  EXPECT_FAILS(kConflict, store().alias_switch("other", "things", kNever));
  must(store().alias_switch("alias", "things", kNever));
  EXPECT_FAILS(kConflict, store().ensure_collection(small_spec("alias"), kNever));
  EXPECT_FAILS(kNotFound, store().alias_switch("second", "alias", kNever)) << "an alias is of a collection";
  EXPECT_EQ(must(store().collections(kNever)).size(), 2u);
}

TEST_P(VectorStoreContract, AfterADeadlineNothingIsDone) {
  put({point(1)});
  const std::vector<Uuid> ids = {id_of(1)};
  const std::vector<Point> points = {point(2)};
  EXPECT_FAILS(kDeadlineExceeded, store().ensure_collection(small_spec("other"), past()));
  EXPECT_FAILS(kDeadlineExceeded, store().collections(past()));
  EXPECT_FAILS(kDeadlineExceeded, store().drop_collection("things", past()));
  EXPECT_FAILS(kDeadlineExceeded, store().alias_switch("alias", "things", past()));
  EXPECT_FAILS(kDeadlineExceeded, store().upsert("things", points, system_, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().remove("things", ids, system_, past()));
  EXPECT_FAILS(kDeadlineExceeded,
               store().query("things", {.nearest = std::vector<float>{1, 0, 0, 0}}, system_, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().retrieve("things", ids, system_, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().scroll("things", {}, std::nullopt, 1, system_, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().count("things", {}, system_, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().snapshot("things", setup_->new_path("late"), past()));
  EXPECT_EQ(must(store().collections(kNever)), std::vector{small_spec()});
  EXPECT_FAILS(kNotFound, store().count("alias", {}, system_, kNever));
  EXPECT_EQ(matching({}), Numbers{1});
  must(store().snapshot("things", setup_->new_path("late"), kNever));  // nothing was left there
}

TEST_P(VectorStoreContract, ASnapshotHoldsOneCollectionAsItWas) {
  Point full = point(1, {0, 1, 0, 0}, {{"user_id", std::string("ana")}, {"n", std::int64_t{7}}, {"at", Timestamp{5}}});
  full.sparse["words"] = {{3, 9}, {0.5F, 2}};
  full.version = 4;
  put({full, point(2)});
  must(store().ensure_collection(small_spec("other"), kNever));
  const std::string path = setup_->new_path("copy");
  must(store().snapshot("things", path, kNever));
  const std::vector<Uuid> ids = {id_of(1), id_of(2)};
  must(store().remove("things", ids, system_, kNever));

  const auto copy = setup_->open_snapshot(path);
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(must(copy->collections(kNever)), std::vector{small_spec()});
  const auto points = must(copy->retrieve("things", ids, system_, kNever));
  ASSERT_EQ(numbers(points), (Numbers{1, 2}));
  EXPECT_EQ(points[0].version, 4);
  EXPECT_EQ(points[0].dense, full.dense);
  EXPECT_EQ(points[0].sparse, full.sparse);
  EXPECT_EQ(points[0].payload, full.payload);
  EXPECT_EQ(
      numbers(must(copy->query("things", {.nearest = std::vector<float>{0, 1, 0, 0}, .limit = 1}, system_, kNever))),
      Numbers{1});
  EXPECT_EQ(count(), 0);
}

TEST_P(VectorStoreContract, ASnapshotNeverReplacesWhatIsThere) {
  put({point(1)});
  const std::string path = setup_->new_path("copy");
  must(store().snapshot("things", path, kNever));
  put({point(2)});
  EXPECT_FAILS(kConflict, store().snapshot("things", path, kNever));
  const auto copy = setup_->open_snapshot(path);
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(must(copy->count("things", {}, system_, kNever)), 1);
}

}  // namespace
}  // namespace pandora
