#include "wire/turn_json.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "wire/json_tape.h"

namespace pandora {
namespace {

constexpr std::size_t kMaxDocumentJson = 64u << 20;

template <class T>
Json optional_text(const std::optional<T>& value) {
  return value ? Json(value->to_string()) : Json();
}
Json optional_time(const std::optional<Timestamp>& time) { return time ? Json(to_iso8601(*time)) : Json(); }
Json optional_session(const std::optional<SessionId>& session) { return session ? Json(session->str()) : Json(); }

template <class T>
Json list(const std::vector<T>& values) {
  Json array = Json::array();
  for (const auto& value : values) array.push_back(to_json(value));
  return array;
}

// Reads an array of objects by `parse`, faults going to `reader`.
template <class Node, class Parse>
auto read_list(BasicJsonReader<Node>& reader, const char* name, Parse parse) {
  using T = typename decltype(parse(std::declval<const Node&>(), std::string()))::value_type;
  std::vector<T> values;
  const auto array = reader.array(name);
  if (!array) return values;
  std::size_t at = 0;
  for_each_value(*array, [&](const Node& each) {
    if (!reader.ok()) return;
    auto value = parse(each, fmt::format("{}.{}[{}]", reader.place(), name, at++));
    if (value)
      values.push_back(*std::move(value));
    else
      reader.absorb(fail(std::move(value).error()));
  });
  return values;
}

template <class Node, class T>
Result<T> done(BasicJsonReader<Node>& reader, T value) {
  PANDORA_CHECK(reader.finish());
  return value;
}

Json to_json(const Finding& finding) {
  return {{"claim", finding.claim},
          {"type", to_string(finding.type)},
          {"confidence", finding.confidence},
          {"domains", finding.domains}};
}
Json to_json(const FetchAttempt& attempt) {
  return {{"domain", attempt.domain}, {"at", to_iso8601(attempt.at)}, {"ok", attempt.ok}, {"detail", attempt.detail}};
}

template <class Node>
Result<Utterance> utterance_from_json(const Node& json, const std::string& place) {
  BasicJsonReader<Node> in(json, place);
  return done(in, Utterance{in.value("role", parse_role), in.text("name"), in.text("text")});
}
// A file under another name than a source's own would be looked for in vain.
void check_domain(JsonReader& in, const std::string& domain) {
  if (in.ok() && normalise_domain(domain).value_or("") != domain) in.fault("domain", "is no domain");
}

Result<FetchAttempt> fetch_from_json(const Json& json, const std::string& place) {
  JsonReader in(json, place);
  FetchAttempt attempt{in.text("domain"), in.value("at", parse_iso8601), in.boolean("ok"), in.text("detail")};
  check_domain(in, attempt.domain);
  return done(in, std::move(attempt));
}

template <class Node>
Result<TurnObject> object_from_json(const Node& json, const std::string& place) {
  BasicJsonReader<Node> in(json, place);
  TurnObject object;
  object.origin = in.value("origin", parse_object_origin);
  object.key = in.text("key");
  const std::int64_t size = in.integer("size");
  if (in.ok() && size < 0) in.fault("size", "must not be negative");
  object.size = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 0));
  object.media_type = in.text("media_type");
  object.url = in.text("url");
  return done(in, std::move(object));
}

template <class Node>
Result<Turn> read_turn(const Node& json, const std::string& place) {
  BasicJsonReader<Node> in(json, place);
  Turn turn;
  turn.uid = in.value("uid", Uuid::parse);
  turn.number = {in.integer("number")};
  turn.session = in.value("session", SessionId::parse);
  turn.user = in.value("user", UserId::parse);
  turn.created_at = in.value("created_at", parse_iso8601);
  turn.status = in.value("status", parse_turn_status);
  const auto utterance = [&](const Node& value, const char* name) {
    auto parsed = utterance_from_json(value, fmt::format("{}.{}", place, name));
    if (!parsed) in.absorb(fail(parsed.error()));
    return parsed.value_or(Utterance());
  };
  if (const auto message = in.object("message")) turn.message = utterance(*message, "message");
  if (const auto reply = in.any("reply")) turn.reply = utterance(*reply, "reply");
  turn.question = in.text("question");
  turn.summary = in.text("summary");
  turn.topic = in.text("topic");
  turn.intent = in.value("intent", parse_intent);
  turn.keywords = in.texts("keywords");
  turn.quality = in.number("quality");
  turn.rejected = in.boolean("rejected");
  turn.archived = in.boolean("archived");
  turn.model = in.text("model");
  turn.content_sha256 = in.text("content_sha256");
  if (in.any("objects")) turn.objects = read_list(in, "objects", object_from_json<Node>);
  if (in.ok() && (turn.number.value < 0 || turn.number.value > kMaxTurnNumber))
    in.fault("number", "is no turn's number");
  if (in.ok() && !(turn.quality >= 0 && turn.quality <= 1)) in.fault("quality", "must be between 0 and 1");
  return done(in, std::move(turn));
}

