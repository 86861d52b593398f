#include "embed/vector_cache.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"

namespace pandora {
namespace {

static_assert(std::endian::native == std::endian::little, "the file's floats are those of memory");

// File: kMagic and a line "<model> <revision> <dimension> <crc of these>\n"; then records: key, CRC-32C of key and
// vector, vector.
constexpr std::string_view kMagic = "pandora vectors 1\n";
constexpr std::size_t kMaxHeaderBytes = 4'096;
constexpr std::size_t kRecordsRead = 1'024;  // at once, when it is opened

using Key = std::array<std::uint8_t, 32>;
struct KeyHash {
  std::size_t operator()(const Key& key) const {  // a SHA-256 is as good as any
    std::size_t hash = 0;
    std::memcpy(&hash, key.data(), sizeof hash);
    return hash;
  }
};

// Of a passage: the "p" says so.
Key key_of(std::string_view text) { return sha256(fmt::format("p{}", text.substr(0, kMaxEmbeddedBytes))); }

std::string header_of(const EmbedderIdentity& identity) {
  const std::string line = fmt::format("{} {} {}", identity.model, identity.revision, identity.dimension);
  return fmt::format("{}{} {:08x}\n", kMagic, line, crc32c(line));
}

// Bytes of a record: what is written, and what it must be read as.
class RecordForm {
 public:
  explicit RecordForm(std::size_t dimension) : dimension_(dimension) {}
  std::size_t size() const { return kVectorAt + dimension_ * sizeof(float); }

  std::string encode(const Key& key, const std::vector<float>& vector) const {
    std::string record(size(), '\0');
    std::memcpy(record.data(), key.data(), key.size());
    std::memcpy(record.data() + kVectorAt, vector.data(), dimension_ * sizeof(float));
    const std::uint32_t crc = checksum(record);
    std::memcpy(record.data() + kChecksumAt, &crc, sizeof crc);
    return record;
  }
  bool is_whole(std::string_view record) const {
    if (record.size() != size()) return false;
    std::uint32_t crc = 0;
    std::memcpy(&crc, record.data() + kChecksumAt, sizeof crc);
    return crc == checksum(record);
  }
  static Key key(std::string_view record) {
    Key key;
    std::memcpy(key.data(), record.data(), key.size());
    return key;
  }
  std::vector<float> vector(std::string_view record) const {
    std::vector<float> vector(dimension_);
    std::memcpy(vector.data(), record.data() + kVectorAt, dimension_ * sizeof(float));
    return vector;
  }

 private:
  static constexpr std::size_t kChecksumAt = sizeof(Key), kVectorAt = kChecksumAt + sizeof(std::uint32_t);
  static std::uint32_t checksum(std::string_view record) {
    return crc32c(record.substr(kVectorAt), crc32c(record.substr(0, kChecksumAt)));
  }
  std::size_t dimension_;
};

class VectorCache final : public Embedder {
 public:
  VectorCache(std::shared_ptr<Embedder> embedder, std::string path, std::size_t most)
      : embedder_(std::move(embedder)), path_(std::move(path)), most_(most), form_(identity().dimension) {}

  Status open(FileSystem& files) {
    PANDORA_TRY(lock, files.lock(path_ + ".lock", "vectors"));
    lock_ = std::move(lock);
    const std::string header = header_of(identity());
    if (!files.exists(path_)) PANDORA_CHECK(files.write_atomic(path_, header, Durability::kDeferred));
    PANDORA_TRY(file, files.open(path_, OpenMode::kAppend));
    file_ = std::move(file);
    PANDORA_CHECK(check_header(header));
    records_at_ = header.size();
    return read_records();
  }

  const EmbedderIdentity& identity() const override { return embedder_->identity(); }
  std::size_t count_tokens(std::string_view text) const override { return embedder_->count_tokens(text); }

  Result<std::vector<std::vector<float>>> embed(std::span<const std::string_view> texts, TextRole role,
                                                const Deadline& deadline) override {
    if (role == TextRole::kQuestion) return embedder_->embed(texts, role, deadline);
    if (texts.size() > kMaxEmbeddedTexts) return fail(ErrorCode::kTooLarge, "too many texts at once");
    PANDORA_CHECK(deadline.check("encoding"));
    std::vector<Key> keys;
    std::vector<std::vector<float>> vectors(texts.size());
    std::vector<std::size_t> missing;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      keys.push_back(key_of(texts[i]));
      vectors[i] = find(keys[i]);
      if (vectors[i].empty()) missing.push_back(i);
    }
    if (missing.empty()) return vectors;
    std::vector<std::string_view> asked;
    for (const std::size_t i : missing) asked.push_back(texts[i]);
    PANDORA_TRY(made, embedder_->embed(asked, role, deadline));
    for (std::size_t i = 0; i < missing.size(); ++i) {
      keep(keys[missing[i]], made[i]);
      vectors[missing[i]] = std::move(made[i]);
    }
    return vectors;
  }

