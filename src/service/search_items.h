// What recall finds for a query, as a result of an operation. Internal.
#pragma once
#include <set>

#include "service/operation.h"
#include "turns/forgetting.h"

namespace pandora {

// The items of the given kinds, best first, with how far the search got.
Result<Json> search_items(OperationCall& call, const std::string& query, const std::set<GatheredKind>& kinds, std::size_t limit);

Forgetting make_forgetting(ServiceParts& parts);
Json to_json(const ForgetReport& report);
Result<ForgetReport> forget_report_from_json(const Json& json);

}  // namespace pandora
