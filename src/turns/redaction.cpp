#include "turns/redaction.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/derive.h"
#include "ports/row_checks.h"

namespace pandora {
namespace {

constexpr const char* kLastForgetting = "forgotten_at";  // beside the data; microseconds since 1970
constexpr std::size_t kAskedApart = 64;                  // of more ids the names of all tombstones are read
constexpr std::size_t kNamesAtOnce = 65'536;

bool replace_all(std::string& text, std::string_view what, std::string_view with) {
  bool found = false;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size(), found = true)
    text.replace(at, what.size(), with);
  return found;
}

// What follows from question and reply, when one of them has changed.
void derive_again(Turn& turn) {
  const Utterance* said = own_reply(turn);
  const std::string_view reply = said ? std::string_view(said->text) : std::string_view();
  turn.keywords = derive_keywords(turn.question, reply, {});
  turn.summary = derive_summary(turn.question, reply);
}

// A follow-up was made self-contained with words of the turns before it ("Is it safe? [passphrase of the vault]"), and
// topic, keywords and summary were derived of that. Where the borrowed words are the forgotten ones, it stands as it
// was typed.
bool give_back_words(TurnRecord& record, const Forgotten& forgotten) {
  Turn& turn = record.turn;
  const std::string& message = turn.message.text;
  if (!forgotten.session || turn.session != *forgotten.session || turn.question == message) return false;
  const bool extended = turn.question.starts_with(message);
  const auto borrowed = terms_of({std::string_view(turn.question).substr(extended ? message.size() : 0)});
  const auto own = terms_of({message});
  const bool any = std::ranges::any_of(
      borrowed, [&](const auto& term) { return !own.contains(term) && forgotten.terms.contains(term); });
  if (!any) return false;
  const std::string old = std::exchange(turn.question, message);
  turn.topic = derive_topic(message, {});
  derive_again(turn);
  record.context.query.question = message;
  for (auto& plan : record.context.plans)
    for (auto& goal : plan.goals) replace_all(goal, old, message);
  return true;
}

// "User: I am allergic.\nAssistant: Noted." as it is, and each line without who said it; what was cut ends in "…".
void quotes_in(std::string_view text, std::vector<std::string>& quotes) {
  constexpr std::string_view kCut = "…", kSays = ": ";
  const auto keep = [&](std::string_view words) {
    if (words.ends_with(kCut)) words.remove_suffix(kCut.size());
    if (words = trim(words); words.size() >= kMinQuote) quotes.emplace_back(words);
  };
  keep(text);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (const auto at = line.find(kSays); at != std::string_view::npos) keep(line.substr(at + kSays.size()));
    keep(line);
  }
}

std::set<std::string> ids_in(const TurnRecord& record) {
  std::set<std::string> ids;
  for (const auto& item : record.context.gathered.items)
    if (item.text != kForgottenText) ids.insert(item.id);
  for (const auto& memory : record.memories) ids.insert(memory.id.to_string());
  for (const auto& research : record.research) ids.insert(research.id.to_string());
  return ids;
}

}  // namespace

std::set<std::string> terms_of(const std::vector<std::string_view>& texts) {
  std::set<std::string> terms;
  for (const std::string_view text : texts)
    for (const Term& term : analyze(text)) terms.insert(term.text);
  return terms;
}

bool redact(TurnRecord& record, const Forgotten& forgotten) {
  bool quoted = false;
  for (auto& item : record.context.gathered.items) {
    if (!forgotten.ids.contains(item.id) || item.text == kForgottenText) continue;
    item.text = kForgottenText;
    quoted = true;
  }
  bool changed = give_back_words(record, forgotten) || quoted;
  const auto gone = [&](const auto& value) { return forgotten.ids.contains(value.id.to_string()); };
  changed |= std::erase_if(record.memories, gone) > 0;
  changed |= std::erase_if(record.research, gone) > 0;
  const auto without = [&](std::string& text) {
    for (const auto& words : forgotten.texts) changed |= replace_all(text, words, kForgottenText);
  };
  // A reply without a model is made of quotes: it goes as a whole. A model's reply loses what it repeats word for word.
  const auto clean = [&](std::string& text, std::string_view model) {
    if (quoted && model == kExtractiveModel)
      text = kForgottenText;
    else
      without(text);
  };
  if (record.turn.reply) {
    const std::string before = record.turn.reply->text;
    clean(record.turn.reply->text, record.turn.model);
    if (record.turn.reply->text != before) derive_again(record.turn);
  }
  for (auto& reply : record.context.replies) clean(reply.text, reply.model);
  without(record.turn.summary);
  for (auto& block : record.context.tools) without(block.result);
  // Of a row that an earlier program wrote: it could not be written again.
  if (changed) std::erase_if(record.turn.keywords, [](const auto& keyword) { return !check_keywords({&keyword, 1}); });
  return changed;
}

