#include "domain/source.h"
#include "service/operation.h"

namespace pandora {
namespace {

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

}  // namespace

std::vector<Operation> source_operations() {
  return {
      {{"sources.list", "", "what is known of every domain"}, list},
      {{"sources.show", "domain", "one domain"}, show},
      {{"sources.allow", "domain", "its score no longer weighs on what it says"},
       [](OperationCall& call) { return set(call, SourceOverride::kAllow); }},
      {{"sources.block", "domain", "nothing that it says is recalled"},
       [](OperationCall& call) { return set(call, SourceOverride::kBlock); }},
      {{"sources.reset", "domain", "takes an allow or block back"},
       [](OperationCall& call) { return set(call, SourceOverride::kNone); }},
  };
}

}  // namespace pandora
