// The implementations of ObjectStore that the suite runs on: one more is one more class and one more line below.
#include "contract/object_store_contract.h"
#include "contract/s3_place.h"
#include "store_embedded/directory_object_store.h"
#include "store_memory/memory_object_store.h"
#include "store_server/s3_object_store.h"
#include "support/fault_file_system.h"
#include "support/temporary_directory.h"

namespace pandora {
namespace {

class MemorySetup final : public ObjectStoreSetup {
 public:
  ObjectStore& store() override { return store_; }
  void reopen() override {}
  void damage(const std::string& key) override { store_.damage(key); }

 private:
  MemoryObjectStore store_;
};

class DirectorySetup final : public ObjectStoreSetup {
 public:
  DirectorySetup() { reopen(); }
  ObjectStore& store() override { return *store_; }
  void reopen() override {
    store_.reset();
    store_ = must(DirectoryObjectStore::open(*files_, root()));
  }
  void damage(const std::string& key) override {
    const auto file = must(files_->open(root() + "/" + key.substr(0, 2) + "/" + key, OpenMode::kAppend));
    must(file->append("!"));
  }

 private:
  std::string root() const { return folder_.path() + "/objects"; }
  const testing::TemporaryDirectory folder_;
  const std::unique_ptr<FileSystem> files_ = make_posix_file_system();
  std::unique_ptr<ObjectStore> store_;
};

class FaultSetup final : public CrashingObjectStoreSetup {
 public:
  FaultSetup() {
    // As whoever makes a data directory does, durably.
    must(files_.create_directories("/data/objects"));
    must(files_.sync_directory("/"));
    must(files_.sync_directory("/data"));
    reopen();
  }
  ObjectStore& store() override { return *store_; }
  void reopen() override {
    store_.reset();
    store_ = must(DirectoryObjectStore::open(files_, "/data/objects"));
  }
  void damage(const std::string& key) override {
    const auto file = must(files_.open("/data/objects/" + key.substr(0, 2) + "/" + key, OpenMode::kAppend));
    must(file->append("!"));
  }
  void die_after(std::uint64_t operations) override { files_.die_after(operations); }
  void fail_after(std::uint64_t operations) override { files_.fail_after(operations, ErrorCode::kUnavailable); }
  void crash(Random& random) override {
    files_.crash(random);
    reopen();
  }

 private:
  testing::FaultFileSystem files_;
  std::unique_ptr<ObjectStore> store_;
};

class S3Setup final : public ObjectStoreSetup {
 public:
  S3Setup() { reopen(); }
  ObjectStore& store() override { return *store_; }
  void reopen() override { store_ = std::make_unique<S3ObjectStore>(place_.bucket(), place_.prefix()); }
  void damage(const std::string& key) override {
    const auto files = make_posix_file_system();
    must(must(files->open(S3Place::server().file_of(place_.prefix() + key), OpenMode::kAppend))->append("!"));
  }

 private:
  S3Place place_;
  std::unique_ptr<ObjectStore> store_;
};

}  // namespace

std::vector<Implementation<ObjectStoreSetup>> object_store_implementations() {
  std::vector<Implementation<ObjectStoreSetup>> all = {
      {"Memory", [] { return std::make_unique<MemorySetup>(); }},
      {"Directory", [] { return std::make_unique<DirectorySetup>(); }},
      {"DirectoryOnADiskThatForgets", [] { return std::make_unique<FaultSetup>(); }}};
  // Where there is one: tests/images/fetch_programs builds it.
  if (!testing::found_s3_server().empty()) all.push_back({"S3", [] { return std::make_unique<S3Setup>(); }});
  return all;
}

std::vector<Implementation<CrashingObjectStoreSetup>> crashing_object_stores() {
  return {{"Directory", [] { return std::make_unique<FaultSetup>(); }}};
}

}  // namespace pandora
