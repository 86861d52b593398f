// An index and its files on the disk that forgets, beside a model: a map of what should be in it.
#pragma once
#include <algorithm>
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

inline IndexShape small_shape() {
  return {{kIndexDimension, 3},
          1,
          {{"kind", PayloadType::kKeyword},
           {"kinds", PayloadType::kKeyword},
           {"number", PayloadType::kInteger},
           {"at", PayloadType::kDatetime},
           {"good", PayloadType::kBool},
           {"text", PayloadType::kText}},
          "a test"};
}

// Rows of an owner, and the index that follows them.
class IndexCase {
 public:
  struct Row {
    std::uint64_t seq = 0;
    std::vector<float> dense, other;
    SparseVector words;
    Payload payload;
    std::string stored;
  };

  explicit IndexCase(unsigned seed, IndexShape shape = small_shape()) : random_(seed), shape_(std::move(shape)) {
    open();
  }

  // What an owner does at start: what the files have, then what they lack.
  IndexFiles::Loaded open() {
    index_ = std::make_unique<PointIndex>(shape_, DenseOptions(), kIndexStretch);
    index_files_ = std::make_unique<IndexFiles>(files, "/index", kIndexEpoch);
    const auto loaded = index_files_->load(*index_, seq_, 0);
    feed();
    return loaded;
  }
  void feed() {
    for (const auto& [id, removed] : removals_) {
      EXPECT_TRUE(index_->remove(id, removed).has_value());
    }
    for (const auto& [id, row] : rows_)
      if (row.seq > index_->applied()) {
        EXPECT_TRUE(index_->put(point_of(id, row)).has_value());
      }
    index_->set_applied(seq_, seq_);
  }
  void put(std::size_t number, const char* kind = nullptr) {
    const Uuid id = id_of(number);
    Row row{.seq = ++seq_, .dense = {}, .other = {}, .words = {}, .payload = {}, .stored = {}};
    if (random_() % 8 != 0) row.dense = normalised(normal_vector(random_, kIndexDimension));
    if (random_() % 2 != 0) row.other = normal_vector(random_, 3);
    for (std::uint32_t term = 0; term < 40; ++term)
      if (random_() % 5 == 0) {
        row.words.indices.push_back(term * 7);
        row.words.values.push_back(static_cast<float>(random_() % 100 + 1) / 16);
      }
    if (random_() % 8 != 0) row.payload["kind"] = std::string(1, static_cast<char>('a' + random_() % 5));
    if (kind) row.payload["kind"] = std::string(kind);
    row.payload["kinds"] = std::vector<std::string>{"x", std::string(random_() % 3, 'y')};
    if (random_() % 4 != 0) row.payload["number"] = static_cast<std::int64_t>(random_() % 50);
    if (random_() % 4 != 0) row.payload["at"] = Timestamp{static_cast<std::int64_t>(random_() % 50)};
    row.payload["good"] = random_() % 2 == 0;
    row.stored = "stored " + std::to_string(random_()) + ".";
    removals_.erase(id);
    const auto [place, added] = rows_.insert_or_assign(id, std::move(row));
    ASSERT_TRUE(index_->put(point_of(id, place->second)));
    index_->set_applied(seq_, seq_);
  }
  void remove(std::size_t number) {
    const Uuid id = id_of(number);
    if (rows_.erase(id) == 0) return;
    removals_[id] = ++seq_;
    ASSERT_TRUE(index_->remove(id, seq_));
    index_->set_applied(seq_, seq_);
  }
  // Changes among `numbers` points, as they come.
  void change(std::size_t times, std::size_t numbers) {
    for (std::size_t i = 0; i < times; ++i)
      if (random_() % 4 == 0)
        remove(random_() % numbers);
      else
        put(random_() % numbers);
  }
  void move(std::size_t number) {
    const auto row = rows_.find(id_of(number));
    if (row == rows_.end()) return;
    ASSERT_TRUE(index_->move(*index_->find(row->first), row->second.payload));
  }
  // Puts, removals and moves among `numbers` points, as they come.
  void stir(std::size_t times, std::size_t numbers) {
    for (std::size_t i = 0; i < times; ++i)
      if (random_() % 4 == 0)
        move(random_() % numbers);
      else
        change(1, numbers);
  }
  // `meanwhile` is done before and after the files are written.
  Status checkpoint(
      IndexFiles::Scope scope = IndexFiles::Scope::kTail, const std::function<void()>& meanwhile = [] {}) {
    const auto checkpoint = index_files_->begin(*index_, scope);
    if (!checkpoint) return {};
    meanwhile();
    PANDORA_CHECK(checkpoint->write());
    meanwhile();
    index_files_->end(*index_, *checkpoint);
    return {};
  }

