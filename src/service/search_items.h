// What recall finds for a query, as a result of an operation. Internal.
#pragma once
#include <set>

#include "service/operation.h"
#include "turns/forgetting.h"

namespace pandora {

// The items of the given kinds, best first, with how far the search got.
Result<Json> search_items(OperationCall& call, const std::string& query, const std::set<GatheredKind>& kinds, std::size_t limit);

Json to_json(const RecallTimings& micros);
// Keeps the receipt of a recall that no turn asked for: its id; or null, and why not in what is missing.
Json keep_receipt(OperationCall& call, RecallResult& found);

Forgetting make_forgetting(ServiceParts& parts);
Json to_json(const ForgetReport& report);
Result<ForgetReport> forget_report_from_json(const Json& json);

}  // namespace pandora
