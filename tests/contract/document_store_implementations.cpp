// The implementations of DocumentStore that the suites run on: one more is one more class and one more line below.
#include "contract/document_store_contract.h"
#include "contract/s3_place.h"
#include "store_embedded/directory_document_store.h"
#include "store_memory/memory_document_store.h"
#include "store_server/s3_document_store.h"
#include "support/fault_file_system.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

class MemorySetup final : public DocumentStoreSetup {
 public:
  DocumentStore& store() override { return store_; }
  void reopen() override {}

 private:
  MemoryDocumentStore store_{clock_};
};

class DirectorySetup final : public DocumentStoreSetup {
 public:
  DirectorySetup() { reopen(); }
  DocumentStore& store() override { return *store_; }
  void reopen() override {
    store_.reset();
    store_ = must(DirectoryDocumentStore::open(*files_, folder_.path() + "/docs", clock_));
  }

 private:
  const testing::TemporaryDirectory folder_;
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  std::unique_ptr<DocumentStore> store_;
};

class FaultSetup final : public CrashingDocumentStoreSetup {
 public:
  FaultSetup() {
    // As whoever makes a data directory does, durably.
    must(files_.create_directories("/data/docs"));
    must(files_.sync_directory("/"));
    must(files_.sync_directory("/data"));
    reopen();
  }
  DocumentStore& store() override { return *store_; }
  void reopen() override {
    store_.reset();
    store_ = must(DirectoryDocumentStore::open(files_, "/data/docs", clock_));
  }
  void die_after(std::uint64_t operations) override { files_.die_after(operations); }
  void fail_after(std::uint64_t operations) override { files_.fail_after(operations, ErrorCode::kUnavailable); }
  void crash(Random& random) override {
    files_.crash(random);
    reopen();
  }

 private:
  testing::FaultFileSystem files_;
  std::unique_ptr<DocumentStore> store_;
};

class S3Setup final : public DocumentStoreSetup {
 public:
  S3Setup() { reopen(); }
  DocumentStore& store() override { return *store_; }
  void reopen() override { store_ = std::make_unique<S3DocumentStore>(place_.bucket(), place_.prefix(), clock_); }

 private:
  S3Place place_;
  std::unique_ptr<DocumentStore> store_;
};

}  // namespace

std::vector<Implementation<DocumentStoreSetup>> document_store_implementations() {
  std::vector<Implementation<DocumentStoreSetup>> all = {
      {"Memory", [] { return std::make_unique<MemorySetup>(); }},
      {"Directory", [] { return std::make_unique<DirectorySetup>(); }},
      {"DirectoryOnADiskThatForgets", [] { return std::make_unique<FaultSetup>(); }}};
  // Where there is one: tests/images/fetch_programs builds it.
  if (!testing::found_s3_server().empty()) all.push_back({"S3", [] { return std::make_unique<S3Setup>(); }});
  return all;
}

std::vector<Implementation<CrashingDocumentStoreSetup>> crashing_document_stores() {
  return {{"Directory", [] { return std::make_unique<FaultSetup>(); }}};
}

}  // namespace pandora
