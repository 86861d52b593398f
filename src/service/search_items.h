// What recall finds for a query, as a result of an operation. Internal.
#pragma once
#include <set>

#include "service/operation.h"
#include "turns/forgetting.h"

namespace pandora {

// The items of the given kinds, best first, with how far the search got.
struct ItemSearch {
  std::string query;
  std::optional<SessionId> session;  // of this one only
  std::set<GatheredKind> kinds;
  std::size_t limit = 10;
};
// "query", "session" and "limit" of a call.
Result<ItemSearch> read_search(OperationCall& call, std::set<GatheredKind> kinds);
Result<Json> search_items(OperationCall& call, const ItemSearch& search);

Json to_json(const RecallTimings& micros);
// Keeps the receipt of a recall that no turn asked for: its id; or null, and why not in what is missing.
Json keep_receipt(OperationCall& call, RecallResult& found);

Forgetting make_forgetting(ServiceParts& parts);
Json to_json(const ForgetReport& report);
Result<ForgetReport> forget_report_from_json(const Json& json);

}  // namespace pandora