Json document(std::string_view format, Json content, int version = kTurnFormatVersion) {
  content["format"] = format;
  content["version"] = version;
  return content;
}

// The object of a stored document, once its format and version are known to be ours.
Result<Json> open_document(std::string_view bytes, std::string_view format, std::size_t max_bytes,
                           int newest = kTurnFormatVersion) {
  PANDORA_TRY(json, parse_json(bytes, max_bytes, format));
  if (!json.is_object() || json.value("format", Json()) != format)
    return fail(ErrorCode::kDataCorrupt, fmt::format("this is no {}: its \"format\" says otherwise", format));
  const Json version = json.value("version", Json());
  if (!version.is_number_integer())
    return fail(ErrorCode::kDataCorrupt, fmt::format("{}.version: must be a whole number", format));
  if (version > newest)
    return fail(ErrorCode::kIncompatible,
                fmt::format("{} of version {}, this program knows up to {}", format, version.dump(), newest),
                "use the newer pandora that wrote it");
  json.erase("format");
  json.erase("version");
  return json;
}

int version_of(const TurnRecord& record) {
  return record.turn.objects.empty() ? kTurnFormatVersion : kTurnWithObjectsVersion;
}

// Members of an object, whose names come in their order.
class ObjectText {
 public:
  explicit ObjectText(std::string& out) : out_(out) { out_ += '{'; }
  std::string& member(std::string_view name) {
    if (out_.back() != '{') out_ += ',';
    ((out_ += '"') += name) += "\":";
    return out_;
  }
  void text(std::string_view name, std::string_view text) { append_text(member(name), text); }
  void boolean(std::string_view name, bool value) { member(name) += value ? "true" : "false"; }
  void texts(std::string_view name, const std::vector<std::string>& texts) {
    std::string& out = member(name) += '[';
    for (const auto& text : texts) append_text(out += out.back() == '[' ? "" : ",", text);
    out += ']';
  }
  void end() { out_ += '}'; }

  static void append_text(std::string& out, std::string_view text) {
    if (is_valid_utf8(text))
      append_json_text(out, text);
    else
      out += dump_json(text);  // with what stands for that which cannot be written
  }

 private:
  std::string& out_;
};

void append_utterance(std::string& out, const Utterance& utterance) {
  ObjectText object(out);
  object.text("name", utterance.name);
  object.text("role", to_string(utterance.role));
  object.text("text", utterance.text);
  object.end();
}

std::string pretty(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json metadata_json(const TurnRecord& record) {
  return {{"turn", to_json(record.turn)},
          {"memories", list(record.memories)},
          {"research", list(record.research)},
          {"fetches", [&] {
             Json array = Json::array();
             for (const auto& fetch : record.fetches) array.push_back(to_json(fetch));
             return array;
           }()}};
}

void read_metadata(JsonReader& in, TurnRecord& record) {
  if (const Json* turn = in.object("turn")) {
    auto parsed = turn_from_json(*turn, "turn");
    if (parsed)
      record.turn = *std::move(parsed);
    else
      in.absorb(fail(std::move(parsed).error()));
  }
  record.memories = read_list(in, "memories", memory_from_json);
  record.research = read_list(in, "research", research_from_json);
  record.fetches = read_list(in, "fetches", fetch_from_json);
}

}  // namespace

Json to_json(const Utterance& utterance) {
  return {{"role", to_string(utterance.role)}, {"name", utterance.name}, {"text", utterance.text}};
}

Json to_json(const TurnObject& object) {
  return {{"origin", to_string(object.origin)},
          {"key", object.key},
          {"size", object.size},
          {"media_type", object.media_type},
          {"url", object.url}};
}

