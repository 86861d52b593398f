#include "eval/evaluation.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace pandora {
namespace {

constexpr std::size_t kBatch = 200;               // lines an import call
const char* const kAskingSession = "evaluation";  // none of the conversations': nothing of it is recalled

Result<Json> call(Service& service, const char* operation, const UserId& user, const Json& arguments,
                  CallObserver& observer) {
  PANDORA_TRY(answer, service.call({operation, user, dump_json(arguments)}, observer, Deadline::never()));
  return Json::parse(answer, nullptr, false);
}

void progress(CallObserver& observer, const char* what, std::size_t done, std::size_t of) {
  observer.event(dump_json({{"progress", {{"what", what}, {"done", done}, {"of", of}}}}));
}

std::string import_line(const EvalUtterance& utterance) {
  Json line = {{"session", utterance.session.str()}, {"speaker", utterance.speaker}, {"at", to_iso8601(utterance.at)}};
  line[utterance.reply.empty() ? "text" : "message"] = utterance.text;
  if (!utterance.reply.empty()) line["reply"] = utterance.reply;
  if (utterance.reply.empty() && utterance.role != Role::kUser) line["role"] = to_string(utterance.role);
  return dump_json(line);
}

// Of turns, in the order that they would be injected; a session counts where its first turn stands.
struct Found {
  std::vector<std::string> turns, sessions;
};
Found found_in(const Json& result) {
  Found found;
  for (const Json& item : result["items"]) {
    const std::string kind = item.value("kind", ""), session = item.value("session", "");
    if (kind != "turn" && kind != "previous_turn") continue;
    found.turns.push_back(item.value("id", ""));
    if (std::ranges::find(found.sessions, session) == found.sessions.end()) found.sessions.push_back(session);
  }
  return found;
}

}  // namespace

Result<KeptTurns> keep_conversations(Service& service, const QuestionSet& set, CallObserver& observer) {
  std::size_t done = 0, all = 0;
  for (const auto& conversation : set) all += conversation.utterances.size();
  KeptTurns kept;
  for (const auto& conversation : set) {
    std::vector<std::string>& uids = kept.emplace_back();
    for (std::size_t begin = 0; begin < conversation.utterances.size(); begin += kBatch) {
      const std::size_t end = std::min(begin + kBatch, conversation.utterances.size());
      Json lines = Json::array();
      for (std::size_t i = begin; i < end; ++i) lines.push_back(import_line(conversation.utterances[i]));
      PANDORA_TRY(result, call(service, "import.turns", conversation.user,
                               {{"lines", lines}, {"first_line", begin + 1}}, observer));
      for (const Json& error : result["errors"])
        return fail(ErrorCode::kInvalidArgument, fmt::format("{}: utterance {}: {}", conversation.user.str(),
                                                             error.value("line", 0), error.value("error", "")));
      for (const Json& uid : result["uids"]) uids.push_back(uid.get<std::string>());
      done += end - begin;
      progress(observer, "utterances kept", done, all);
    }
    PANDORA_CHECK(call(service, "drain", conversation.user, Json::object(), observer).map([](auto&&) {}));
  }
  return kept;
}

Result<EvalScores> ask_questions(Service& service, const QuestionSet& set, const KeptTurns& turns,
                                 EvalReceipts receipts, CallObserver& observer) {
  std::size_t all = 0;
  for (const auto& conversation : set) all += conversation.questions.size();
  EvalScores scores;
  for (std::size_t c = 0; c < set.size(); ++c) {
    const auto& [user, utterances, questions] = set[c];
    std::map<std::string, std::size_t> position;
    for (std::size_t i = 0; i < utterances.size(); ++i) position[utterances[i].id] = i;
    for (const auto& question : questions) {
      if (observer.cancelled()) return fail(ErrorCode::kCancelled, "cancelled");
      std::vector<std::string> wanted, wanted_sessions;
      for (const auto& id : question.evidence) {
        wanted.push_back(turns[c][position.at(id)]);
        const std::string& session = utterances[position.at(id)].session.str();
        if (std::ranges::find(wanted_sessions, session) == wanted_sessions.end()) wanted_sessions.push_back(session);
      }
      PANDORA_TRY(result, call(service, "recall", user,
                               {{"question", question.text},
                                {"session", kAskingSession},
                                {"keep_receipt", receipts == EvalReceipts::kKept}},
                               observer));
      const Found found = found_in(result);
      QuestionScore score;
      score.id = fmt::format("{}: {}", user.str(), question.text);
      score.category = question.category;
      score.turn_recall_at_5 = recall_at(5, wanted, found.turns);
      score.turn_recall_at_10 = recall_at(10, wanted, found.turns);
      score.session_recall_at_5 = recall_at(5, wanted_sessions, found.sessions);
      score.session_recall_at_10 = recall_at(10, wanted_sessions, found.sessions);
      score.context_tokens = result.value("tokens", 0.0);
      score.recall_ms = result["micros"].value("total", 0.0) / 1000;
      score.mode = result.value("mode", "");
      scores.push_back(std::move(score));
      if (scores.size() % 50 == 0 || scores.size() == all) progress(observer, "questions asked", scores.size(), all);
    }
  }
  return scores;
}

}  // namespace pandora
