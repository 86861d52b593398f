#include "base/text.h"
#include "service/operation.h"

namespace pandora {
namespace {

class ObservingSink final : public TurnSink {
 public:
  explicit ObservingSink(CallObserver& observer) : observer_(observer) {}
  void on_text(std::string_view text) override { observer_.event(dump_json({{"delta", text}})); }
  bool cancelled() override { return observer_.cancelled(); }

 private:
  CallObserver& observer_;
};

Result<Json> chat(OperationCall& call) {
  TurnRequest request;
  request.user = call.who.user;
  request.session = call.in.value("session", SessionId::parse);
  request.message = {Role::kUser, sanitize_utf8(call.in.text_or("speaker", "")), call.in.text("message")};
  request.scope = call.in.optional_value("scope", parse_scope).value_or(Scope::kUser);
  PANDORA_CHECK(call.in.finish());

  ObservingSink sink(call.observer);
  PANDORA_TRY(outcome, call.parts.runtime.run(request, sink, call.deadline));
  Json result = {{"ending", to_string(outcome.ending)},
                 {"reply", outcome.reply},
                 {"turn_uid", outcome.uid.to_string()},
                 {"acknowledged", outcome.acknowledged},
                 {"receipt", outcome.receipt ? Json(outcome.receipt->to_string()) : Json()},
                 {"memories", json_list(outcome.memories)},
                 {"recalled", json_list(outcome.gathered.items)},
                 {"recall_mode", to_string(outcome.gathered.mode)},
                 {"missing", outcome.gathered.missing},
                 {"error", outcome.error ? Json{{"code", error_info(outcome.error->code).name},
                                                {"message", outcome.error->message},
                                                {"remedy", outcome.error->remedy}}
                                         : Json()}};
  return result;
}

}  // namespace

std::vector<Operation> chat_operations() {
  return {{{"chat", "session, message, speaker?, scope? = user",
            "one turn of a conversation; the reply comes in events as well"},
           chat}};
}

}  // namespace pandora
