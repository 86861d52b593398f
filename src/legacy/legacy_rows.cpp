#include "legacy/legacy_rows.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/text.h"
#include "domain/derive.h"
#include "ports/row_checks.h"
#include "wire/turn_json.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxDocumentBytes = 1u << 20;
constexpr std::size_t kMaxClaimBytes = 64u << 10;

std::string on_one_line(const std::string& document) { return dump_json(Json::parse(document, nullptr, false)); }

std::string last_of(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path.substr(path.rfind('/') + 1));
}
std::string folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string() : last_of(path.substr(0, slash));
}

// Of a section's heading, "## 0. User Query" or "# §0": its number.
std::optional<int> section_of(std::string_view line) {
  if (!line.starts_with('#')) return std::nullopt;
  line.remove_prefix(std::min(line.find_first_not_of('#'), line.size()));
  line = trim(line);
  if (line.starts_with("§")) line.remove_prefix(std::string_view("§").size());
  int number = 0;
  const auto read = std::from_chars(line.data(), line.data() + line.size(), number);
  if (read.ec != std::errc() || number < 0) return std::nullopt;
  line.remove_prefix(static_cast<std::size_t>(read.ptr - line.data()));
  if (!line.empty() && std::string_view(".: )").find(line.front()) == std::string_view::npos) return std::nullopt;
  return number;
}

bool is_rule(std::string_view line) { return trim(line) == "---"; }

struct Message {
  std::string text;
  bool is_certain = true;  // nothing in it looks like an end of it
};
// What stands below section 0, up to section 1; where there is none, up to any other; else up to the end. A message may
// hold headings and rules of its own, and even a section 1: where it ends is then not certain.
Message message_of(std::string_view context) {
  std::vector<std::string_view> lines;
  while (!context.empty()) {
    lines.push_back(context.substr(0, context.find('\n')));
    context.remove_prefix(std::min(lines.back().size() + 1, context.size()));
  }
  const auto next = [&](auto from, auto wanted) {
    return std::find_if(from, lines.end(), [&](std::string_view line) {
      const auto section = section_of(line);
      return section && wanted(*section);
    });
  };
  const auto is_first = [](int section) { return section == 1; };
  auto begin = next(lines.begin(), [](int section) { return section == 0; });
  if (begin == lines.end()) return {};
  auto end = next(++begin, is_first);
  const bool ends_twice = end != lines.end() && next(end + 1, is_first) != lines.end();
  if (end == lines.end()) end = next(begin, [](int section) { return section > 1; });
  auto last = end;  // without the rule above the next section
  while (end != lines.end() && last != begin && trim(*(last - 1)).empty()) --last;
  if (end != lines.end() && last != begin && is_rule(*(last - 1))) --last;
  Message message;
  message.is_certain = !ends_twice;
  for (auto line = begin; line != last; ++line) {
    message.text += std::string(*line) + "\n";
    if (line->starts_with('#') || is_rule(*line)) message.is_certain = false;
  }
  message.text = std::string(trim(message.text));
  return message;
}

}  // namespace

const std::vector<LegacyTable>& legacy_tables() {
  static const std::vector<LegacyTable> kAll = {
      {"turns",
       "turn_index.db",
       "turn_number",
       {"turn_number", "session_id", "timestamp"},
       {"turn_number", "session_id", "timestamp", "topic", "intent", "keywords", "quality", "turn_dir",
        "embedding_id"}},
      {"research",
       "research_index.db",
       "id",
       {"id", "primary_topic", "created_at"},
       {"id", "turn_number", "primary_topic", "quality_overall", "confidence_current", "created_at", "expires_at",
        "scope", "content_types", "doc_path"}},
      {"sources",
       "source_reliability.db",
       "domain",
       {"domain"},
       {"domain", "success_count", "failure_count", "last_success", "last_failure", "reliability_score", "notes"}}};
  return kAll;
}

void LegacyRows::begin(const LegacyTable& table) {
  ids_.clear();
  row_ = 0;
  if (table.name == "turns") turns_.clear();
}

LegacyOutcome LegacyRows::convert(const LegacyTable& table, const std::vector<std::string>& columns,
                                  const SqliteRow& row) {
  ++row_;
  LegacyValues values(columns, row, zone_);
  LegacyOutcome outcome;
  if (table.name == "turns")
    turn(values, outcome);
  else if (table.name == "research")
    research(values, outcome);
  else
    source(values, outcome);
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (std::ranges::find(table.known, columns[i]) == table.known.end() &&
        !std::holds_alternative<std::monostate>(row[i]))
      values.note(columns[i], "no place for this column");
  if (values.ok()) {
    const auto [other, is_new] = ids_.emplace(outcome.id, row_);
    if (!is_new) values.fault(table.key, fmt::format("is the same as row {} of this table", other->second));
  }
  outcome.fault = values.first_fault();
  outcome.notes = values.notes();
  outcome.naive_time = values.has_naive_time();
  if (outcome.fault) outcome.id.clear(), outcome.line.clear();
  return outcome;
}