Json to_json(const Turn& turn) {
  Json json = {{"uid", turn.uid.to_string()},
               {"number", turn.number.value},
               {"session", turn.session.str()},
               {"user", turn.user.str()},
               {"created_at", to_iso8601(turn.created_at)},
               {"status", to_string(turn.status)},
               {"message", to_json(turn.message)},
               {"reply", turn.reply ? to_json(*turn.reply) : Json()},
               {"question", turn.question},
               {"summary", turn.summary},
               {"topic", turn.topic},
               {"intent", to_string(turn.intent)},
               {"keywords", turn.keywords},
               {"quality", turn.quality},
               {"rejected", turn.rejected},
               {"archived", turn.archived},
               {"model", turn.model},
               {"content_sha256", turn.content_sha256}};
  if (!turn.objects.empty()) json["objects"] = list(turn.objects);
  return json;
}

Json to_json(const Memory& memory) {
  return {{"id", memory.id.to_string()},
          {"user", memory.user.str()},
          {"session", optional_session(memory.session)},
          {"kind", to_string(memory.kind)},
          {"scope", to_string(memory.scope)},
          {"content", memory.content},
          {"topic", memory.topic},
          {"keywords", memory.keywords},
          {"trust", to_string(memory.trust)},
          {"confidence", memory.confidence},
          {"source_turn", optional_text(memory.source_turn)},
          {"created_at", to_iso8601(memory.created_at)},
          {"expires_at", optional_time(memory.expires_at)},
          {"superseded_by", optional_text(memory.superseded_by)}};
}

Json to_json(const Research& research) {
  Json findings = Json::array();
  for (const auto& finding : research.findings) findings.push_back(to_json(finding));
  return {{"id", research.id.to_string()},
          {"user", research.user.str()},
          {"session", optional_session(research.session)},
          {"source_turn", optional_text(research.source_turn)},
          {"primary_topic", research.primary_topic},
          {"kind", to_string(research.kind)},
          {"scope", to_string(research.scope)},
          {"findings", std::move(findings)},
          {"conflicts", research.conflicts},
          {"completeness", research.completeness},
          {"source_quality", research.source_quality},
          {"extraction", research.extraction},
          {"quality", research.quality},
          {"confidence", research.confidence},
          {"uses", research.uses},
          {"created_at", to_iso8601(research.created_at)},
          {"expires_at", to_iso8601(research.expires_at)}};
}

Json to_json(const Source& source) {
  return {{"domain", source.domain},
          {"successes", source.successes},
          {"failures", source.failures},
          {"recent_successes", source.recent_successes},
          {"recent_failures", source.recent_failures},
          {"last_success", optional_time(source.last_success)},
          {"last_failure", optional_time(source.last_failure)},
          {"override", to_string(source.manual)},
          {"worked", source.worked},
          {"failed", source.failed}};
}

Json to_json(const Observation& observation) {
  return {{"turn_uid", observation.turn_uid.to_string()},
          {"kind", to_string(observation.kind)},
          {"name", observation.name},
          {"at", to_iso8601(observation.at)},
          {"micros", observation.micros},
          {"tokens_in", observation.tokens_in},
          {"tokens_out", observation.tokens_out},
          {"ok", observation.ok},
          {"detail", observation.detail},
          {"confidence", observation.confidence ? Json(*observation.confidence) : Json()}};
}

Json to_json(const GatheredItem& item) {
  return {{"kind", to_string(item.kind)},  {"source", item.source},     {"id", item.id},
          {"session", item.session},       {"at", to_iso8601(item.at)}, {"trust", to_string(item.trust)},
          {"confidence", item.confidence}, {"score", item.score},       {"text", item.text}};
}

Result<Turn> turn_from_json(const Json& json, const std::string& place) { return read_turn(json, place); }

std::string row_of_turn(const Turn& turn, TurnNumber number) {
  std::string out;
  out.reserve(1024 + turn.message.text.size() + turn.question.size() + (turn.reply ? turn.reply->text.size() : 0));
  ObjectText object(out);
  object.boolean("archived", turn.archived);
  object.text("content_sha256", turn.content_sha256);
  object.text("created_at", to_iso8601(turn.created_at));
  object.text("intent", to_string(turn.intent));
  object.texts("keywords", turn.keywords);
  append_utterance(object.member("message"), turn.message);
  object.text("model", turn.model);
  object.member("number") += std::to_string(number.value);
  if (!turn.objects.empty()) object.member("objects") += dump_json(list(turn.objects));
  object.member("quality") += dump_json(turn.quality);
  object.text("question", turn.question);
  object.boolean("rejected", turn.rejected);
  if (turn.reply)
    append_utterance(object.member("reply"), *turn.reply);
  else
    object.member("reply") += "null";
  object.text("session", turn.session.str());
  object.text("status", to_string(turn.status));
  object.text("summary", turn.summary);
  object.text("topic", turn.topic);
  object.text("uid", turn.uid.to_string());
  object.text("user", turn.user.str());
  object.end();
  return out;
}

