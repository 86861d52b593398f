#include "eval/own_questions.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "base/random.h"
#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/sentences.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

constexpr std::size_t kPage = 500;

struct Word {
  std::string term, written;
  std::size_t turns = 0;  // that have it
};

// In how many turns a term stands.
class Frequencies {
 public:
  explicit Frequencies(const std::vector<EvalUtterance>& turns) {
    for (const auto& turn : turns) {
      std::set<std::string> terms;
      for (auto& term : analyze(turn.text)) terms.insert(std::move(term.text));
      for (const auto& term : terms) ++turns_[term];
      ++same_[key(terms)];
    }
  }
  // Each once, in the order of the text.
  std::vector<Word> words(std::string_view text) const {
    std::vector<Word> words;
    std::set<std::string> seen;
    for (const auto& term : analyze(text)) {
      const auto count = turns_.find(term.text);
      if (seen.insert(term.text).second)
        words.push_back({term.text, std::string(term.written), count == turns_.end() ? 0 : count->second});
    }
    return words;
  }
  bool can_be_told(const EvalUtterance& turn) const {
    std::set<std::string> terms;
    for (auto& term : analyze(turn.text)) terms.insert(std::move(term.text));
    return terms.size() >= kLeastTerms && same_.at(key(terms)) == 1;
  }

 private:
  static std::string key(const std::set<std::string>& terms) { return fmt::format("{}", fmt::join(terms, " ")); }
  std::unordered_map<std::string, std::size_t> turns_, same_;
};

// The rarest of them, in their order.
std::vector<Word> rarest(const std::vector<Word>& words, std::size_t skipped, std::size_t count) {
  std::vector<std::size_t> order(words.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return words[i].turns; });
  order.resize(std::min(order.size(), skipped + count));
  order.erase(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(std::min(order.size(), skipped)));
  std::ranges::sort(order);
  std::vector<Word> chosen;
  for (const std::size_t i : order) chosen.push_back(words[i]);
  return chosen;
}

std::string joined(const std::vector<Word>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word.written;
  return text;
}

// The sentence of the most words, without the rarest of them wherever it stands.
std::string with_gap(const Frequencies& frequencies, std::string_view text) {
  std::string_view longest;
  std::size_t most = 0;
  for (const std::string_view sentence : sentences(text))
    if (const std::size_t count = frequencies.words(sentence).size(); count > most) longest = sentence, most = count;
  if (most < 2) return {};
  const Word gap = rarest(frequencies.words(longest), 0, 1).front();
  std::string left;
  std::size_t at = 0;
  for (const auto& term : analyze(longest)) {
    if (term.text != gap.term) continue;
    const auto begin = static_cast<std::size_t>(term.written.data() - longest.data());
    if (begin < at) continue;  // a part of an identifier that is gone already
    left += longest.substr(at, begin - at);
    at = begin + term.written.size();
  }
  left += longest.substr(at);
  return std::string(trim(left));
}

}  // namespace

Result<EvalConversation> read_own_turns(Service& service, const UserId& user, CallObserver& observer,
                                        std::size_t most) {
  EvalConversation conversation{user, {}, {}};
  Json page = {{"limit", kPage}};
  for (bool more = true; more && conversation.utterances.size() < most;) {
    if (observer.cancelled()) return fail(ErrorCode::kCancelled, "cancelled");
    PANDORA_TRY(answer, service.call({"turns.list", user, dump_json(page)}, observer, Deadline::never()));
    const Json turns = Json::parse(answer, nullptr, false)["turns"];
    more = turns.size() == kPage;
    for (const Json& json : turns) {
      PANDORA_TRY(turn, turn_from_json(json, "turns.list"));
      page["before"] = turn.number.value;
      if (turn.rejected || only_asks(turn) || conversation.utterances.size() == most) continue;
      conversation.utterances.push_back({turn.uid.to_string(), turn.session, turn.message.name, turn.message.text,
                                         turn.created_at, turn.message.role, ""});
    }
  }
  std::ranges::reverse(conversation.utterances);  // they came newest first
  return conversation;
}

std::size_t make_own_questions(EvalConversation& conversation, std::size_t turns, std::uint64_t seed) {
  const Frequencies frequencies(conversation.utterances);
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < conversation.utterances.size(); ++i)
    if (frequencies.can_be_told(conversation.utterances[i])) asked.push_back(i);
  SeededRandom random(seed);
  const std::size_t count = std::min(turns, asked.size());
  for (std::size_t i = 0; i < count; ++i) std::swap(asked[i], asked[i + random.below(asked.size() - i)]);
  asked.resize(count);
  std::ranges::sort(asked);
  for (const std::size_t i : asked) {
    const EvalUtterance& turn = conversation.utterances[i];
    const auto ask = [&](std::string text, const char* category) {
      conversation.questions.push_back({std::move(text), {turn.id}, category});
    };
    const std::vector<Word> words = frequencies.words(turn.text);
    ask(joined(rarest(words, 0, kTellingWords)), "words");
    if (std::string text = with_gap(frequencies, turn.text); !text.empty()) ask(std::move(text), "gap");
    const auto about = rarest(words, 1, 2);
    if (!turn.speaker.empty())
      ask(fmt::format("What did {} say about {} and {}?", turn.speaker, about[0].written, about[1].written), "speaker");
  }
  return count;
}

}  // namespace pandora
