#include "base/text.h"
#include "service/search_items.h"

namespace pandora {
namespace {

// What a turn of this session would be shown for the question, in its order.
Result<Json> recall(OperationCall& call) {
  RecallRequest request = call.parts.recall_defaults;
  request.who = call.who;
  request.question = sanitize_utf8(call.in.text("question"));
  request.session = call.in.optional_value("session", SessionId::parse).value_or(SessionId());
  request.scope = call.in.optional_value("scope", parse_scope).value_or(Scope::kUser);
  const bool keeps = call.in.boolean_or("keep_receipt", true);
  if (call.in.ok() && trim(request.question).empty()) call.in.fault("question", "is empty");
  PANDORA_CHECK(call.in.finish());
  auto found = call.parts.recall.run(request, call.deadline.at_most(call.parts.clock, call.parts.recall_deadline));
  const Json receipt = keeps ? keep_receipt(call, found) : Json();
  return Json{{"items", json_list(found.section.items)},
              {"mode", to_string(found.section.mode)},
              {"missing", found.section.missing},
              {"tokens", found.section.tokens},
              {"receipt", receipt},
              {"micros", to_json(found.receipt.micros)}};
}

}  // namespace

std::vector<Operation> recall_operations() {
  return {{{"recall", "question, session?, scope? = user, keep_receipt? = true",
            "what a turn would be shown for this question"},
           recall}};
}

}  // namespace pandora