  // Everything that can be asked, beside an index that was never in a file.
  void expect_as_rebuilt() {
    PointIndex rebuilt(shape_);
    for (const auto& [id, row] : rows_) ASSERT_TRUE(rebuilt.put(point_of(id, row)));
    ASSERT_EQ(index_->size(), rows_.size());
    ASSERT_EQ(rebuilt.size(), rows_.size());
    for (const auto& [id, row] : rows_) {
      const auto slot = index_->find(id);
      ASSERT_TRUE(slot);
      EXPECT_EQ(index_->stored(*slot).value(), row.stored);
      EXPECT_EQ(index_->seq(*slot), row.seq);
      const auto dense = index_->dense(0, *slot);
      ASSERT_TRUE(dense);
      EXPECT_TRUE(std::ranges::equal(*dense, row.dense));
      const auto words = index_->sparse(0, *slot);
      ASSERT_TRUE(words);
      EXPECT_EQ(words->value_or(SparseVector()), row.words);
    }
    std::mt19937 random(7);
    for (int i = 0; i < 12; ++i) {
      const Vector query = normalised(normal_vector(random, kIndexDimension));
      const auto term = [&](std::uint32_t first, std::uint32_t count) {
        return 7 * (first + static_cast<std::uint32_t>(random() % count));
      };
      const SparseVector words{{term(0, 40), term(41, 3)}, {1, 0.5F}};
      const SparseVector more{{0, 7, 14, 21, term(22, 10)}, {1, 2, 1, 1, 3}};
      const Condition conditions[] = {{.field = "kind", .any = {std::string("a"), std::string("c")}},
                                      {.field = "kinds", .any = {std::string("y")}},
                                      {.field = "number", .from = std::int64_t{10}, .to = std::int64_t{30}},
                                      {.field = "at", .from = Timestamp{5}},
                                      {.field = "good", .any = {true}}};
      same(index_->nearest(0, query, 10, nullptr, Deadline::never()),
           rebuilt.nearest(0, query, 10, nullptr, Deadline::never()));
      same(index_->nearest(1, Vector{1, 2, 3}, 10, nullptr, Deadline::never()),
           rebuilt.nearest(1, Vector{1, 2, 3}, 10, nullptr, Deadline::never()));
      for (const SparseVector& asked : {words, more})
        same(index_->by_terms(0, asked, 10, nullptr, Deadline::never()),
             rebuilt.by_terms(0, asked, 10, nullptr, Deadline::never()));
      for (const Condition& condition : conditions) {
        const auto here = index_->select(condition), there = rebuilt.select(condition);
        ASSERT_TRUE(here && there && *here && *there);
        EXPECT_EQ((*here)->slots.count(), (*there)->slots.count()) << condition.field;
        same(index_->nearest(0, query, 10, &(*here)->slots, Deadline::never()),
             rebuilt.nearest(0, query, 10, &(*there)->slots, Deadline::never()));
        same(index_->by_terms(0, more, 10, &(*here)->slots, Deadline::never()),
             rebuilt.by_terms(0, more, 10, &(*there)->slots, Deadline::never()));
      }
      EXPECT_EQ(index_->with_text("kind", "b").value().count(), rebuilt.with_text("kind", "b").value().count());
    }
  }
  // As an owner does: what is damaged is let go of when it is met, and fed again.
  void expect_as_rebuilt_after_healing() {
    for (int tries = 0; tries < 8; ++tries) {
      if (!meets_damage()) break;
      index_->drop_damaged();
      feed();
    }
    expect_as_rebuilt();
  }
  // Reads everything there is.
  bool meets_damage() {
    for (const auto& [id, row] : rows_) {
      const auto slot = index_->find(id);
      if (!slot) continue;
      (void)index_->stored(*slot);
      (void)index_->dense(0, *slot);
      (void)index_->dense(1, *slot);
      (void)index_->sparse(0, *slot);
    }
    for (const auto& [name, type] : shape_.fields)
      if (kind_of(type) == FieldKind::kKeys) {
        for (const char* text : {"a", "b", "c", "d", "e", "rare", "x", "y", "yy", ""})
          (void)index_->select({.field = name, .any = {std::string(text), true, false}});
      } else if (kind_of(type) == FieldKind::kNumbers) {
        (void)index_->select({.field = name, .from = std::int64_t{0}});
      } else if (kind_of(type) == FieldKind::kTimes) {
        (void)index_->select({.field = name, .from = Timestamp{0}});
      }
    return index_->damaged();
  }

  PointIndex& index() { return *index_; }
  std::uint64_t seq() const { return seq_; }
  std::size_t rows() const { return rows_.size(); }
  std::mt19937& random() { return random_; }
  std::vector<FileInfo> list() { return files.list("/index").value_or(std::vector<FileInfo>()); }
  testing::FaultFileSystem files;

 private:
  static IndexedPoint point_of(const Uuid& id, const Row& row) {
    return {id, row.seq, {row.dense, row.other}, {&row.words}, &row.payload, row.stored};
  }
  static void same(const Result<std::vector<Hit>>& a, const Result<std::vector<Hit>>& b) {
    ASSERT_TRUE(a && b);
    ASSERT_EQ(a->size(), b->size());
    for (std::size_t i = 0; i < a->size(); ++i) {
      EXPECT_EQ((*a)[i].id, (*b)[i].id);
      EXPECT_EQ((*a)[i].score, (*b)[i].score);
    }
  }
  std::mt19937 random_;
  const IndexShape shape_;
  std::uint64_t seq_ = 0;
  std::map<Uuid, Row> rows_;
  std::map<Uuid, std::uint64_t> removals_;
  std::unique_ptr<PointIndex> index_;
  std::unique_ptr<IndexFiles> index_files_;
};

}  // namespace pandora
