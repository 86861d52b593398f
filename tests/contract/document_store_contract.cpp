// Documents and folders, without crashes.
#include "contract/document_store_contract.h"

#include <thread>

#include "ports/document_checks.h"

namespace pandora {
namespace {

class DocumentStoreContract : public ::testing::TestWithParam<Implementation<DocumentStoreSetup>> {
 protected:
  DocumentStore& store() { return setup_->store(); }
  void put(const std::string& path, std::string_view bytes, Durability durability = Durability::kNow) {
    must(store().put(path, bytes, durability, kNever));
  }
  void put_folder(const std::string& folder, const std::vector<Document>& documents,
                  Durability durability = Durability::kNow) {
    must(store().put_folder(folder, documents, durability, kNever));
  }
  Status put_one(const std::string& path) { return store().put(path, "x", Durability::kNow, kNever); }
  Status put_documents(const std::vector<Document>& documents) {
    return store().put_folder("turns/t", documents, Durability::kNow, kNever);
  }
  std::string read(const std::string& path) { return must(store().read(path, kNever)); }
  bool exists(const std::string& path) { return must(store().exists(path, kNever)); }
  std::vector<std::string> names(const std::string& folder) {
    std::vector<std::string> result;
    for (const auto& entry : must(store().list(folder, kNever))) result.push_back(entry.name);
    return result;
  }

