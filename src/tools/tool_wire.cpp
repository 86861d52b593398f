#include "tools/tool_wire.h"

#include <fmt/format.h>

#include "base/base64.h"
#include "base/text.h"
#include "wire/openai_chat.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

constexpr std::string_view kUser = "Pandora-User", kSession = "Pandora-Session", kTurn = "Pandora-Turn",
                           kKey = "Pandora-Key";

template <class Parse>
Status read(const HttpHeaders& headers, std::string_view name, Parse parse) {
  if (!headers.has(name)) return {};
  const Status done = parse(headers.get(name));
  if (done) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", name, done.error().message), done.error().remedy);
}

Json fetch_json(const FetchAttempt& fetch) {
  return {{"domain", fetch.domain}, {"at", to_iso8601(fetch.at)}, {"ok", fetch.ok}, {"detail", fetch.detail}};
}

}  // namespace

HttpHeaders caller_headers(const ToolCaller& caller) {
  HttpHeaders headers;
  headers.add(std::string(kUser), caller.who.user.str());
  if (!caller.session.empty()) headers.add(std::string(kSession), caller.session.str());
  if (!caller.turn.is_nil()) headers.add(std::string(kTurn), caller.turn.to_string());
  if (!caller.key.empty()) headers.add(std::string(kKey), caller.key);
  return headers;
}

Result<ToolCaller> read_caller(const HttpHeaders& headers, const UserId& otherwise) {
  ToolCaller caller{Principal::of(otherwise)};
  PANDORA_CHECK(read(headers, kUser, [&](std::string_view text) -> Status {
    PANDORA_TRY(user, UserId::parse(text));
    caller.who.user = user;
    return {};
  }));
  PANDORA_CHECK(read(headers, kSession, [&](std::string_view text) -> Status {
    PANDORA_TRY(session, SessionId::parse(text));
    caller.session = session;
    return {};
  }));
  PANDORA_CHECK(read(headers, kTurn, [&](std::string_view text) -> Status {
    PANDORA_TRY(turn, Uuid::parse(text));
    caller.turn = turn;
    return {};
  }));
  PANDORA_CHECK(read(headers, kKey, [&](std::string_view text) -> Status {
    PANDORA_CHECK(check_name("key", text));
    caller.key = text;
    return {};
  }));
  return caller;
}

Json to_json(const ToolOutcome& outcome) {
  Json research = Json::array(), fetches = Json::array(), pages = Json::array();
  for (const auto& one : outcome.research) research.push_back(to_json(one));
  for (const auto& one : outcome.fetches) fetches.push_back(fetch_json(one));
  for (const auto& one : outcome.pages)
    pages.push_back(
        {{"media_type", one.object.media_type}, {"url", one.object.url}, {"base64", base64_encode(one.bytes)}});
  return {{"status", to_string(outcome.status)}, {"trust", to_string(outcome.trust)}, {"result", outcome.result},
          {"approval", outcome.approval},        {"claims", outcome.claims},          {"research", std::move(research)},
          {"fetches", std::move(fetches)},       {"pages", std::move(pages)}};
}

Result<ToolOutcome> outcome_from_json(std::string_view text) {
  PANDORA_TRY(json, parse_json(text, kMaxToolAnswerBytes, "the answer"));
  JsonReader in(json, "the outcome", ErrorCode::kUnavailable);
  ToolOutcome outcome;
  outcome.status = in.value("status", parse_tool_status);
  outcome.trust = in.value("trust", parse_trust);
  outcome.result = in.text("result");
  outcome.approval = in.text("approval");
  outcome.claims = in.texts("claims");
  if (const Json* all = in.array("research"))
    for (const auto& one : *all) {
      auto research = research_from_json(one, "the outcome.research");
      if (!research) return fail(ErrorCode::kUnavailable, research.error().message);
      outcome.research.push_back(*std::move(research));
    }
  if (const Json* all = in.array("fetches"))
    for (const auto& one : *all) {
      JsonReader of(one, "the outcome.fetches", ErrorCode::kUnavailable);
      FetchAttempt fetch;
      fetch.domain = of.text("domain");
      fetch.at = of.value("at", parse_iso8601);
      fetch.ok = of.boolean("ok");
      fetch.detail = of.text("detail");
      PANDORA_CHECK(of.finish());
      outcome.fetches.push_back(std::move(fetch));
    }
  if (const Json* all = in.array("pages"))
    for (const auto& one : *all) {
      JsonReader of(one, "the outcome.pages", ErrorCode::kUnavailable);
      Attachment page;
      page.object = {ObjectOrigin::kPage, "", 0, of.text("media_type"), of.text("url")};
      page.bytes = of.value("base64", base64_decode);
      PANDORA_CHECK(of.finish());
      outcome.pages.push_back(std::move(page));
    }
  PANDORA_CHECK(in.finish());
  return outcome;
}

Error error_from_answer(int status, std::string_view body) {
  const OpenAiError given = decode_openai_error(status, body);
  const ErrorCode code = error_code_named(given.code);
  const bool is_ours = error_info(code).name == given.code;
  return is_ours ? Error{code, given.message, ""} : to_error(given, "the Orchestrator");
}

}  // namespace pandora
