#include "service/search_items.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"

namespace pandora {

Result<ItemSearch> read_search(OperationCall& call, std::set<GatheredKind> kinds) {
  ItemSearch search;
  search.query = sanitize_utf8(call.in.text("query"));
  search.session = call.in.optional_value("session", SessionId::parse);
  search.kinds = std::move(kinds);
  PANDORA_TRY(limit, read_limit(call.in, 10, 100));
  search.limit = limit;
  if (call.in.ok() && trim(search.query).empty()) call.in.fault("query", "is empty", "say what to look for");
  PANDORA_CHECK(call.in.finish());
  return search;
}

Result<Json> search_items(OperationCall& call, const ItemSearch& search) {
  constexpr std::int64_t kUnbounded = 1'000'000;  // tokens: a search shows everything it finds
  RecallRequest request = call.parts.recall_defaults;
  request.who = call.who;
  request.question = search.query;
  request.session = search.session.value_or(SessionId());
  request.scope = search.session ? Scope::kSession : Scope::kUser;
  request.token_budget = kUnbounded;
  request.limit = search.limit;
  auto found = call.parts.recall.run(request, call.deadline.at_most(call.parts.clock, call.parts.recall_deadline));
  const Json receipt = keep_receipt(call, found);
  Json items = Json::array();
  for (const auto& item : found.section.items)
    if (search.kinds.contains(item.kind) && items.size() < search.limit) items.push_back(to_json(item));
  return Json{{"items", items},
              {"mode", to_string(found.section.mode)},
              {"missing", found.section.missing},
              {"receipt", receipt},
              {"micros", found.receipt.micros.total}};
}

Json to_json(const RecallTimings& micros) {
  return {{"embed", micros.embed}, {"search", micros.search}, {"rank", micros.rank}, {"total", micros.total}};
}

Json keep_receipt(OperationCall& call, RecallResult& found) {
  found.receipt.id = call.parts.ids.next();
  const Status kept = call.parts.stores.receipts.put({&found.receipt, 1}, call.who, call.deadline);
  if (kept) return found.receipt.id.to_string();
  log_warn("recall.no_receipt", {{"error", kept.error().to_line()}});
  found.section.missing.push_back(fmt::format("the receipt: {}", kept.error().to_line()));
  return {};
}

Forgetting make_forgetting(ServiceParts& parts) {
  return {parts.stores, parts.saver, parts.files, parts.clock, parts.journal_directory, parts.overwrite_deleted};
}

Json to_json(const ForgetReport& report) {
  Json memories = Json::array(), research = Json::array();
  for (const auto& id : report.memories) memories.push_back(id.to_string());
  for (const auto& id : report.research) research.push_back(id.to_string());
  return {{"forgotten", report.what},
          {"uid", report.uid.to_string()},
          {"number", report.number.value},
          {"at", to_iso8601(report.at)},
          {"content_sha256", report.content_sha256},
          {"rows", report.rows},
          {"files", report.files},
          {"points", report.points},
          {"redacted", report.redacted},
          {"windows", report.windows},
          {"memories", memories},
          {"research", research},
          {"receipts", report.receipts},
          {"objects", report.objects},
          {"objects_left", report.objects_left},
          {"said_in", report.said_in.value}};
}

Result<ForgetReport> forget_report_from_json(const Json& json) {
  JsonReader in(json, "report", ErrorCode::kInvalidArgument);
  ForgetReport report;
  report.what = in.text("forgotten");
  report.uid = in.value("uid", Uuid::parse);
  report.number = {in.integer("number")};
  report.at = in.value("at", parse_iso8601);
  report.content_sha256 = in.text("content_sha256");
  report.rows = in.integer("rows");
  report.files = in.integer("files");
  report.points = in.integer("points");
  report.redacted = in.integer("redacted");
  report.windows = in.integer("windows");
  report.said_in = {in.integer_or("said_in", 0)};
  const auto ids = [&](const char* name) {
    std::vector<Uuid> values;
    for (const auto& text : in.texts(name)) {
      const auto id = Uuid::parse(text);
      if (id)
        values.push_back(*id);
      else
        in.fault(name, id.error().message);
    }
    return values;
  };
  report.memories = ids("memories");
  report.research = ids("research");
  // Reports of before there were receipts, or objects, have none.
  report.receipts = in.integer_or("receipts", 0);
  if (in.any("objects")) report.objects = in.texts("objects");
  report.objects_left = in.integer_or("objects_left", 0);
  PANDORA_CHECK(in.finish());
  return report;
}

}  // namespace pandora
