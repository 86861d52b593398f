#include <array>
#include <cctype>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "eval/question_set.h"
#include "wire/json_reader.h"

namespace pandora {
namespace {

constexpr Duration kBetweenUtterances = std::chrono::seconds(30);  // the data set dates sessions, not utterances

// Leading digits of what is left, which they are taken off.
int take_number(std::string_view& text) {
  int value = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec == std::errc()) text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
  return value;
}
bool take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

// "1:56 pm on 8 May, 2023"
Result<Timestamp> parse_session_date(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                        "May",       "June",     "July",     "August",
                                                        "September", "October",  "November", "December"};
  std::string_view rest = text;
  int hour = take_number(rest);
  take(rest, ":");
  const int minute = take_number(rest);
  const bool afternoon = rest.starts_with(" pm");
  if (!take(rest, " pm on ") && !take(rest, " am on ")) hour = -1;
  const int day = take_number(rest);
  take(rest, " ");
  int month = 0;
  for (std::size_t i = 0; i < kMonths.size() && month == 0; ++i)
    if (take(rest, kMonths[i])) month = static_cast<int>(i) + 1;
  take(rest, ", ");
  const int year = take_number(rest);
  if (hour < 1 || hour > 12 || minute < 0 || day < 1 || month == 0 || year < 0 || !rest.empty())
    return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no time such as \"1:56 pm on 8 May, 2023\"", text));
  hour = hour % 12 + (afternoon ? 12 : 0);
  return parse_iso8601(fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:00Z", year, month, day, hour, minute));
}

// Every "D<digits>:<digits>" of a text.
std::vector<std::string> evidence_ids(std::string_view text) {
  const auto digits = [&](std::size_t at) {
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]))) ++at;
    return at;
  };
  std::vector<std::string> ids;
  for (std::size_t at = text.find('D'); at != std::string_view::npos; at = text.find('D', at + 1)) {
    const std::size_t colon = digits(at + 1);
    if (colon == at + 1 || colon >= text.size() || text[colon] != ':') continue;
    const std::size_t end = digits(colon + 1);
    if (end > colon + 1) ids.emplace_back(text.substr(at, end - at));
  }
  return ids;
}

class LocomoReader {
 public:
  Result<EvalConversation> read(const Json& json, std::size_t number) {
    place_ = fmt::format("conversation {}", number + 1);
    if (!json.is_object()) return wrong(place_, "is no object");
    JsonReader in(json, place_, ErrorCode::kInvalidArgument);
    const Json* name = in.any("conversation");
    const std::string text =
        name && name->is_string() ? name->get<std::string>() : fmt::format("conversation-{}", number + 1);
    PANDORA_TRY(user, UserId::parse(text));
    conversation_.user = std::move(user);
    const Json *sessions = in.array("sessions"), *questions = in.array("questions");
    PANDORA_CHECK(in.finish());
    for (const Json& session : *sessions) PANDORA_CHECK(read_session(session));
    for (const Json& question : *questions) PANDORA_CHECK(read_question(question));
    return std::move(conversation_);
  }

 private:
  static tl::unexpected<Error> wrong(const std::string& place, std::string_view what) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", place, what));
  }

  Status read_session(const Json& json) {
    if (!json.is_object()) return wrong(place_, "a session is no object");
    JsonReader in(json, place_ + ".sessions", ErrorCode::kInvalidArgument);
    const Json* number = in.any("session");
    const std::string text = !number ? "" : number->is_string() ? number->get<std::string>() : number->dump();
    PANDORA_TRY(session, SessionId::parse("session_" + text));
    Timestamp at = in.value("date_time", parse_session_date);
    const Json* turns = in.array("turns");
    PANDORA_CHECK(in.finish());
    for (const Json& turn : *turns) {
      if (!turn.is_object()) return wrong(place_, "a turn is no object");
      JsonReader one(turn, place_ + ".turns", ErrorCode::kInvalidArgument);
      EvalUtterance utterance{one.text("id"), session, one.text("speaker"), one.text("text"), at};
      PANDORA_CHECK(one.finish());
      at = at + kBetweenUtterances;
      if (!ids_.insert(utterance.id).second)
        return wrong(place_, fmt::format("two turns have the id \"{}\"", utterance.id));
      conversation_.utterances.push_back(std::move(utterance));
    }
    return {};
  }

  Status read_question(const Json& json) {
    if (!json.is_object()) return wrong(place_, "a question is no object");
    JsonReader in(json, place_ + ".questions", ErrorCode::kInvalidArgument);
    EvalQuestion question;
    question.text = in.text("question");
    if (in.ok() && trim(question.text).empty()) in.fault("question", "is empty");
    const std::vector<std::string> evidence = in.texts("evidence");
    const Json* category = in.any("category");
    if (category) question.category = category->is_string() ? category->get<std::string>() : category->dump();
    PANDORA_CHECK(in.finish());
    std::set<std::string> known;
    for (const auto& text : evidence)
      for (auto& id : evidence_ids(text))
        if (ids_.contains(id) && known.insert(id).second) question.evidence.push_back(std::move(id));
    if (!question.evidence.empty()) conversation_.questions.push_back(std::move(question));
    return {};
  }

  EvalConversation conversation_;
  std::set<std::string> ids_;
  std::string place_;
};

}  // namespace

Result<QuestionSet> parse_locomo(std::string_view text) {
  auto json = parse_json(text, kMaxQuestionSetBytes, "the question set");
  if (!json) return fail(ErrorCode::kInvalidArgument, json.error().message);
  if (!json->is_array()) return fail(ErrorCode::kInvalidArgument, "the question set is no list of conversations");
  QuestionSet set;
  for (std::size_t i = 0; i < json->size(); ++i) {
    PANDORA_TRY(conversation, LocomoReader().read((*json)[i], i));
    set.push_back(std::move(conversation));
  }
  return set;
}

}  // namespace pandora
