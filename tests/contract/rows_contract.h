// The suites for the ports of rows. Each test is a promise of a header of src/ports, written from the header alone.
//
// A new implementation adds a factory to rows_factories.cpp and runs all of them.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "domain/turn_record.h"
#include "ports/attempt_log.h"
#include "ports/knowledge_stores.h"
#include "ports/observation_store.h"
#include "ports/outbox.h"
#include "ports/text_search.h"
#include "ports/turn_store.h"
#include "ports/turn_vector_log.h"

namespace pandora::testing {

// The rows of one new installation.
class RowsUnderTest {
 public:
  virtual ~RowsUnderTest() = default;
  virtual TurnStore& turns() = 0;
  virtual MemoryStore& memories() = 0;
  virtual ResearchStore& research() = 0;
  virtual SourceStore& sources() = 0;
  virtual ObservationStore& observations() = 0;
  virtual InstanceStore& instance() = 0;
  virtual Outbox& outbox() = 0;
  virtual AttemptLog& attempts() = 0;
  virtual TurnVectorLog& turn_vectors() = 0;
  virtual TextSearch* texts() { return nullptr; }  // of those whose factory says that they have one
  // As the next process finds them. Does nothing where nothing outlives the process.
  virtual void reopen() = 0;
};

// `Rows` is any object with an accessor for each port.
template <class Rows>
class Accessors : public RowsUnderTest {
 public:
  TurnStore& turns() override { return rows_->turns(); }
  MemoryStore& memories() override { return rows_->memories(); }
  ResearchStore& research() override { return rows_->research(); }
  SourceStore& sources() override { return rows_->sources(); }
  ObservationStore& observations() override { return rows_->observations(); }
  InstanceStore& instance() override { return rows_->instance(); }
  Outbox& outbox() override { return rows_->outbox(); }

 protected:
  std::unique_ptr<Rows> rows_;
};

struct RowsFactory {
  std::string name;
  std::function<std::unique_ptr<RowsUnderTest>(const Clock&)> make;
  bool finds_words = true;
};
inline void PrintTo(const RowsFactory& factory, std::ostream* out) { *out << factory.name; }
const std::vector<RowsFactory>& rows_factories();
std::vector<RowsFactory> factories_that_find_words();

// INSTANTIATE_ROWS_CONTRACT(Suite): the suite, once for each factory.
#define INSTANTIATE_ROWS_CONTRACT(suite)                                       \
  INSTANTIATE_TEST_SUITE_P(Rows, suite, ::testing::ValuesIn(rows_factories()), \
                           [](const auto& one) { return one.param.name; })

inline const Deadline kNever = Deadline::never();

template <class T>
std::optional<ErrorCode> error_of(const Result<T>& result) {
  return result ? std::nullopt : std::optional(result.error().code);
}

// The value by itself: for a loop, which would outlive the result.
template <class T>
T got(Result<T> result) {
  return std::move(result).value();
}

class RowsContract : public ::testing::TestWithParam<RowsFactory> {
 protected:
  RowsContract();

  // Of `who`, in session `session`; every field that a row keeps has a value of its own.
  TurnRecord record(const std::string& session, const std::string& message, const Principal& who);
  TurnRecord record(const std::string& session, const std::string& message) { return record(session, message, ana); }
  Memory memory(const std::string& content, const Principal& who);
  Memory memory(const std::string& content) { return memory(content, ana); }
  Research research(const std::string& topic, const Principal& who);
  Research research(const std::string& topic) { return research(topic, ana); }
  Observation observation(const Uuid& turn, const std::string& name);

  Turn commit(TurnRecord record);  // the turn with its number
  Turn commit(const std::string& session, const std::string& message) { return commit(record(session, message)); }
  std::vector<Turn> conversation(const std::string& session, int turns, const Principal& who);

  // Everything that waits, sorted; the outbox is empty afterwards.
  std::vector<OutboxItem> take_outbox();
  static std::vector<OutboxItem> sorted(std::vector<OutboxItem> items);
  static std::vector<OutboxItem> of_turn(const Turn& turn);  // directory and point
  static OutboxItem point_of(const Turn& turn) { return {OutboxKind::kTurnPoint, turn.uid.to_string()}; }
  static std::vector<OutboxItem> of_memory(const Uuid& id);
  static std::vector<OutboxItem> of_research(const Uuid& id);

  // A deadline that has passed already.
  Deadline passed() const { return Deadline::after(clock, Duration(0)); }

  ManualClock clock;
  SeededRandom random{7};
  UuidV7Generator ids{clock, random};
  const Principal ana = Principal::of(UserId::parse("ana").value());
  const Principal bea = Principal::of(UserId::parse("bea").value());
  const Principal everyone = Principal::system();
  std::unique_ptr<RowsUnderTest> rows;
};

SessionId session_id(const std::string& name);
// The numbers, uids or ids of what a store gave, to be compared at a glance.
std::vector<std::int64_t> numbers_of(const std::vector<Turn>& turns);
template <class T>
std::vector<Uuid> ids_of(const std::vector<T>& values) {
  std::vector<Uuid> found;
  for (const auto& value : values) found.push_back(value.id);
  return found;
}
template <class T>
std::vector<T> joined(std::vector<T> first, const std::vector<T>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace pandora::testing