Result<Turn> turn_of_row(std::string_view document) {
  constexpr const char* kWhat = "a row of turns";
  if (document.size() > kMaxRecordBytes)
    return fail(ErrorCode::kTooLarge,
                fmt::format("{} of {} bytes, at most {} are read", kWhat, document.size(), kMaxRecordBytes));
  const auto tape = JsonTape::parse(document);
  if (!tape) return fail(ErrorCode::kDataCorrupt, fmt::format("{} is no JSON: {}", kWhat, tape.error().to_text()));
  return read_turn(tape->root(), "turns.document");
}

Result<std::vector<Turn>> turns_of_rows(std::span<const std::string_view> documents, ThreadPool& pool) {
  constexpr std::size_t kReadAtOnce = 8;  // some 80 microseconds
  std::vector<Result<Turn>> read(documents.size());
  pool.run((documents.size() + kReadAtOnce - 1) / kReadAtOnce, [&](std::size_t part) {
    const std::size_t end = std::min(documents.size(), (part + 1) * kReadAtOnce);
    for (std::size_t i = part * kReadAtOnce; i < end; ++i) read[i] = turn_of_row(documents[i]);
  });
  std::vector<Turn> turns;
  turns.reserve(read.size());
  for (auto& turn : read) {
    if (!turn) return fail(std::move(turn).error());
    turns.push_back(*std::move(turn));
  }
  return turns;
}

Result<Memory> memory_from_json(const Json& json, const std::string& place) {
  JsonReader in(json, place);
  Memory memory;
  memory.id = in.value("id", Uuid::parse);
  memory.user = in.value("user", UserId::parse);
  memory.session = in.optional_value("session", SessionId::parse);
  memory.kind = in.value("kind", parse_memory_kind);
  memory.scope = in.value("scope", parse_scope);
  memory.content = in.text("content");
  memory.topic = in.text("topic");
  memory.keywords = in.texts("keywords");
  memory.trust = in.value("trust", parse_trust);
  memory.confidence = in.number("confidence");
  memory.source_turn = in.optional_value("source_turn", Uuid::parse);
  memory.created_at = in.value("created_at", parse_iso8601);
  memory.expires_at = in.optional_value("expires_at", parse_iso8601);
  memory.superseded_by = in.optional_value("superseded_by", Uuid::parse);
  if (in.ok() && !(memory.confidence >= 0 && memory.confidence <= 1)) in.fault("confidence", "must be between 0 and 1");
  if (in.ok() && memory.content.size() > kMaxMemoryBytes)
    in.fault("content", fmt::format("is longer than {} bytes", kMaxMemoryBytes));
  return done(in, std::move(memory));
}

Result<Finding> finding_from_json(const Json& json, const std::string& place) {
  JsonReader in(json, place);
  Finding finding{in.text("claim"), in.value("type", parse_content_type), in.number("confidence"), in.texts("domains")};
  if (in.ok() && !(finding.confidence >= 0 && finding.confidence <= 1))
    in.fault("confidence", "must be between 0 and 1");
  return done(in, std::move(finding));
}

Result<Research> research_from_json(const Json& json, const std::string& place) {
  JsonReader in(json, place);
  Research research;
  research.id = in.value("id", Uuid::parse);
  research.user = in.value("user", UserId::parse);
  research.session = in.optional_value("session", SessionId::parse);
  research.source_turn = in.optional_value("source_turn", Uuid::parse);
  research.primary_topic = in.text("primary_topic");
  research.kind = in.value("kind", parse_research_kind);
  research.scope = in.value("scope", parse_scope);
  research.findings = read_list(in, "findings", finding_from_json);
  research.conflicts = in.texts("conflicts");
  research.completeness = in.number("completeness");
  research.source_quality = in.number("source_quality");
  research.extraction = in.number("extraction");
  research.quality = in.number("quality");
  research.confidence = in.number("confidence");
  research.uses = static_cast<int>(in.integer("uses"));
  research.created_at = in.value("created_at", parse_iso8601);
  research.expires_at = in.value("expires_at", parse_iso8601);
  if (in.ok() && research.findings.size() > kMaxFindings)
    in.fault("findings", fmt::format("are more than {}", kMaxFindings));
  return done(in, std::move(research));
}

