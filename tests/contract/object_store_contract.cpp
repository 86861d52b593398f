#include "contract/object_store_contract.h"

#include <algorithm>
#include <thread>

#include "base/hash.h"

namespace pandora {
namespace {

class ObjectStoreContract : public ::testing::TestWithParam<Implementation<ObjectStoreSetup>> {
 protected:
  ObjectStore& store() { return setup_->store(); }
  std::string put(std::string_view bytes, const std::string& type = "image/png") {
    return must(store().put(bytes, type, kNever));
  }
  std::vector<std::string> keys(const std::string& after = "", std::size_t limit = kMaxObjectList) {
    std::vector<std::string> result;
    for (const auto& object : must(store().list(after, limit, kNever))) result.push_back(object.key);
    return result;
  }
  std::unique_ptr<ObjectStoreSetup> setup_ = GetParam().make();
};

TEST_P(ObjectStoreContract, AnObjectIsFoundByTheHashOfItsContentAlsoAfterARestart) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  const std::string key = put(bytes, "image/jpeg"), empty = put("");
  EXPECT_EQ(key, sha256_hex(bytes));
  EXPECT_EQ(empty, sha256_hex(""));
  for (const bool again : {false, true}) {
    if (again) setup_->reopen();
    EXPECT_EQ(must(store().get(key, kNever)), bytes);
    EXPECT_EQ(must(store().get(empty, kNever)), "");
    const ObjectInfo info = must(store().info(key, kNever));
    EXPECT_EQ(info.key, key);
    EXPECT_EQ(info.size, bytes.size());
    EXPECT_EQ(info.media_type, "image/jpeg");
  }
}

TEST_P(ObjectStoreContract, StoringTwiceIsStoringOnceAndTheFirstTypeStays) {
  const std::string key = put("x", "image/png");
  EXPECT_EQ(put("x", "text/plain"), key);
  EXPECT_EQ(must(store().info(key, kNever)).media_type, "image/png");
  EXPECT_EQ(keys(), std::vector{key});
  must(store().remove(key, kNever));
  EXPECT_FAILS(kNotFound, store().get(key, kNever));
  put("x", "text/plain");
  EXPECT_EQ(must(store().info(key, kNever)).media_type, "text/plain");
}

TEST_P(ObjectStoreContract, WhatIsNotThereIsNotFoundAndRemovedAllTheSame) {
  const std::string key = sha256_hex("never stored");
  EXPECT_FAILS(kNotFound, store().get(key, kNever));
  EXPECT_FAILS(kNotFound, store().info(key, kNever));
  must(store().remove(key, kNever));
  const std::string kept = put("kept"), gone = put("gone");
  must(store().remove(gone, kNever));
  setup_->reopen();
  EXPECT_EQ(keys(), std::vector{kept});
}

TEST_P(ObjectStoreContract, AKeyIsSixtyFourSmallHexadecimalDigits) {
  const std::string good = put("x");
  std::string upper = good;
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::string last = good;
  last.back() = 'g';
  for (const std::string& key :
       {std::string(), good.substr(1), good + "0", upper, last, std::string("../") + good.substr(3)}) {
    EXPECT_FAILS(kInvalidArgument, store().get(key, kNever)) << key;
    EXPECT_FAILS(kInvalidArgument, store().info(key, kNever)) << key;
    EXPECT_FAILS(kInvalidArgument, store().remove(key, kNever)) << key;
    EXPECT_TRUE(key.empty() || fails_with(ErrorCode::kInvalidArgument, store().list(key, 1, kNever))) << key;
  }
  EXPECT_EQ(must(store().get(good, kNever)), "x");
}

TEST_P(ObjectStoreContract, AMediaTypeHasItsForm) {
  put("1", "a/b");
  put("2", "application/vnd.x+json; charset=utf-8");
  put("3", "a/" + std::string(kMaxMediaType - 2, 'b'));
  for (const std::string& type :
       {std::string(), std::string("png"), std::string("/png"), std::string("image/"), std::string("a/b/c"),
        std::string("a/b\n"), std::string("a/ä"), "a/" + std::string(kMaxMediaType - 1, 'b')})
    EXPECT_FAILS(kInvalidArgument, store().put("x", type, kNever)) << type;
  EXPECT_EQ(keys().size(), 3u);
}

TEST_P(ObjectStoreContract, AnObjectHasAtMostSoManyBytes) {
  std::string bytes(kMaxObjectBytes, 'x');
  const std::string key = put(bytes);
  EXPECT_EQ(must(store().info(key, kNever)).size, kMaxObjectBytes);
  EXPECT_EQ(must(store().get(key, kNever)), bytes);
  bytes += 'x';
  EXPECT_FAILS(kTooLarge, store().put(bytes, "image/png", kNever));
  EXPECT_EQ(keys(), std::vector{key});
}

TEST_P(ObjectStoreContract, ObjectsAreListedByKeyInPages) {
  std::vector<std::string> all;
  for (int i = 0; i < 50; ++i) all.push_back(put(std::to_string(i)));
  std::ranges::sort(all);
  EXPECT_EQ(keys(), all);
  std::vector<std::string> paged;
  for (std::vector<std::string> page = keys("", 7); !page.empty(); page = keys(page.back(), 7)) {
    EXPECT_LE(page.size(), 7u);
    paged.insert(paged.end(), page.begin(), page.end());
  }
  EXPECT_EQ(paged, all);
  const std::string between = std::string(63, '7') + "0";
  const auto first = std::ranges::upper_bound(all, between);
  EXPECT_EQ(keys(between), std::vector<std::string>(first, all.end())) << "after a key that is not there";
  EXPECT_TRUE(keys("", 0).empty());
  EXPECT_FAILS(kTooLarge, store().list("", kMaxObjectList + 1, kNever));
}

TEST_P(ObjectStoreContract, OtherContentThanItsHashIsCorrupt) {
  const std::string key = put("as it was");
  setup_->damage(key);
  EXPECT_FAILS(kDataCorrupt, store().get(key, kNever));
}

TEST_P(ObjectStoreContract, AfterADeadlineNothingIsDone) {
  const std::string key = put("x");
  EXPECT_FAILS(kDeadlineExceeded, store().put("y", "image/png", past()));
  EXPECT_FAILS(kDeadlineExceeded, store().get(key, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().info(key, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().remove(key, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().list("", 1, past()));
  EXPECT_EQ(keys(), std::vector{key});
}

TEST_P(ObjectStoreContract, ManyThreadsStoreTheSameAndTheirOwn) {
  constexpr int kThreads = 4, kEach = 50;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        const std::string own = std::to_string(thread) + " " + std::to_string(i);
        const auto key = store().put(own, "text/plain", kNever), shared = store().put("shared", "text/plain", kNever);
        if (!key || !shared || store().get(*key, kNever).value_or("") != own) ++failures;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(keys().size(), std::size_t{kThreads * kEach + 1});
}

INSTANTIATE_TEST_SUITE_P(Objects, ObjectStoreContract, ::testing::ValuesIn(object_store_implementations()),
                         kImplementationName);

}  // namespace
}  // namespace pandora
