#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "eval/question_set.h"
#include "wire/import_line.h"

namespace pandora {
namespace {

constexpr Duration kBetweenLines = std::chrono::seconds(30);  // of those that have no time
constexpr std::string_view kSession = "among-";               // before the session's name: none of the conversation's

// Where `at` stands between `from` and `to`, between those of another stretch.
Timestamp stretched(Timestamp at, TimeRange from, TimeRange to) {
  const double length = static_cast<double>((from.to - from.from).count());
  const double share = length > 0 ? static_cast<double>((at - from.from).count()) / length : 0;
  return to.from + Duration(static_cast<std::int64_t>(share * static_cast<double>((to.to - to.from).count())));
}

TimeRange times_of(const std::vector<EvalUtterance>& utterances) {
  const auto [first, last] = std::ranges::minmax_element(utterances, {}, &EvalUtterance::at);
  return {first->at, last->at};
}

}  // namespace

Result<std::vector<EvalUtterance>> parse_distractors(std::string_view lines) {
  std::vector<EvalUtterance> distractors;
  Timestamp at{};
  for (std::size_t number = 1; !lines.empty(); ++number) {
    const std::size_t end = lines.find('\n');
    const std::string_view text = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (trim(text).empty()) continue;
    auto line = parse_import_line(text);
    if (!line) return fail(ErrorCode::kInvalidArgument, fmt::format("line {}: {}", number, line.error().message));
    PANDORA_TRY(session, SessionId::parse(fmt::format("{}{}", kSession, line->session.str())));
    at = line->at.value_or(at + kBetweenLines);
    distractors.push_back({fmt::format("among:{}", number), std::move(session), line->message.name, line->message.text,
                           at, line->message.role, line->reply ? line->reply->text : ""});
  }
  return distractors;
}

void add_distractors(QuestionSet& set, const std::vector<EvalUtterance>& distractors) {
  if (distractors.empty()) return;
  const TimeRange theirs = times_of(distractors);
  for (auto& conversation : set) {
    if (conversation.utterances.empty()) continue;
    const TimeRange own = times_of(conversation.utterances);
    std::vector<EvalUtterance> all = std::move(conversation.utterances);
    all.reserve(all.size() + distractors.size());
    for (const auto& distractor : distractors) {
      all.push_back(distractor);
      all.back().at = stretched(distractor.at, theirs, own);
    }
    std::ranges::stable_sort(all, {}, &EvalUtterance::at);
    conversation.utterances = std::move(all);
  }
}

Status keep_only(QuestionSet& set, const std::vector<std::string>& users) {
  for (const auto& user : users)
    if (std::ranges::none_of(set, [&](const auto& one) { return one.user.str() == user; }))
      return fail(ErrorCode::kInvalidArgument, fmt::format("there is no conversation \"{}\"", user));
  if (!users.empty())
    std::erase_if(set, [&](const auto& one) { return std::ranges::find(users, one.user.str()) == users.end(); });
  return {};
}

}  // namespace pandora