Uuid LegacyRows::id_of(LegacyValues& values, const std::string& table, const std::vector<std::string>& columns,
                       Timestamp at) {
  std::string key = user_.str() + ":" + table;
  for (const auto& column : columns) key += ":" + values.raw(column);
  Uuid id = point_id("import sqlite", key);
  constexpr int kTimeBytes = 6;
  const auto millis = static_cast<std::uint64_t>(at.micros / 1'000);
  for (int i = 0; i < kTimeBytes; ++i)
    id.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(millis >> (8 * (kTimeBytes - 1 - i)));
  return id;
}

SessionId LegacyRows::session_of(LegacyValues& values) {
  const auto name = values.text("session_id");
  if (!name || trim(*name).empty()) return values.fault("session_id", "a turn without a session"), SessionId();
  if (auto session = SessionId::parse(*name)) return *std::move(session);
  // Names of sessions are names of files too: one that is none gets one that is, and no two the same.
  std::string safe = "s-";
  for (const char c : name->substr(0, 64))
    safe += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' ? c : '-';
  safe += "-" + sha256_hex(*name).substr(0, 8);
  values.note("session_id", "is no name of a session here: kept as " + safe);
  auto session = SessionId::parse(safe);
  return session ? *std::move(session) : SessionId();
}

std::string LegacyRows::document(LegacyValues& values, const std::string& column, const std::string& path) {
  auto text = documents_.read(path, kMaxDocumentBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) return "";
  if (!text) return values.note(column, "its document is not taken: " + text.error().message), "";
  const std::string clean = sanitize_utf8(*text);
  if (clean != *text) values.note(column, path + " is no UTF-8: what is broken in it is replaced");
  return std::string(trim(clean));
}

void LegacyRows::turn(LegacyValues& values, LegacyOutcome& outcome) {
  TurnRecord record;
  Turn& turn = record.turn;
  const auto number = values.integer("turn_number");
  if (values.ok() && (!number || *number < 1 || *number > kMaxTurnNumber))
    values.fault("turn_number", fmt::format("is no number of a turn: 1 to {}", kMaxTurnNumber));
  turn.session = session_of(values);
  const auto at = values.time("timestamp");
  if (values.ok() && !at) values.fault("timestamp", "a turn without a time");
  turn.topic = values.text("topic").value_or("");
  const auto intent = values.text("intent");
  turn.keywords = values.texts("keywords").value_or(std::vector<std::string>());
  turn.quality = values.part("quality").value_or(kUnknownQuality);
  if (const Status fit = check_keywords(turn.keywords); !fit) values.fault("keywords", fit.error().message);
  const auto folder = values.text("turn_dir");
  if (!values.ok()) return;

  std::string reply;
  if (folder && !trim(*folder).empty()) {
    const std::string place = "turns/" + last_of(*folder);
    Message message = message_of(document(values, "turn_dir", place + "/context.md"));
    turn.message.text = std::move(message.text);
    if (!message.is_certain)
      values.note("turn_dir",
                  "its context.md has headings or rules that may be of the message or not: kept up to section 1");
    reply = document(values, "turn_dir", place + "/response.md");
  }
  if (turn.message.text.empty()) turn.message.text = turn.topic;
  if (trim(turn.message.text).empty()) turn.message.text = fmt::format("{}", fmt::join(turn.keywords, " "));
  if (trim(turn.message.text).empty())
    return values.fault("topic", "a turn without words: no topic, no keywords, and no context.md of it");
  turn.number = {*number};
  turn.user = user_;
  turn.created_at = *at;
  turn.uid = id_of(values, "turns", {"turn_number", "session_id", "timestamp"},
                   values.has_naive_time() ? *at + zone_ : *at);  // the same whatever zone is said to be meant
  if (!reply.empty()) {
    turn.reply = Utterance{Role::kAssistant, "", reply};
    turn.model = "imported";
  }
  turn.question = turn.message.text;
  turn.summary = derive_summary(turn.question, reply);
  turn.content_sha256 = content_sha256(user_, turn.message, turn.reply);
  if (intent) {
    const auto known = parse_intent(*intent);
    turn.intent = known.value_or(Intent::kOther);
    if (!known) values.note("intent", "is none of ours: kept as other");
  }
  record.context.turn_uid = turn.uid;
  record.context.query = {turn.message.text, turn.message.text};
  record.context.reflection.reason = "imported";
  if (turn.reply) record.context.replies.push_back({1, "imported", reply});
  if (const Status fits = check_row(turn); !fits) return values.fault("turn_number", fits.error().message);
  turns_.emplace(*number, Said{turn.uid, turn.session});
  outcome.id = turn.uid.to_string();
  outcome.line = encode_record(record);
}

void LegacyRows::research(LegacyValues& values, LegacyOutcome& outcome) {
  Research research;
  if (values.raw("id") == "null") values.fault("id", "research without an id");
  research.primary_topic = values.text("primary_topic").value_or("");
  if (values.ok() && trim(research.primary_topic).empty()) values.fault("primary_topic", "research without a topic");
  if (values.ok() && research.primary_topic.size() > kMaxResearchTopicBytes)
    values.fault("primary_topic", fmt::format("is longer than {} bytes", kMaxResearchTopicBytes));
  const auto at = values.time("created_at");
  if (values.ok() && !at) values.fault("created_at", "research without a time");
  const bool is_naive = values.has_naive_time();  // of this time, whatever others of the row are
  const auto expires = values.time("expires_at");
  research.quality = values.part("quality_overall").value_or(0);
  research.confidence = values.part("confidence_current").value_or(0);
  const auto number = values.integer("turn_number");
  const auto scope = values.text("scope");
  const auto types = values.texts("content_types");
  const auto path = values.text("doc_path");
  if (!values.ok()) return;

  research.user = user_;
  research.created_at = *at;
  research.id = id_of(values, "research", {"id", "created_at", "primary_topic"}, is_naive ? *at + zone_ : *at);
  if (number) {
    const auto found = turns_.find(*number);
    if (found == turns_.end())
      values.note("turn_number", "there is no such turn: kept without one");
    else
      research.source_turn = found->second.uid, research.session = found->second.session;
  }
  // Without a session it would be found in none.
  const auto known = scope ? parse_scope(*scope) : Result<Scope>(Scope::kUser);
  research.scope = known.value_or(Scope::kUser);
  if (!known) values.note("scope", "is none of ours: kept as user");
  if (research.scope == Scope::kSession && !research.session) {
    values.note("scope", "of a session, and there is none: kept as user");
    research.scope = Scope::kUser;
  }
  research.kind = expires && *expires - *at <= research_lifetime(ResearchKind::kTransactional)
                      ? ResearchKind::kTransactional
                      : ResearchKind::kInformational;
  research.expires_at = expires.value_or(*at + research_lifetime(research.kind));
  std::string claim;
  if (path && !trim(*path).empty())
    claim = document(values, "doc_path", "turns/" + folder_of(*path) + "/" + last_of(*path));
  if (claim.size() > kMaxClaimBytes) {
    values.note("doc_path", fmt::format("a document of {} bytes: the first {} are kept", claim.size(), kMaxClaimBytes));
    claim = ellipsize(claim, kMaxClaimBytes);
  }
  if (claim.empty()) claim = research.primary_topic;
  for (const auto& type : types.value_or(std::vector<std::string>{"other"})) {
    const auto content = parse_content_type(type);
    if (!content) values.note("content_types", fmt::format("\"{}\" is none of ours: kept as other", type));
    research.findings.push_back({claim, content.value_or(ContentType::kOther), research.confidence, {}});
  }
  if (const Status fits = check_row(research); !fits) return values.fault("content_types", fits.error().message);
  outcome.id = research.id.to_string();
  outcome.line = on_one_line(encode_research(research));
}

void LegacyRows::source(LegacyValues& values, LegacyOutcome& outcome) {
  Source source;
  const auto domain = values.text("domain");
  if (values.ok() && !domain) values.fault("domain", "a source without a domain");
  source.successes = values.integer("success_count").value_or(0);
  if (values.ok() && source.successes < 0) values.fault("success_count", "is negative");
  source.failures = values.integer("failure_count").value_or(0);
  if (values.ok() && source.failures < 0) values.fault("failure_count", "is negative");
  source.last_success = values.time("last_success");
  source.last_failure = values.time("last_failure");
  (void)values.part("reliability_score");  // made of the counts here; but what is none is not to pass unseen
  const auto notes = values.json("notes");
  if (!values.ok()) return;
  const auto normal = normalise_domain(*domain);
  if (!normal) return values.fault("domain", normal.error().message);
  source.domain = *normal;
  if (notes && !notes->empty()) values.note("notes", "no place for them: they stand here alone");
  outcome.id = source.domain;
  outcome.line = on_one_line(encode_source(source));
}

std::string canonical_form(const std::string& line) {
  const Json document = Json::parse(line, nullptr, false);
  if (!document.is_object()) return "";
  const auto of = [&](const char* name, std::initializer_list<const char*> fields) {
    Json kept = Json::object();
    for (const char* field : fields) kept[field] = document[name].value(field, Json());
    return dump_json(kept);
  };
  if (document.contains("turn"))
    return of("turn", {"uid", "session", "created_at", "message", "reply", "topic", "intent", "keywords", "quality"});
  if (document.contains("research"))
    return of("research", {"id", "session", "source_turn", "primary_topic", "kind", "scope", "findings", "quality",
                           "confidence", "created_at", "expires_at"});
  if (document.contains("source"))
    return of("source", {"domain", "successes", "failures", "last_success", "last_failure"});
  return "";
}

}  // namespace pandora
