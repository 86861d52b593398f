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
constexpr Duration kBetweenSessions = std::chrono::hours(24);      // where it does not
constexpr Timestamp kFirstDay{1'672'531'200'000'000};              // the first of January 2023

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

// Files of this form were made by many hands: what lacks words or a date is left out or put right, and said.
class LocomoReader {
 public:
  explicit LocomoReader(std::vector<std::string>& left_out) : left_out_(left_out) {}

  Result<EvalConversation> read(const Json& json, std::size_t number) {
    place_ = fmt::format("conversation {}", number + 1);
    if (!json.is_object()) return wrong("is no object");
    const Json* name = any(json, "conversation");
    PANDORA_TRY(sessions, array(json, "sessions"));
    PANDORA_TRY(questions, array(json, "questions"));
    auto user = UserId::parse(name && name->is_string() ? name->get<std::string>() : "");
    if (!user) {
      user = UserId::parse(fmt::format("conversation-{}", number + 1));
      if (name) say(fmt::format("its name is no user's; it is called {}", user->str()));
    }
    conversation_.user = *std::move(user);
    for (const Json& session : *sessions) PANDORA_CHECK(read_session(session));
    for (const Json& question : *questions) PANDORA_CHECK(read_question(question));
    return std::move(conversation_);
  }

 private:
  tl::unexpected<Error> wrong(std::string_view what) const {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: {}", place_, what));
  }
  void say(std::string_view what) { left_out_.push_back(fmt::format("{}: {}", place_, what)); }
  static std::string text_of(const Json* json) {
    return !json || json->is_null() ? "" : json->is_string() ? json->get<std::string>() : json->dump();
  }

  Status read_session(const Json& json) {
    if (!json.is_object()) return wrong("a session is no object");
    const std::string number = text_of(any(json, "session")), date = text_of(any(json, "date_time"));
    PANDORA_TRY(session, SessionId::parse("session_" + number));
    PANDORA_TRY(turns, array(json, "turns"));
    auto dated = parse_session_date(date);
    if (!dated) {
      dated = last_ + kBetweenSessions;
      say(fmt::format("session {}: {}; it is put a day after the one before", number, dated.error().message));
    }
    Timestamp at = *dated;
    for (const Json& turn : *turns) {
      if (!turn.is_object()) return wrong("a turn is no object");
      EvalUtterance utterance{text_of(any(turn, "id")), session, text_of(any(turn, "speaker")),
                              text_of(any(turn, "text")), at};
      at = at + kBetweenUtterances;
      if (trim(utterance.text).empty()) {
        say(fmt::format("turn {} has no words", utterance.id));
        continue;
      }
      if (utterance.id.empty() || !ids_.insert(utterance.id).second) {
        say(fmt::format("a second turn {}, or one without an id: kept, and no evidence", utterance.id));
        utterance.id = fmt::format("#{}", conversation_.utterances.size());
      }
      conversation_.utterances.push_back(std::move(utterance));
    }
    last_ = at;
    return {};
  }

  Status read_question(const Json& json) {
    if (!json.is_object()) return wrong("a question is no object");
    EvalQuestion question{text_of(any(json, "question")), {}, text_of(any(json, "category"))};
    if (trim(question.text).empty()) {
      say("a question has no words");
      return {};
    }
    std::set<std::string> known;
    const auto take = [&](const Json& one) {
      if (!one.is_string()) return;
      for (auto& id : evidence_ids(one.get_ref<const std::string&>()))
        if (ids_.contains(id) && known.insert(id).second) question.evidence.push_back(std::move(id));
    };
    if (const Json* evidence = any(json, "evidence")) {
      if (evidence->is_array())
        for (const Json& one : *evidence) take(one);
      else
        take(*evidence);
    }
    if (!question.evidence.empty()) conversation_.questions.push_back(std::move(question));
    return {};
  }

  static const Json* any(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
  }

  Result<const Json*> array(const Json& object, const char* name) const {
    const Json* found = any(object, name);
    if (!found || !found->is_array()) return wrong(fmt::format("\"{}\" is no list", name));
    return found;
  }

  EvalConversation conversation_;
  std::set<std::string> ids_;
  std::string place_;
  Timestamp last_ = kFirstDay;
  std::vector<std::string>& left_out_;
};

}  // namespace

Result<QuestionSet> parse_locomo(std::string_view text, std::vector<std::string>* left_out) {
  auto json = parse_json(text, kMaxQuestionSetBytes, "the question set");
  if (!json) return fail(ErrorCode::kInvalidArgument, json.error().message);
  if (!json->is_array()) return fail(ErrorCode::kInvalidArgument, "the question set is no list of conversations");
  QuestionSet set;
  std::vector<std::string> said;
  for (std::size_t i = 0; i < json->size(); ++i) {
    PANDORA_TRY(conversation, LocomoReader(left_out ? *left_out : said).read((*json)[i], i));
    for (const auto& other : set)
      if (other.user == conversation.user)
        return fail(ErrorCode::kInvalidArgument, fmt::format("two conversations are called {}", other.user.str()));
    set.push_back(std::move(conversation));
  }
  return set;
}

}  // namespace pandora
