#include "base/text.h"
#include "domain/source.h"
#include "service/operation.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxAttemptDetail = 200;

Json shown(const Source& source) {
  Json json = to_json(source);
  json["score"] = source_score(source);
  return json;
}

Result<Json> list(OperationCall& call) {
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(sources, call.parts.stores.sources.list(call.parts.clock.now(), call.deadline));
  Json array = Json::array();
  for (const auto& source : sources) array.push_back(shown(source));
  return Json{{"sources", array}};
}

Result<Json> show(OperationCall& call) {
  const std::string domain = call.in.value("domain", normalise_domain);
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(source, call.parts.stores.sources.find(domain, call.parts.clock.now(), call.deadline));
  return Json{{"source", shown(source)}};
}

Result<Json> set(OperationCall& call, SourceOverride value) {
  const std::string domain = call.in.value("domain", normalise_domain);
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(source, call.parts.stores.sources.set_override(domain, value, call.parts.clock.now(), call.deadline));
  return Json{{"source", shown(source)}};
}

// An attempt that is no part of a turn; those of a turn come with its record.
Result<Json> record(OperationCall& call) {
  FetchAttempt attempt;
  attempt.domain = call.in.value("domain", normalise_domain);
  attempt.ok = call.in.boolean("ok");
  attempt.detail = ellipsize(one_line(sanitize_utf8(call.in.text_or("detail", ""))), kMaxAttemptDetail);
  attempt.at = call.parts.clock.now();
  PANDORA_CHECK(call.in.finish());
  PANDORA_CHECK(call.parts.stores.sources.record(attempt, call.deadline));
  PANDORA_TRY(source, call.parts.stores.sources.find(attempt.domain, attempt.at, call.deadline));
  return Json{{"source", shown(source)}};
}

}  // namespace

std::vector<Operation> source_operations() {
  return {
      {{"sources.list", "", "what is known of every domain"}, list},
      {{"sources.show", "domain", "one domain"}, show},
      {{"sources.record", "domain, ok, detail?", "one attempt to use a domain counts for its score"}, record},
      {{"sources.allow", "domain", "its score no longer weighs on what it says"},
       [](OperationCall& call) { return set(call, SourceOverride::kAllow); }},
      {{"sources.block", "domain", "nothing that it says is recalled"},
       [](OperationCall& call) { return set(call, SourceOverride::kBlock); }},
      {{"sources.reset", "domain", "takes an allow or block back"},
       [](OperationCall& call) { return set(call, SourceOverride::kNone); }},
  };
}

}  // namespace pandora
