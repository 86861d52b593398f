#include "base/text.h"
#include "service/operation.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxReasonBytes = 200;
constexpr std::size_t kMaxDetailBytes = 1000;

Result<ApprovalDesk*> desk_of(OperationCall& call) {
  if (call.parts.approvals) return call.parts.approvals;
  return fail(ErrorCode::kUnavailable, "no tools run in this process");
}

// For whoever runs tools: it comes back when somebody has answered.
Result<Json> ask(OperationCall& call) {
  ApprovalRequest request;
  request.user = call.who.user;
  request.tool = call.in.text("tool");
  request.arguments = call.in.text_or("arguments", "{}");
  request.session = call.in.optional_value("session", SessionId::parse).value_or(SessionId());
  request.turn = call.in.optional_value("turn", Uuid::parse).value_or(Uuid());
  request.key = call.in.text_or("key", "");
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(desk, desk_of(call));
  PANDORA_TRY(answer, desk->ask(request, [&call] { return call.observer.cancelled(); }, call.deadline));
  return Json{{"answer", to_string(answer)}};
}

Result<Json> list(OperationCall& call) {
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(desk, desk_of(call));
  Json array = Json::array();
  for (const auto& pending : desk->list(call.who)) array.push_back(to_json(pending));
  return Json{{"approvals", array}};
}

Result<Json> answer(OperationCall& call) {
  const Uuid id = call.in.value("id", Uuid::parse);
  const ApprovalAnswer given = call.in.value("answer", parse_approval_answer);
  const std::string why = ellipsize(one_line(sanitize_utf8(call.in.text_or("why", ""))), kMaxReasonBytes);
  PANDORA_CHECK(call.in.finish());
  PANDORA_TRY(desk, desk_of(call));
  PANDORA_CHECK(desk->answer(id, given, why, call.who));
  return Json{{"id", id.to_string()}, {"answer", to_string(given)}};
}

// A call that is part of no turn: its row.
Result<Json> note(OperationCall& call) {
  Observation row;
  row.kind = ObservationKind::kTool;
  row.name = ellipsize(one_line(sanitize_utf8(call.in.text("tool"))), kMaxReasonBytes);
  row.at = call.parts.clock.now();
  row.micros = call.in.integer("micros");
  row.ok = call.in.boolean("ok");
  row.detail = ellipsize(one_line(sanitize_utf8(call.in.text("detail"))), kMaxDetailBytes);
  PANDORA_CHECK(call.in.finish());
  PANDORA_CHECK(call.parts.stores.observations.add({row}, call.deadline));
  return Json{{"noted", true}};
}

}  // namespace

Json to_json(const PendingApproval& pending) {
  const ApprovalRequest& what = pending.what;
  return {{"id", pending.id.to_string()},
          {"tool", what.tool},
          {"arguments", what.arguments},
          {"session", what.session.empty() ? Json() : Json(what.session.str())},
          {"turn", what.turn.is_nil() ? Json() : Json(what.turn.to_string())},
          {"key", what.key.empty() ? Json() : Json(what.key)},
          {"asked_at", to_iso8601(pending.asked_at)},
          {"until", to_iso8601(pending.until)}};
}

std::vector<Operation> approval_operations() {
  return {
      {{"approvals.list", "", "tool calls that wait for a yes or no, the oldest first"}, list},
      {{"approvals.answer", "id, answer, why?", "once, session (this tool in this session) or deny"}, answer},
      {{"approvals.ask", "tool, arguments? = {}, session?, turn?, key?",
        "waits until a call is approved; for whoever runs tools"},
       ask},
      {{"tools.note", "tool, micros, ok, detail", "a row for a call that is part of no turn; for whoever runs tools"},
       note},
  };
}

}  // namespace pandora
