// An encoder's files: manifest.json, vocab.txt, model.safetensors. Read-only, mapped; thread-safe once open.
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pandora {

struct ModelManifest {
  std::string name, revision;
  std::size_t layers = 0, heads = 0, hidden = 0, intermediate = 0, window = 0;
  bool mean_pooling = false;  // else the first token's
  std::string question_prefix, passage_prefix;
  struct FileEntry {
    std::uint64_t bytes = 0;
    std::string sha256;
  };
  std::map<std::string, FileEntry> files;
};
// kNotFound: no manifest there; kDataCorrupt: it does not make sense.
Result<ModelManifest> read_manifest(const std::string& directory);

// The whole file, checked against the manifest's size and hash: kIncompatible when it is another one, kNotFound or
// kPermissionDenied when it cannot be opened. The hash is computed once and remembered in a stamp beside the file
// (size, inode, time of change); a file that changed is hashed again, also one that changed within a second before the
// stamp.
class MappedFile {
 public:
  static Result<std::unique_ptr<MappedFile>> open(const std::string& directory, const std::string& name,
                                                  const ModelManifest& manifest);
  ~MappedFile();
  std::string_view bytes() const { return {data_, size_}; }
  void forget_pages() const;  // what is read again comes from the page cache again

 private:
  MappedFile(const char* data, std::size_t size) : data_(data), size_(size) {}
  const char* data_;
  std::size_t size_;
};

// Tensors of f32 by name, as safetensors lays them out; others are left out.
class Tensors {
 public:
  static Result<Tensors> parse(std::string_view safetensors);
  // kDataCorrupt when it is missing or has another number of values.
  Result<std::span<const float>> find(const std::string& name, std::size_t values) const;
  // A table with at least so many rows of `width` values; kDataCorrupt as above.
  Result<std::span<const float>> find_table(const std::string& name, std::size_t rows, std::size_t width) const;
  bool linear_in_out() const { return linear_in_out_; }  // linear weights are [in, out], not [out, in]

 private:
  std::map<std::string, std::span<const float>> tensors_;
  bool linear_in_out_ = false;
};

}  // namespace pandora