Result<std::int64_t> clean_question(ReceiptStore& receipts, const Turn& turn, const Deadline& deadline) {
  ReceiptQuery query;
  query.turn = turn.uid;
  PANDORA_TRY(found, receipts.list(query, Principal::of(turn.user), deadline));
  for (RecallReceipt& receipt : found) {
    receipt.question = ellipsize(turn.question, kMaxReceiptQuestionBytes);
    ++receipt.forgotten;
  }
  if (!found.empty()) PANDORA_CHECK(receipts.put(found, Principal::of(turn.user), deadline));
  return static_cast<std::int64_t>(found.size());
}

Status note_forgetting(InstanceStore& instance, Timestamp now, const Deadline& deadline) {
  return instance.put(kLastForgetting, std::to_string(now.micros), deadline);
}

Result<std::optional<Timestamp>> last_forgetting(InstanceStore& instance, const Deadline& deadline) {
  PANDORA_TRY(noted, instance.get(kLastForgetting, deadline));
  Timestamp at;
  if (noted && std::from_chars(noted->data(), noted->data() + noted->size(), at.micros).ec == std::errc()) return at;
  return std::nullopt;
}

Status note_tombstones(Stores& stores, Timestamp now, const Deadline& deadline) {
  PANDORA_TRY(noted, last_forgetting(stores.instance, deadline));
  if (noted) return {};
  PANDORA_TRY(tombstones, stores.documents.list_after("forgotten", "", 1, deadline));
  return tombstones.empty() ? Status() : note_forgetting(stores.instance, now, deadline);
}

bool may_quote_forgotten(const Turn& turn, const std::optional<Timestamp>& last_forgetting) {
  return last_forgetting && turn.created_at - kClocksMayDiffer <= *last_forgetting;
}

Result<std::set<std::string>> forgotten_of(const std::vector<const TurnRecord*>& records, DocumentStore& documents,
                                           const Deadline& deadline) {
  std::set<std::string> ids, forgotten;
  for (const TurnRecord* record : records) ids.merge(ids_in(*record));
  if (ids.size() <= kAskedApart) {
    for (const auto& id : ids) {
      const auto uid = Uuid::parse(id);
      if (!uid) continue;  // a domain
      PANDORA_TRY(has_tombstone, documents.exists(tombstone_path(*uid), deadline));
      if (has_tombstone) forgotten.insert(id);
    }
    return forgotten;
  }
  for (std::string after;;) {
    PANDORA_TRY(names, documents.list_after("forgotten", after, kNamesAtOnce, deadline));
    if (names.empty()) return forgotten;
    after = names.back().name;
    for (const auto& one : names)
      if (auto id = ids.extract(one.name.substr(0, one.name.find('.')))) forgotten.insert(std::move(id));
  }
}

bool redact_quotes_of(TurnRecord& record, const std::set<std::string>& forgotten) {
  Forgotten words{Principal::system(), forgotten, {}, {}, {}};
  for (const auto& item : record.context.gathered.items) {
    if (!forgotten.contains(item.id) || item.text == kForgottenText) continue;
    quotes_in(item.text, words.texts);
    const bool is_turn = item.kind == GatheredKind::kTurn || item.kind == GatheredKind::kPreviousTurn;
    if (!is_turn || item.session != record.turn.session.str()) continue;
    words.session = record.turn.session;
    words.terms.merge(terms_of({item.text}));
  }
  for (const auto& memory : record.memories)
    if (forgotten.contains(memory.id.to_string()) && memory.content.size() >= kMinQuote)
      words.texts.push_back(memory.content);
  // The longest first: what holds another is taken as a whole.
  std::ranges::sort(words.texts, std::ranges::greater(), [](const auto& text) { return text.size(); });
  return redact(record, words);
}

}  // namespace pandora