Result<Source> source_from_json(const Json& json, const std::string& place) {
  JsonReader in(json, place);
  Source source;
  source.domain = in.text("domain");
  source.successes = in.integer("successes");
  source.failures = in.integer("failures");
  source.recent_successes = in.integer("recent_successes");
  source.recent_failures = in.integer("recent_failures");
  source.last_success = in.optional_value("last_success", parse_iso8601);
  source.last_failure = in.optional_value("last_failure", parse_iso8601);
  source.manual = in.value("override", parse_source_override);
  source.worked = in.texts("worked");
  source.failed = in.texts("failed");
  if (in.ok() && (source.successes < 0 || source.failures < 0)) in.fault("successes", "counts must not be negative");
  check_domain(in, source.domain);
  return done(in, std::move(source));
}

Result<Observation> observation_from_json(const Json& json, const std::string& place) {
  JsonReader in(json, place);
  Observation observation;
  observation.turn_uid = in.value("turn_uid", Uuid::parse);
  observation.kind = in.value("kind", parse_observation_kind);
  observation.name = in.text("name");
  observation.at = in.value("at", parse_iso8601);
  observation.micros = in.integer("micros");
  observation.tokens_in = in.integer("tokens_in");
  observation.tokens_out = in.integer("tokens_out");
  observation.ok = in.boolean("ok");
  observation.detail = in.text("detail");
  if (in.any("confidence")) observation.confidence = in.number("confidence");
  return done(in, std::move(observation));
}

std::string encode_record(const TurnRecord& record) {
  Json json = metadata_json(record);
  json["context"] = render(record.context);
  json["observations"] = list(record.observations);
  return dump_json(document("pandora turn record", std::move(json), version_of(record)));
}

Result<TurnRecord> decode_record(std::string_view bytes) {
  PANDORA_TRY(json, open_document(bytes, "pandora turn record", kMaxRecordBytes, kTurnWithObjectsVersion));
  JsonReader in(json, "record");
  TurnRecord record;
  read_metadata(in, record);
  const std::string context = in.text("context");
  record.observations = read_list(in, "observations", observation_from_json);
  PANDORA_CHECK(in.finish());
  PANDORA_TRY(parsed, parse_context_document(context));
  record.context = std::move(parsed);
  return record;
}

std::string encode_metadata(const TurnRecord& record) {
  return pretty(document("pandora turn", metadata_json(record), version_of(record)));
}

Result<TurnRecord> decode_metadata(std::string_view bytes) {
  PANDORA_TRY(json, open_document(bytes, "pandora turn", kMaxDocumentJson, kTurnWithObjectsVersion));
  JsonReader in(json, "metadata");
  TurnRecord record;
  read_metadata(in, record);
  PANDORA_CHECK(in.finish());
  return record;
}

std::string encode_metrics(const std::vector<Observation>& observations) {
  return pretty(document("pandora turn metrics", {{"observations", list(observations)}}));
}

Result<std::vector<Observation>> decode_metrics(std::string_view bytes) {
  PANDORA_TRY(json, open_document(bytes, "pandora turn metrics", kMaxDocumentJson));
  JsonReader in(json, "metrics");
  return done(in, read_list(in, "observations", observation_from_json));
}

namespace {
// One value in a document of its own: {"format", "version", NAME: value}.
template <class T>
std::string encode_one(std::string_view format, const char* name, const T& value) {
  return pretty(document(format, {{name, to_json(value)}}));
}
template <class Parse>
auto decode_one(std::string_view bytes, std::string_view format, const char* name, Parse parse)
    -> decltype(parse(Json(), "")) {
  PANDORA_TRY(json, open_document(bytes, format, kMaxDocumentJson));
  JsonReader in(json, std::string(format));
  const Json* value = in.object(name);
  PANDORA_CHECK(in.finish());
  return parse(*value, name);
}
}  // namespace

std::string encode_memory(const Memory& memory) { return encode_one("pandora memory", "memory", memory); }
Result<Memory> decode_memory(std::string_view bytes) {
  return decode_one(bytes, "pandora memory", "memory", memory_from_json);
}
std::string encode_research(const Research& research) { return encode_one("pandora research", "research", research); }
Result<Research> decode_research(std::string_view bytes) {
  return decode_one(bytes, "pandora research", "research", research_from_json);
}
std::string encode_source(const Source& source) { return encode_one("pandora source", "source", source); }
Result<Source> decode_source(std::string_view bytes) {
  return decode_one(bytes, "pandora source", "source", source_from_json);
}

}  // namespace pandora
