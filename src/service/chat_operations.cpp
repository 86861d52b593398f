#include <mutex>

#include "base/text.h"
#include "service/operation.h"

namespace pandora {
namespace {

class ObservingSink final : public TurnSink {
 public:
  ObservingSink(CallObserver& observer, ApprovalDesk* approvals) : observer_(observer), approvals_(approvals) {}
  void on_text(std::string_view text) override { event({{"delta", text}}); }
  // Whoever talks is asked what its tools may do.
  void on_gathered(const Uuid& turn, const std::optional<Uuid>&, const GatherSection&) override {
    if (approvals_)
      watch_.emplace(*approvals_, turn,
                     [this](const PendingApproval& pending) { event({{"approval", to_json(pending)}}); });
  }
  bool cancelled() override { return observer_.cancelled(); }

 private:
  // An approval is asked for on a thread of the tool's.
  void event(const Json& json) {
    const std::lock_guard lock(mutex_);
    observer_.event(dump_json(json));
  }
  CallObserver& observer_;
  ApprovalDesk* approvals_;
  std::mutex mutex_;
  std::optional<ApprovalDesk::Watch> watch_;  // last: ends first
};

Result<Json> chat(OperationCall& call) {
  TurnRequest request;
  request.user = call.who.user;
  request.session = call.in.value("session", SessionId::parse);
  request.message = {Role::kUser, sanitize_utf8(call.in.text_or("speaker", "")), call.in.text("message")};
  request.scope = call.in.optional_value("scope", parse_scope).value_or(Scope::kUser);
  PANDORA_CHECK(call.in.finish());

  ObservingSink sink(call.observer, call.parts.approvals);
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