  std::unique_ptr<DocumentStoreSetup> setup_ = GetParam().make();
};
using Names = std::vector<std::string>;

TEST_P(DocumentStoreContract, WhatWasPutIsReadAlsoAfterARestart) {
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  put("memories/bytes", every);
  put("memories/empty", "");
  put_folder("turns/t1", {{"a.md", "A"}, {"pages/1.html", every}, {"pages/2.html", ""}});
  const Tree expected = {{"memories/bytes", every},
                         {"memories/empty", ""},
                         {"turns/t1/a.md", "A"},
                         {"turns/t1/pages/1.html", every},
                         {"turns/t1/pages/2.html", ""}};
  EXPECT_EQ(tree_of(store()), expected);
  setup_->reopen();
  EXPECT_EQ(tree_of(store()), expected);
}

TEST_P(DocumentStoreContract, APathHasItsAlphabetInEveryCall) {
  put("memories/good", "x");
  for (const std::string& path : {std::string(),
                                  std::string("/"),
                                  std::string("/a"),
                                  std::string("a/"),
                                  std::string("a//b"),
                                  std::string("."),
                                  std::string(".."),
                                  std::string("../a"),
                                  std::string("a/.."),
                                  std::string("a/../b"),
                                  std::string("a/./b"),
                                  std::string(".hidden"),
                                  std::string("a/.staging"),
                                  std::string("a b"),
                                  std::string("ä"),
                                  std::string("a\\b"),
                                  std::string("a:b"),
                                  std::string("a~b"),
                                  std::string("a\nb"),
                                  std::string("a\0b", 3),
                                  std::string("*"),
                                  std::string("%2e%2e/a")}) {
    SCOPED_TRACE("\"" + path + "\"");
    EXPECT_FAILS(kInvalidArgument, put_one(path));
    EXPECT_FAILS(kInvalidArgument, store().put_folder(path, {{"a", "x"}}, Durability::kNow, kNever));
    EXPECT_FAILS(kInvalidArgument, put_documents({{"good", "x"}, {path, "x"}}));
    EXPECT_FAILS(kInvalidArgument, store().read(path, kNever));
    EXPECT_FAILS(kInvalidArgument, store().list(path, kNever));
    EXPECT_FAILS(kInvalidArgument, store().list_after(path, "", 1, kNever));
    EXPECT_FAILS(kInvalidArgument, store().exists(path, kNever));
    EXPECT_FAILS(kInvalidArgument, store().move(path, "memories/new", kNever));
    EXPECT_FAILS(kInvalidArgument, store().move("memories/good", path, kNever));
    EXPECT_FAILS(kInvalidArgument, store().remove(path, kNever));
    EXPECT_FAILS(kInvalidArgument, store().quarantine(path, "bad", kNever));
  }
  for (const char* path : {"memories/a.b-c_D9", "memories/-", "memories/_", "memories/a..b", "memories/a."})
    put(path, "x");
  EXPECT_EQ(tree_of(store()).size(), 6u);
}

TEST_P(DocumentStoreContract, PathsAndNamesHaveTheirBounds) {
  const std::string name(kMaxDocumentName, 'n'), start = "turns/" + name + "/";
  put("memories/" + name, "x");
  EXPECT_FAILS(kInvalidArgument, put_one("memories/" + name + "n"));
  const std::string longest = start + std::string(kMaxDocumentPath - start.size(), 'p');
  put(longest, "x");
  EXPECT_EQ(read(longest), "x");
  EXPECT_FAILS(kInvalidArgument, put_one(longest + "p"));
  EXPECT_FAILS(kInvalidArgument, store().read(longest + "p", kNever));

  const std::string folder = "turns/" + std::string(kMaxFolderPath - 6, 'f');
  for (const char* bytes : {"1", "2"}) put_folder(folder, {{name, bytes}});
  EXPECT_EQ(read(folder + "/" + name), "2");
  EXPECT_FAILS(kInvalidArgument, store().put_folder(folder + "f", {{"a", "x"}}, Durability::kNow, kNever));
}

TEST_P(DocumentStoreContract, ADocumentIsReplacedAsAWhole) {
  put("memories/m", std::string(10'000, 'a'));
  put("memories/m", "b");
  EXPECT_EQ(read("memories/m"), "b");
  put("memories/m", std::string(10'000, 'c'), Durability::kDeferred);
  EXPECT_EQ(read("memories/m"), std::string(10'000, 'c'));
  EXPECT_EQ(names("memories"), Names{"m"});
}

TEST_P(DocumentStoreContract, AFolderIsReplacedAsAWhole) {
  put_folder("turns/t", {{"a", "1"}, {"b", "1"}, {"sub/c", "1"}});
  put("turns/t/later", "1");
  put_folder("turns/t", {{"b", "2"}, {"d", "2"}});
  EXPECT_EQ(tree_of(store()), (Tree{{"turns/t/b", "2"}, {"turns/t/d", "2"}}));
  put_folder("turns/t", {{"sub/c", "3"}}, Durability::kDeferred);
  EXPECT_EQ(tree_of(store()), (Tree{{"turns/t/sub/c", "3"}}));
}

TEST_P(DocumentStoreContract, AFolderThatMakesNoSenseIsRefusedAndChangesNothing) {
  put_folder("turns/t", {{"a", "1"}});
  EXPECT_FAILS(kInvalidArgument, put_documents({}));
  EXPECT_FAILS(kInvalidArgument, put_documents({{"b", "2"}, {"b", "3"}}));
  EXPECT_FAILS(kInvalidArgument, put_documents({{"b", "2"}, {"b/c", "3"}}));
  EXPECT_FAILS(kInvalidArgument, put_documents({{"b/c", "2"}, {"b", "3"}}));
  EXPECT_FAILS(kInvalidArgument, put_documents({{"b/c/d", "2"}}));
  EXPECT_EQ(tree_of(store()), (Tree{{"turns/t/a", "1"}}));
}

TEST_P(DocumentStoreContract, AFolderHasAtMostSoManyDocuments) {
  std::vector<Document> documents;
  for (std::size_t i = 0; i < kMaxFolderDocuments; ++i) documents.push_back({"d" + std::to_string(i), "x"});
  put_folder("turns/t", documents, Durability::kDeferred);
  EXPECT_EQ(names("turns/t").size(), kMaxFolderDocuments);
  documents.push_back({"one_more", "x"});
  EXPECT_FAILS(kTooLarge, put_documents(documents));
  EXPECT_EQ(names("turns/t").size(), kMaxFolderDocuments);
}

TEST_P(DocumentStoreContract, ADocumentHasAtMostSoManyBytes) {
  std::string bytes(kMaxDocumentBytes, 'x');
  put("memories/large", bytes, Durability::kDeferred);
  EXPECT_EQ(read("memories/large").size(), kMaxDocumentBytes);
  bytes += 'x';
  EXPECT_FAILS(kTooLarge, store().put("memories/large", bytes, Durability::kNow, kNever));
  EXPECT_FAILS(kTooLarge, put_documents({{"large", bytes}}));
  EXPECT_EQ(read("memories/large").size(), kMaxDocumentBytes);
  EXPECT_FALSE(exists("turns/t"));
}

TEST_P(DocumentStoreContract, ADocumentIsNoFolderAndAFolderNoDocument) {
  put("memories/document", "x");
  put_folder("turns/folder", {{"a", "x"}});
  EXPECT_FAILS(kConflict, put_one("turns/folder"));
  EXPECT_FAILS(kConflict, put_one("turns"));
  EXPECT_FAILS(kConflict, store().put_folder("memories/document", {{"a", "x"}}, Durability::kNow, kNever));
  EXPECT_FAILS(kConflict, put_one("memories/document/below"));
  EXPECT_FAILS(kConflict, put_one("memories/document/far/below"));
  EXPECT_FAILS(kConflict, store().put_folder("memories/document/below", {{"a", "x"}}, Durability::kNow, kNever));
  EXPECT_FAILS(kConflict, store().move("turns/folder", "memories/document/below", kNever));
  EXPECT_FAILS(kNotFound, store().read("turns/folder", kNever));
  EXPECT_FAILS(kNotFound, store().read("memories/document/below", kNever));
  EXPECT_TRUE(names("memories/document").empty());
  EXPECT_FALSE(exists("memories/document/below"));
  EXPECT_EQ(tree_of(store()), (Tree{{"memories/document", "x"}, {"turns/folder/a", "x"}}));
}

TEST_P(DocumentStoreContract, AFolderIsListedByName) {
  for (const char* name : {"b", "a", "C", "10", "9", "a.b", "a-b"}) put("turns/" + std::string(name), name);
  put("turns/folder/below", "x");
  EXPECT_EQ(names("turns"), (Names{"10", "9", "C", "a", "a-b", "a.b", "b", "folder"}));
  for (const auto& entry : must(store().list("turns", kNever))) {
    EXPECT_EQ(entry.is_directory, entry.name == "folder");
    EXPECT_TRUE(entry.is_directory || entry.size == entry.name.size());
  }
  EXPECT_TRUE(names("nothing").empty());
  EXPECT_TRUE(exists("turns") && exists("turns/folder") && exists("turns/a") && !exists("turns/A") &&
              !exists("nothing"));
}

TEST_P(DocumentStoreContract, AFolderIsWalkedThroughInPagesByTheBytesOfItsNames) {
  for (const char* name : {"a", "B", "a.b", "a-b", "z", "aa"}) put("turns/" + std::string(name), name);
  put_folder("turns/folder", {{"x", "1"}, {"y", "2"}, {"sub/z", "3"}});
  put_folder("turns/B-folder", {{"x", "1"}});
  put("turns-2/other", "");
  const Names all = {"B", "B-folder", "a", "a-b", "a.b", "aa", "folder", "z"};
  ASSERT_EQ(names("turns"), all);
  for (std::size_t page = 1; page <= all.size() + 1; ++page) {
    Names walked;
    for (std::string after;;) {
      const auto listed = must(store().list_after("turns", after, page, kNever));
      EXPECT_LE(listed.size(), page);
      if (listed.empty()) break;
      for (const auto& entry : listed) {
        walked.push_back(entry.name);
        EXPECT_EQ(entry.is_directory, entry.name.ends_with("folder"));
      }
      after = walked.back();
    }
    EXPECT_EQ(walked, all) << page;
  }
  EXPECT_EQ(must(store().list_after("turns", "a-z", 1, kNever)).at(0).name, "a.b");  // a name that is not there
  EXPECT_EQ(must(store().list_after("turns/folder", "sub", 1, kNever)).at(0).name, "x");
  EXPECT_TRUE(must(store().list_after("turns", "", 0, kNever)).empty());
  EXPECT_TRUE(must(store().list_after("nothing", "", 5, kNever)).empty());
}

TEST_P(DocumentStoreContract, DocumentsAndFoldersAreMoved) {
  put("memories/m", "x");
  put_folder("turns/t", {{"a", "1"}, {"sub/b", "2"}});
  must(store().move("memories/m", "archive/deep/down/m", kNever));
  must(store().move("turns/t", "archive/t", kNever));
  for (const bool again : {false, true}) {
    if (again) setup_->reopen();
    EXPECT_EQ(tree_of(store()), (Tree{{"archive/deep/down/m", "x"}, {"archive/t/a", "1"}, {"archive/t/sub/b", "2"}}));
    EXPECT_FALSE(exists("turns/t") || exists("memories/m"));
  }
}

TEST_P(DocumentStoreContract, AMoveThatCannotBeChangesNothing) {
  put("memories/m", "x");
  put("memories/n", "y");
  put_folder("turns/t", {{"a", "1"}});
  put_folder("turns/u", {{"a", "2"}});
  const Tree before = tree_of(store());
  EXPECT_FAILS(kNotFound, store().move("memories/nothing", "archive/m", kNever));
  EXPECT_FAILS(kConflict, store().move("memories/m", "memories/n", kNever));
  EXPECT_FAILS(kConflict, store().move("memories/m", "turns/t", kNever));
  EXPECT_FAILS(kConflict, store().move("turns/t", "turns/u", kNever));
  EXPECT_FAILS(kConflict, store().move("turns/t", "memories/m", kNever));
  EXPECT_FAILS(kConflict, store().move("memories/m", "memories/m", kNever));
  EXPECT_FAILS(kInvalidArgument, store().move("turns/t", "turns/t/below", kNever));
  EXPECT_EQ(tree_of(store()), before);
  EXPECT_FALSE(exists("archive"));
}

TEST_P(DocumentStoreContract, DocumentsAndFoldersAreRemoved) {
  put("memories/m", "x");
  put("memories/n", "y");
  put_folder("turns/t", {{"a", "1"}, {"sub/b", "2"}});
  must(store().remove("memories/m", kNever));
  must(store().remove("turns/t", kNever));
  must(store().remove("turns/t", kNever));
  must(store().remove("nothing/at/all", kNever));
  for (const bool again : {false, true}) {
    if (again) setup_->reopen();
    EXPECT_EQ(tree_of(store()), (Tree{{"memories/n", "y"}}));
    EXPECT_FALSE(exists("turns/t"));
  }
  put("turns/t", "a document now");
  EXPECT_EQ(read("turns/t"), "a document now");
}

TEST_P(DocumentStoreContract, WhatIsSetAsideIsKeptWithItsReason) {
  const std::string day = to_iso8601(setup_->clock().now()).substr(0, 10);
  const std::string first = "quarantine/" + day + "-turns-t-1", second = "quarantine/" + day + "-turns-t-2";
  const std::string single = "quarantine/" + day + "-memories-m.json-1";
  put_folder("turns/t", {{"a", "1"}, {"sub/b", "2"}});
  put("memories/m.json", "{");
  EXPECT_EQ(must(store().quarantine("turns/t", "it is torn", kNever)), first);
  EXPECT_EQ(must(store().quarantine("memories/m.json", "it is no JSON", kNever)), single);
  put_folder("turns/t", {{"a", "3"}});
  EXPECT_EQ(must(store().quarantine("turns/t", "again", kNever)), second);
  const Tree expected = {{first + "/t/a", "1"},
                         {first + "/t/sub/b", "2"},
                         {first + "/reason.txt", "it is torn\n"},
                         {second + "/t/a", "3"},
                         {second + "/reason.txt", "again\n"},
                         {single + "/m.json", "{"},
                         {single + "/reason.txt", "it is no JSON\n"}};
  for (const bool again : {false, true}) {
    if (again) setup_->reopen();
    EXPECT_EQ(tree_of(store()), expected);
    EXPECT_FALSE(exists("turns/t") || exists("memories/m.json"));
  }
}

TEST_P(DocumentStoreContract, WhatCannotBeSetAsideStays) {
  put("memories/reason.txt", "x");
  put("memories/m", "x");
  must(store().quarantine("memories/m", "so that there is a quarantine", kNever));
  const Tree before = tree_of(store());
  EXPECT_FAILS(kNotFound, store().quarantine("memories/nothing", "bad", kNever));
  EXPECT_FAILS(kInvalidArgument, store().quarantine("quarantine", "bad", kNever));
  EXPECT_FAILS(kInvalidArgument, store().quarantine("memories/reason.txt", "bad", kNever));
  EXPECT_EQ(tree_of(store()), before);
}

TEST_P(DocumentStoreContract, TheLongestPathsCanBeSetAside) {
  const std::string path = "memories/" + std::string(kMaxDocumentName, 'n');
  put(path, "first");
  const std::string first = must(store().quarantine(path, "bad", kNever));
  put(path, "second");
  const std::string second = must(store().quarantine(path, "bad", kNever));
  EXPECT_NE(first, second);
  EXPECT_EQ(read(first + path.substr(8)), "first");
  EXPECT_EQ(read(second + path.substr(8)), "second");
}

TEST_P(DocumentStoreContract, WhatWasDeferredCanBeMovedReplacedRemovedAndSyncedInAnyOrder) {
  put("turns/a/later", "1", Durability::kDeferred);
  put_folder("turns/b", {{"x", "1"}}, Durability::kDeferred);
  put_folder("turns/c", {{"x", "1"}}, Durability::kDeferred);
  put("turns/d/later", "1", Durability::kDeferred);
  put_folder("turns/e", {{"x", "1"}}, Durability::kDeferred);
  must(store().remove("turns/a", kNever));
  must(store().move("turns/b", "archive/b", kNever));
  put_folder("turns/c", {{"x", "2"}});
  must(store().move("turns/d", "archive/d", kNever));
  must(store().quarantine("turns/e", "bad", kNever));
  must(store().sync(kNever));
  must(store().sync(kNever));
  Tree left = tree_of(store());
  std::erase_if(left, [](const auto& document) { return document.first.starts_with("quarantine/"); });
  EXPECT_EQ(left, (Tree{{"archive/b/x", "1"}, {"archive/d/later", "1"}, {"turns/c/x", "2"}}));
}

TEST_P(DocumentStoreContract, AfterADeadlineNothingIsDone) {
  put("memories/m", "x", Durability::kDeferred);
  const Tree before = tree_of(store());
  EXPECT_FAILS(kDeadlineExceeded, store().put("memories/m", "y", Durability::kNow, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().put_folder("turns/t", {{"a", "x"}}, Durability::kNow, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().read("memories/m", past()));
  EXPECT_FAILS(kDeadlineExceeded, store().list("memories", past()));
  EXPECT_FAILS(kDeadlineExceeded, store().list_after("memories", "", 1, past()));
  EXPECT_FAILS(kDeadlineExceeded, store().exists("memories/m", past()));
  EXPECT_FAILS(kDeadlineExceeded, store().move("memories/m", "memories/n", past()));
  EXPECT_FAILS(kDeadlineExceeded, store().remove("memories/m", past()));
  EXPECT_FAILS(kDeadlineExceeded, store().quarantine("memories/m", "bad", past()));
  EXPECT_FAILS(kDeadlineExceeded, store().sync(past()));
  EXPECT_EQ(tree_of(store()), before);
}

TEST_P(DocumentStoreContract, AReaderSeesNeitherAPartNorAGapWhileAFolderIsReplaced) {
  constexpr int kReplacements = 40;
  const auto version = [](int n) {
    return std::string(static_cast<std::size_t>(1'000 + n), static_cast<char>('a' + n % 26));
  };
  put_folder("turns/t", {{"a", version(0)}});
  put("memories/m", version(0));
  std::atomic<bool> done = false;
  std::atomic<int> reads = 0;
  std::string wrong;
  std::thread reader([&] {
    do {
      for (const char* path : {"turns/t/a", "memories/m"}) {
        const auto bytes = store().read(path, kNever);
        ++reads;
        if (!bytes || bytes->size() < 1'000 || *bytes != std::string(bytes->size(), bytes->front()))
          wrong = std::string(path) + ": " + (bytes ? "a part" : bytes.error().to_line());
      }
      const auto listed = store().list("turns/t", kNever);
      const auto there = store().exists("turns/t", kNever);
      if (!listed || listed->size() != 1 || !there || !*there) wrong = "the folder was away";
    } while (!done && wrong.empty());
  });
  for (int n = 1; n <= kReplacements; ++n) {
    put_folder("turns/t", {{"a", version(n)}}, Durability::kDeferred);
    put("memories/m", version(n), Durability::kDeferred);
  }
  done = true;
  reader.join();
  EXPECT_EQ(wrong, "");
  EXPECT_GT(reads, 0);
}

TEST_P(DocumentStoreContract, ManyThreadsWriteAtOnce) {
  constexpr int kThreads = 4, kEach = 25;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        const std::string own = std::to_string(thread) + "_" + std::to_string(i);
        const bool good = store().put("memories/" + own, own, Durability::kDeferred, kNever) &&
                          store().put("memories/shared", own, Durability::kDeferred, kNever) &&
                          store().put_folder("turns/shared", {{"a", own}}, Durability::kDeferred, kNever) &&
                          store().sync(kNever);
        if (!good) ++failures;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(names("memories").size(), std::size_t{kThreads * kEach + 1});
  EXPECT_EQ(names("turns/shared"), Names{"a"});
}

TEST(DocumentPaths, TheLongestDomainHasAFileToo) {
  EXPECT_EQ(site_knowledge_path("example.com"), "site_knowledge/example.com.json");
  std::string domain;
  while (domain.size() < 253) domain += domain.size() % 64 == 63 ? '.' : 'a';
  const std::string path = site_knowledge_path(domain), fits = site_knowledge_path(domain.substr(3));
  EXPECT_TRUE(check_document_path(path)) << path;
  EXPECT_TRUE(check_document_path(fits)) << fits;
  EXPECT_EQ(fits, "site_knowledge/" + domain.substr(3) + ".json");
  domain.back() = 'b';
  EXPECT_NE(site_knowledge_path(domain), path);
}

INSTANTIATE_TEST_SUITE_P(Documents, DocumentStoreContract, ::testing::ValuesIn(document_store_implementations()),
                         kImplementationName);

}  // namespace
}  // namespace pandora
