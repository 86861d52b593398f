// What a power cut leaves of documents: the old or the new, whatever the moment.
#include <iostream>

#include "contract/document_store_contract.h"

namespace pandora {
namespace {

constexpr std::uint64_t kSeeds = 6;
constexpr std::uint64_t kMaxPoints = 200;

class DocumentCrashContract : public ::testing::TestWithParam<Implementation<CrashingDocumentStoreSetup>> {
 protected:
  using Change = std::function<Status(DocumentStore&)>;
  using Check = std::function<void(const Tree& before, const Tree& after, const Tree& now, bool succeeded)>;

  // Cuts the power at every operation of `change` in turn.
  static void cut(const Change& prepare, const Change& change, const Check& check) {
    const auto whole = GetParam().make();
    must(prepare(whole->store()));
    const Tree before = tree_of(whole->store());
    must(change(whole->store()));
    const Tree after = tree_of(whole->store());
    bool reached_the_end = false;
    for (std::uint64_t point = 0; point < kMaxPoints && !reached_the_end; ++point) {
      for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        SCOPED_TRACE("cut after operation " + std::to_string(point) + ", seed " + std::to_string(seed));
        SeededRandom random(seed * 1'000 + point);
        const auto setup = GetParam().make();
        must(prepare(setup->store()));
        must(setup->store().sync(kNever));
        setup->die_after(point);
        const bool succeeded = change(setup->store()).has_value();
        reached_the_end = succeeded;
        setup->crash(random);
        check(before, after, tree_of(setup->store()), succeeded);
        if (HasFailure()) return;
      }
    }
    EXPECT_TRUE(reached_the_end) << "the change has more operations than were cut";
  }
  // Lets every operation of `change` fail once in turn, does it again, and cuts the power.
  static void fail_once(const Change& change) {
    const auto whole = GetParam().make();
    must(prepare(whole->store()));
    const Tree before = tree_of(whole->store());
    must(change(whole->store()));
    const Tree after = tree_of(whole->store());
    bool reached_the_end = false;
    for (std::uint64_t point = 0; point < kMaxPoints && !reached_the_end; ++point) {
      for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        SCOPED_TRACE("operation " + std::to_string(point) + " failed, seed " + std::to_string(seed));
        SeededRandom random(seed * 1'000 + point);
        const auto setup = GetParam().make();
        must(prepare(setup->store()));
        must(setup->store().sync(kNever));
        setup->fail_after(point);
        reached_the_end = change(setup->store()).has_value();
        if (reached_the_end) break;  // the fault was never met
        const Tree now = tree_of(setup->store());
        EXPECT_TRUE(now == before || now == after) << "the failed call left neither the old nor the new";
        const Status again = change(setup->store());
        // What is moved already is not found again; it is moved.
        EXPECT_TRUE(again || (now == after && again.error().code == ErrorCode::kNotFound)) << again.error().to_line();
        setup->crash(random);
        EXPECT_EQ(tree_of(setup->store()), after);
        if (HasFailure()) return;
      }
    }
    EXPECT_TRUE(reached_the_end) << "the change has more operations than were tried";
  }
  static void old_or_new(const Tree& before, const Tree& after, const Tree& now, bool succeeded) {
    EXPECT_TRUE(now == after || now == before) << "neither the old nor the new";
    EXPECT_TRUE(!succeeded || now == after) << "it was acknowledged";
  }

