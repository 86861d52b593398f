// An index and its files on the disk that forgets, beside a model: a map of what should be in it.
#pragma once
#include <functional>
#include <map>

#include <gtest/gtest.h>

#include "support/fault_file_system.h"
#include "vecdb/index_files.h"
#include "vectors.h"

namespace pandora {

inline constexpr std::size_t kIndexDimension = 24;
inline constexpr std::size_t kIndexStretch = 64;  // so that slots of small parts are given again, too
inline const Uuid kIndexEpoch = id_of(1'000'000);

IndexShape small_shape();

// Rows of an owner, and the index that follows them.
class IndexCase {
 public:
  explicit IndexCase(unsigned seed, IndexShape shape = small_shape(), std::size_t slots = PointIndex::kMaxSlots);

  // What an owner does at start: what the files have, then what they lack.
  IndexFiles::Loaded open();
  void feed();
  void put(std::size_t number, const char* kind = nullptr);
  void remove(std::size_t number);
  void move(std::size_t number);
  // Changes among `numbers` points, as they come: puts and removals; with `stir` moves, too.
  void change(std::size_t times, std::size_t numbers);
  void stir(std::size_t times, std::size_t numbers);
  // `meanwhile` is done before and after the files are written.
  Status checkpoint(IndexFiles::Scope scope = IndexFiles::Scope::kTail, const std::function<void()>& meanwhile = [] {});

  // Everything that can be asked, beside an index that was never in a file.
  void expect_as_rebuilt();
  // As an owner does: what is damaged is let go of when it is met, and fed again.
  void expect_as_rebuilt_after_healing();
  bool meets_damage();  // reads everything there is

  PointIndex& index() { return *index_; }
  std::uint64_t seq() const { return seq_; }
  std::size_t rows() const { return rows_.size(); }
  std::mt19937& random() { return random_; }
  std::vector<FileInfo> list() { return files.list("/index").value_or(std::vector<FileInfo>()); }
  testing::FaultFileSystem files;

 private:
  struct Row {
    std::uint64_t seq = 0;
    std::vector<float> dense, other;
    SparseVector words;
    Payload payload;
    std::string stored;
  };
  static IndexedPoint point_of(const Uuid& id, const Row& row) {
    return {id, row.seq, {row.dense, row.other}, {&row.words}, &row.payload, row.stored};
  }
  void expect_same_rows(const PointIndex& rebuilt);
  void expect_same_answers(const PointIndex& rebuilt);

  std::mt19937 random_;
  const IndexShape shape_;
  const std::size_t slots_;
  std::uint64_t seq_ = 0;
  std::map<Uuid, Row> rows_;
  std::map<Uuid, std::uint64_t> removals_;
  std::unique_ptr<PointIndex> index_;
  std::unique_ptr<IndexFiles> index_files_;
};

}  // namespace pandora
