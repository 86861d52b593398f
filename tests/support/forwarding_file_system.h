// A file system that does as another does; a test changes one thing of it.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file_system.h"

namespace pandora::testing {

class ForwardingFile : public File {
 public:
  explicit ForwardingFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  Status append(std::string_view bytes) override { return file_->append(bytes); }
  Result<std::string> read_at(std::uint64_t offset, std::size_t length) override {
    return file_->read_at(offset, length);
  }
  Result<std::uint64_t> size() override { return file_->size(); }
  Status truncate(std::uint64_t size) override { return file_->truncate(size); }
  Status sync() override { return file_->sync(); }

 private:
  std::unique_ptr<File> file_;
};

class ForwardingFileSystem : public FileSystem {
 public:
  explicit ForwardingFileSystem(FileSystem& files) : files_(files) {}
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    return files_.open(path, mode);
  }
  Result<std::string> read_file(const std::string& path, std::size_t max_bytes) override {
    return files_.read_file(path, max_bytes);
  }
  Status write_atomic(const std::string& path, std::string_view bytes, Durability durability) override {
    return files_.write_atomic(path, bytes, durability);
  }
  Status rename(const std::string& from, const std::string& to) override { return files_.rename(from, to); }
  Status remove_file(const std::string& path) override { return files_.remove_file(path); }
  Status remove_tree(const std::string& path) override { return files_.remove_tree(path); }
  Status create_directories(const std::string& path) override { return files_.create_directories(path); }
  Result<std::vector<FileInfo>> list(const std::string& path) override { return files_.list(path); }
  Result<std::vector<FileInfo>> list_after(const std::string& path, const std::string& after,
                                           std::size_t limit) override {
    return files_.list_after(path, after, limit);
  }
  Result<FileInfo> info(const std::string& path) override { return files_.info(path); }
  Status sync_file(const std::string& path) override { return files_.sync_file(path); }
  Status sync_directory(const std::string& path) override { return files_.sync_directory(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, std::string_view holder) override {
    return files_.lock(path, holder);
  }
  Result<std::uint64_t> free_bytes(const std::string& path) override { return files_.free_bytes(path); }

 protected:
  FileSystem& files_;
};

}  // namespace pandora::testing
