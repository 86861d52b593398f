// What ports/vector_store.h promises, for every implementation. An implementation joins by a line in
// vector_store_implementations.cpp; the suites are in vector_*_contract.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "contract/expect.h"
#include "ports/vector_store.h"

namespace pandora {

// One installation of a store, empty to begin with.
class VectorStoreSetup {
 public:
  virtual ~VectorStoreSetup() = default;
  virtual VectorStore& store() = 0;
  virtual void reopen() = 0;  // closes the store and opens it on the same data, as after a restart
  virtual std::string new_path(const std::string& name) = 0;  // where a snapshot may go
  virtual std::unique_ptr<VectorStore> open_snapshot(const std::string& path) = 0;
};

using VectorStoreImplementation = Implementation<VectorStoreSetup>;
std::vector<VectorStoreImplementation> vector_store_implementations();

inline Uuid id_of(int n) {  // ascending with n
  Uuid id;
  for (int i = 0; i < 4; ++i) id.bytes[15 - i] = static_cast<std::uint8_t>(n >> 8 * i);
  return id;
}
inline CollectionSpec small_spec(const std::string& name = "things") {
  return {name,      4, {"words", "names"}, {{"user_id", PayloadType::kKeyword}, {"n", PayloadType::kInteger}},
          "model@1", 1};
}

class VectorStoreContract : public ::testing::TestWithParam<VectorStoreImplementation> {
 protected:
  void SetUp() override {
    setup_ = GetParam().make();
    if (setup_) must(store().ensure_collection(small_spec(), kNever));
  }
  VectorStore& store() { return setup_->store(); }

  static Principal user(const std::string& name) { return Principal::of(must(UserId::parse(name))); }
  static Point point(int n, std::vector<float> dense = {1, 0, 0, 0},
                     Payload payload = {{"user_id", std::string("ana")}}) {
    return {id_of(n), 1, {{"", std::move(dense)}}, {}, std::move(payload)};
  }
  std::size_t put(std::vector<Point> points) { return must(store().upsert("things", points, system_, kNever)); }
  std::vector<Point> get(std::vector<Uuid> ids) { return must(store().retrieve("things", ids, system_, kNever)); }
  std::int64_t count(const Filter& filter = {}) { return must(store().count("things", filter, system_, kNever)); }
  Result<std::vector<ScoredPoint>> query(const PointQuery& query) {
    return store().query("things", query, system_, kNever);
  }
  std::vector<int> found(const PointQuery& query) { return numbers(must(this->query(query))); }
  std::vector<int> matching(const Filter& filter) {
    return numbers(must(store().scroll("things", filter, std::nullopt, kMaxQueryLimit, system_, kNever)));
  }

  template <class Found>
  static std::vector<int> numbers(const std::vector<Found>& found) {
    std::vector<int> result;
    for (const auto& one : found) {
      int n = 0;
      for (int i = 12; i < 16; ++i) n = n << 8 | one.id.bytes[i];
      result.push_back(n);
    }
    return result;
  }

  const Principal system_ = Principal::system();
  std::unique_ptr<VectorStoreSetup> setup_;
};

using Numbers = std::vector<int>;

}  // namespace pandora