 private:
  Status check_header(const std::string& expected) {
    PANDORA_TRY(start, file_->read_at(0, kMaxHeaderBytes));
    if (start.starts_with(expected)) return {};
    const std::size_t end = start.find('\n', std::min(kMagic.size(), start.size()));
    const std::size_t crc = end == std::string::npos ? end : start.rfind(' ', end);
    if (!start.starts_with(kMagic) || end == std::string::npos || crc == std::string::npos || crc < kMagic.size() ||
        fmt::format("{:08x}", crc32c(std::string_view(start).substr(kMagic.size(), crc - kMagic.size()))) !=
            std::string_view(start).substr(crc + 1, end - crc - 1))
      return fail(ErrorCode::kDataCorrupt, path_ + " is no file of vectors", "name another, or remove it");
    return fail(
        ErrorCode::kIncompatible,
        fmt::format("{} holds vectors of {}, not of {} {} {}", path_, start.substr(kMagic.size(), crc - kMagic.size()),
                    identity().model, identity().revision, identity().dimension),
        "name another file");
  }

  Status read_records() {
    PANDORA_TRY(size, file_->size());
    const std::uint64_t count = (size - records_at_) / form_.size();
    std::uint64_t damaged = 0;
    for (std::uint64_t first = 0; first < count; first += kRecordsRead) {
      PANDORA_TRY(bytes, file_->read_at(records_at_ + first * form_.size(), kRecordsRead * form_.size()));
      for (std::size_t at = 0; at + form_.size() <= bytes.size(); at += form_.size()) {
        const std::string_view record = std::string_view(bytes).substr(at, form_.size());
        if (form_.is_whole(record))
          places_[RecordForm::key(record)] = first + at / form_.size();
        else
          ++damaged;
      }
    }
    count_ = count;
    if (damaged > 0) log_warn("vectors.damaged", {{"file", path_}, {"records", damaged}});
    const std::uint64_t whole = records_at_ + count * form_.size();
    return whole < size ? file_->truncate(whole) : Status();
  }

  // Empty when it is not there, or not whole any more.
  std::vector<float> find(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto place = places_.find(key);
    if (place == places_.end()) return {};
    const auto record = file_->read_at(records_at_ + place->second * form_.size(), form_.size());
    if (record && form_.is_whole(*record) && RecordForm::key(*record) == key) return form_.vector(*record);
    places_.erase(place);
    return {};
  }

  void keep(const Key& key, const std::vector<float>& vector) {
    const std::lock_guard lock(mutex_);
    if (!writes_ || places_.contains(key)) return;
    if (count_ >= most_) return stop_writing(fmt::format("it holds {} vectors", most_));
    // A part of a record may have been written: what follows would not be found where it is looked for.
    if (const Status written = file_->append(form_.encode(key, vector)); !written)
      return stop_writing(written.error().to_line());
    places_.emplace(key, count_++);
  }

  void stop_writing(const std::string& why) {
    writes_ = false;
    log_warn("vectors.not_kept", {{"file", path_}, {"why", why}});
  }

  const std::shared_ptr<Embedder> embedder_;
  const std::string path_;
  const std::size_t most_;
  const RecordForm form_;
  std::unique_ptr<FileLock> lock_;
  std::mutex mutex_;  // guards all below
  std::unique_ptr<File> file_;
  std::unordered_map<Key, std::uint64_t, KeyHash> places_;
  std::uint64_t records_at_ = 0, count_ = 0;
  bool writes_ = true;
};

}  // namespace

Result<std::unique_ptr<Embedder>> open_vector_cache(FileSystem& files, const std::string& path,
                                                    std::shared_ptr<Embedder> embedder, std::size_t most_vectors) {
  auto cache = std::make_unique<VectorCache>(std::move(embedder), path, most_vectors);
  PANDORA_CHECK(cache->open(files));
  return cache;
}

}  // namespace pandora
