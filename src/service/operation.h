// What an operation is, inside the service: a row of the table and the function behind it. Internal.
#pragma once
#include <functional>

#include "service/local_service.h"
#include "wire/turn_json.h"

namespace pandora {

// One call under way. A handler reads its arguments from `in`, calls `in.finish()` before it acts, and returns the
// result.
struct OperationCall {
  ServiceParts& parts;
  const Principal& who;
  JsonReader& in;
  CallObserver& observer;
  const Deadline& deadline;

  Status cancelled() const {
    if (observer.cancelled()) return fail(ErrorCode::kCancelled, "cancelled");
    return {};
  }
  void progress(std::string_view what, std::int64_t done, std::int64_t of) const {
    observer.event(dump_json({{"progress", {{"what", what}, {"done", done}, {"of", of}}}}));
  }
};

using Handler = Result<Json> (*)(OperationCall&);
struct Operation {
  OperationInfo info;
  Handler handler;
};

std::vector<Operation> approval_operations();
std::vector<Operation> chat_operations();
std::vector<Operation> turn_operations();
std::vector<Operation> memory_operations();
std::vector<Operation> recall_operations();
std::vector<Operation> receipt_operations();
std::vector<Operation> research_operations();
std::vector<Operation> source_operations();
std::vector<Operation> transfer_operations();
std::vector<Operation> maintenance_operations();
std::vector<Operation> move_operations();
std::vector<Operation> stats_operations();
std::vector<Operation> key_operations();

Json to_json(const PendingApproval& pending);

// A list's "limit", between 1 and `most`.
Result<std::size_t> read_limit(JsonReader& in, std::int64_t fallback, std::int64_t most);

template <class T>
Json json_list(const std::vector<T>& values) {
  Json array = Json::array();
  for (const auto& value : values) array.push_back(to_json(value));
  return array;
}

}  // namespace pandora
