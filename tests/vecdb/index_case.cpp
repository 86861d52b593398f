#include "index_case.h"

#include <algorithm>

namespace pandora {
namespace {

void expect_same(const Result<std::vector<Hit>>& a, const Result<std::vector<Hit>>& b) {
  ASSERT_TRUE(a && b);
  ASSERT_EQ(a->size(), b->size());
  for (std::size_t i = 0; i < a->size(); ++i) {
    EXPECT_EQ((*a)[i].id, (*b)[i].id);
    EXPECT_EQ((*a)[i].score, (*b)[i].score);
  }
}

}  // namespace

IndexShape small_shape() {
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

IndexCase::IndexCase(unsigned seed, IndexShape shape, std::size_t slots)
    : random_(seed), shape_(std::move(shape)), slots_(slots) {
  open();
}

IndexFiles::Loaded IndexCase::open() {
  index_ = std::make_unique<PointIndex>(shape_, DenseOptions(), kIndexStretch, slots_);
  index_files_ = std::make_unique<IndexFiles>(files, "/index", kIndexEpoch);
  const auto loaded = index_files_->load(*index_, seq_, 0);
  feed();
  return loaded;
}

void IndexCase::feed() {
  for (const auto& [id, removed] : removals_) {
    EXPECT_TRUE(index_->remove(id, removed).has_value());
  }
  for (const auto& [id, row] : rows_)
    if (row.seq > index_->applied()) {
      EXPECT_TRUE(index_->put(point_of(id, row)).has_value());
    }
  index_->set_applied(seq_, seq_);
}

void IndexCase::put(std::size_t number, const char* kind) {
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

void IndexCase::remove(std::size_t number) {
  const Uuid id = id_of(number);
  if (rows_.erase(id) == 0) return;
  removals_[id] = ++seq_;
  ASSERT_TRUE(index_->remove(id, seq_));
  index_->set_applied(seq_, seq_);
}

void IndexCase::move(std::size_t number) {
  const auto row = rows_.find(id_of(number));
  if (row == rows_.end()) return;
  ASSERT_TRUE(index_->move(*index_->find(row->first), row->second.payload));
}

void IndexCase::change(std::size_t times, std::size_t numbers) {
  for (std::size_t i = 0; i < times; ++i)
    if (random_() % 4 == 0)
      remove(random_() % numbers);
    else
      put(random_() % numbers);
}

void IndexCase::stir(std::size_t times, std::size_t numbers) {
  for (std::size_t i = 0; i < times; ++i)
    if (random_() % 4 == 0)
      move(random_() % numbers);
    else
      change(1, numbers);
}

Status IndexCase::checkpoint(IndexFiles::Scope scope, const std::function<void()>& meanwhile) {
  const auto checkpoint = index_files_->begin(*index_, scope);
  if (!checkpoint) return {};
  meanwhile();
  PANDORA_CHECK(checkpoint->write());
  meanwhile();
  index_files_->end(*index_, *checkpoint);
  return {};
}

void IndexCase::expect_as_rebuilt() {
  PointIndex rebuilt(shape_);
  for (const auto& [id, row] : rows_) ASSERT_TRUE(rebuilt.put(point_of(id, row)));
  expect_same_rows(rebuilt);
  expect_same_answers(rebuilt);
}

void IndexCase::expect_same_rows(const PointIndex& rebuilt) {
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
}

void IndexCase::expect_same_answers(const PointIndex& rebuilt) {
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
    expect_same(index_->nearest(0, query, 10, nullptr, Deadline::never()),
                rebuilt.nearest(0, query, 10, nullptr, Deadline::never()));
    expect_same(index_->nearest(1, Vector{1, 2, 3}, 10, nullptr, Deadline::never()),
                rebuilt.nearest(1, Vector{1, 2, 3}, 10, nullptr, Deadline::never()));
    for (const SparseVector& asked : {words, more})
      expect_same(index_->by_terms(0, asked, 10, nullptr, Deadline::never()),
                  rebuilt.by_terms(0, asked, 10, nullptr, Deadline::never()));
    for (const Condition& condition : conditions) {
      const auto here = index_->select(condition), there = rebuilt.select(condition);
      ASSERT_TRUE(here && there && *here && *there);
      EXPECT_EQ((*here)->slots.count(), (*there)->slots.count()) << condition.field;
      expect_same(index_->nearest(0, query, 10, &(*here)->slots, Deadline::never()),
                  rebuilt.nearest(0, query, 10, &(*there)->slots, Deadline::never()));
      expect_same(index_->by_terms(0, more, 10, &(*here)->slots, Deadline::never()),
                  rebuilt.by_terms(0, more, 10, &(*there)->slots, Deadline::never()));
    }
    EXPECT_EQ(index_->with_text("kind", "b").value().count(), rebuilt.with_text("kind", "b").value().count());
  }
}

void IndexCase::expect_as_rebuilt_after_healing() {
  for (int tries = 0; tries < 8; ++tries) {
    if (!meets_damage()) break;
    index_->drop_damaged();
    feed();
  }
  expect_as_rebuilt();
}

bool IndexCase::meets_damage() {
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

}  // namespace pandora