  static Status prepare(DocumentStore& store) {
    PANDORA_CHECK(store.put_folder("turns/t", {{"a", std::string(300, '1')}, {"sub/b", std::string(300, '1')}},
                                   Durability::kNow, kNever));
    PANDORA_CHECK(store.put_folder("archive/u", {{"a", "other"}}, Durability::kNow, kNever));
    return store.put("memories/m", std::string(300, '1'), Durability::kNow, kNever);
  }
};

TEST_P(DocumentCrashContract, APutDocumentIsTheOldOrTheNew) {
  cut(
      prepare,
      [](DocumentStore& store) { return store.put("memories/m", std::string(200, '2'), Durability::kNow, kNever); },
      old_or_new);
}
TEST_P(DocumentCrashContract, ANewDocumentIsThereOrNot) {
  cut(
      prepare,
      [](DocumentStore& store) { return store.put("archive/deep/m", std::string(200, '2'), Durability::kNow, kNever); },
      old_or_new);
}
TEST_P(DocumentCrashContract, APutFolderIsTheOldOrTheNew) {
  cut(
      prepare,
      [](DocumentStore& store) {
        return store.put_folder("turns/t", {{"a", std::string(200, '2')}, {"c", "2"}}, Durability::kNow, kNever);
      },
      old_or_new);
}
TEST_P(DocumentCrashContract, ANewFolderIsThereOrNot) {
  cut(
      prepare,
      [](DocumentStore& store) {
        return store.put_folder("turns/new", {{"a", std::string(200, '2')}, {"sub/c", "2"}}, Durability::kNow, kNever);
      },
      old_or_new);
}
TEST_P(DocumentCrashContract, AMovedFolderIsHereOrThere) {
  cut(prepare, [](DocumentStore& store) { return store.move("turns/t", "archive/deep/t", kNever); }, old_or_new);
}
TEST_P(DocumentCrashContract, AMovedDocumentIsHereOrThere) {
  cut(prepare, [](DocumentStore& store) { return store.move("memories/m", "archive/m", kNever); }, old_or_new);
}
TEST_P(DocumentCrashContract, ARemovedFolderIsWholeOrGone) {
  cut(prepare, [](DocumentStore& store) { return store.remove("turns/t", kNever); }, old_or_new);
}
TEST_P(DocumentCrashContract, ARemovedDocumentIsWholeOrGone) {
  cut(prepare, [](DocumentStore& store) { return store.remove("memories/m", kNever); }, old_or_new);
}

TEST_P(DocumentCrashContract, WhatIsSetAsideIsHereOrThere) {
  // The reason may be written already when the power goes: it says nothing wrong.
  cut(
      prepare, [](DocumentStore& store) { return store.quarantine("turns/t", "bad", kNever).map([](auto&&) {}); },
      [](const Tree& before, const Tree& after, Tree now, bool succeeded) {
        EXPECT_TRUE(!succeeded || now == after);
        if (now != after)
          std::erase_if(now, [](const auto& document) { return document.first.ends_with("/reason.txt"); });
        EXPECT_TRUE(now == after || now == before);
      });
}

TEST_P(DocumentCrashContract, WhatFailedCanBeDoneAgainAndIsOnDiskThen) {
  const std::string bytes(200, '2');
  const std::vector<Document> documents = {{"a", bytes}, {"sub/c", bytes}};
  const auto now = Durability::kNow;
  fail_once([&](DocumentStore& store) { return store.put("memories/m", bytes, now, kNever); });
  fail_once([&](DocumentStore& store) { return store.put("archive/deep/down/m", bytes, now, kNever); });
  fail_once([&](DocumentStore& store) { return store.put_folder("turns/t", documents, now, kNever); });
  fail_once([&](DocumentStore& store) { return store.put_folder("archive/deep/down/t", documents, now, kNever); });
  fail_once([&](DocumentStore& store) { return store.move("turns/t", "archive/deep/down/t", kNever); });
  fail_once([&](DocumentStore& store) { return store.remove("turns/t", kNever); });
  fail_once([&](DocumentStore& store) { return store.remove("memories/m", kNever); });
}

// Deferred: nothing is promised of what was not there before, and everything of what was.
TEST_P(DocumentCrashContract, ADeferredReplacementIsTheOldOrTheNew) {
  const auto check = [](const Tree& before, const Tree& after, const Tree& now, bool) {
    EXPECT_TRUE(now == after || now == before);
  };
  cut(
      prepare,
      [](DocumentStore& store) {
        return store.put_folder("turns/t", {{"a", std::string(200, '2')}, {"c", "2"}}, Durability::kDeferred, kNever);
      },
      check);
  cut(
      prepare,
      [](DocumentStore& store) {
        return store.put("memories/m", std::string(200, '2'), Durability::kDeferred, kNever);
      },
      check);
}

TEST_P(DocumentCrashContract, WhatWasDeferredIsOnDiskAfterASync) {
  const auto change = [](DocumentStore& store) -> Status {
    PANDORA_CHECK(store.put("memories/new", "2", Durability::kDeferred, kNever));
    PANDORA_CHECK(store.put("memories/m", "2", Durability::kDeferred, kNever));
    PANDORA_CHECK(store.put_folder("turns/t", {{"a", "2"}}, Durability::kDeferred, kNever));
    PANDORA_CHECK(store.put_folder("turns/new", {{"a", "2"}, {"sub/b", "2"}}, Durability::kDeferred, kNever));
    PANDORA_CHECK(store.put("turns/new/later", "2", Durability::kDeferred, kNever));
    return store.sync(kNever);
  };
  cut(prepare, change, [](const Tree&, const Tree& after, const Tree& now, bool succeeded) {
    EXPECT_TRUE(!succeeded || now == after);
    EXPECT_TRUE(now.contains("turns/t/a") && now.contains("memories/m") && now.contains("archive/u/a"));
  });
}

TEST_P(DocumentCrashContract, WhatWasDeferredAndThenMovedIsOnDiskAtOnce) {
  const auto change = [](DocumentStore& store) -> Status {
    PANDORA_CHECK(store.put_folder("turns/new", {{"a", "2"}, {"sub/b", "2"}}, Durability::kDeferred, kNever));
    PANDORA_CHECK(store.put("turns/new/later", "2", Durability::kDeferred, kNever));
    PANDORA_CHECK(store.put("memories/new", "2", Durability::kDeferred, kNever));
    PANDORA_CHECK(store.move("turns/new", "archive/new", kNever));
    return store.move("memories/new", "archive/m", kNever);
  };
  cut(prepare, change,
      [](const Tree&, const Tree& after, const Tree& now, bool succeeded) { EXPECT_TRUE(!succeeded || now == after); });
}

TEST_P(DocumentCrashContract, WhatIsPutInADeferredFolderIsOnDiskAtOnce) {
  const auto change = [](DocumentStore& store) -> Status {
    PANDORA_CHECK(store.put_folder("turns/new", {{"a", "2"}}, Durability::kDeferred, kNever));
    PANDORA_CHECK(store.put("turns/new/now", "2", Durability::kNow, kNever));
    PANDORA_CHECK(store.put_folder("turns/new/folder", {{"b", "2"}}, Durability::kNow, kNever));
    return store.move("memories/m", "turns/new/m", kNever);
  };
  cut(prepare, change, [](const Tree& before, const Tree&, const Tree& now, bool succeeded) {
    if (!succeeded) return;
    EXPECT_TRUE(now.contains("turns/new/now") && now.contains("turns/new/folder/b"));
    ASSERT_TRUE(now.contains("turns/new/m"));
    EXPECT_EQ(now.at("turns/new/m"), before.at("memories/m"));
  });
}

INSTANTIATE_TEST_SUITE_P(Documents, DocumentCrashContract, ::testing::ValuesIn(crashing_document_stores()),
                         kImplementationName);

}  // namespace
}  // namespace pandora
