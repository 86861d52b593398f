#include "service/exchange.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/log.h"
#include "turns/documents.h"

namespace pandora {
namespace {

// ── out ──

// Stored documents are written for people, on many lines.
std::string on_one_line(const std::string& document) { return dump_json(Json::parse(document, nullptr, false)); }

Result<std::string> turn_line(OperationCall& call, const Turn& turn) {
  const std::string folder = turn.archived ? archived_turn_folder(turn.number) : turn_folder(turn.number);
  auto record = read_turn_folder(call.parts.stores.documents, folder, call.deadline);
  const bool unreadable =
      !record && (record.error().code == ErrorCode::kNotFound || record.error().code == ErrorCode::kDataCorrupt);
  if (!record && !unreadable) return fail(std::move(record).error());
  TurnRecord known = record ? *std::move(record) : record_from_row(turn);
  known.turn = turn;
  // These have lines of their own, which say what holds of them now.
  known.memories.clear();
  known.research.clear();
  known.fetches.clear();
  return encode_record(known);
}

constexpr const char* kObjectFormat = "pandora object";
constexpr std::int64_t kObjectVersion = 1;

std::string_view after_colon(std::string_view cursor) {
  const std::size_t colon = cursor.find(':');
  return colon == std::string_view::npos ? std::string_view() : cursor.substr(colon + 1);
}
tl::unexpected<Error> no_cursor() {
  return fail(ErrorCode::kInvalidArgument, "export.after: is no place in an export");
}

class Exporter {
 public:
  Exporter(OperationCall& call, std::size_t limit) : call_(call), limit_(limit) {}

  // Before the turns that name them, so that an import that is broken off leaves no turn without its objects. A place
  // is a turn and how many of its objects are out.
  Result<ExportPage> objects(std::string_view after) {
    TurnNumber last;
    std::size_t out = 0;
    if (!after.empty()) {
      const std::size_t comma = after.find(',');
      if (comma == std::string_view::npos || !read_number(after.substr(0, comma), last.value) ||
          !read_number(after.substr(comma + 1), out))
        return no_cursor();
    }
    // The turn itself is seen again while some of its objects are not yet out.
    const TurnNumber begin{out > 0 ? last.value - 1 : last.value};
    PANDORA_TRY(found, call_.parts.stores.turns.scan(begin, limit_, call_.who, call_.deadline));
    page_.next = "turn:";
    for (const auto& turn : found) {
      if (turn.number != last) out = 0;
      for (; out < turn.objects.size(); ++out) {
        PANDORA_TRY(line, object_line(turn, turn.objects[out]));
        if (line.empty() || !add(std::move(line))) continue;
        page_.next = fmt::format("object:{},{}", turn.number.value, out + 1);
        return std::move(page_);
      }
      page_.next = fmt::format("object:{},0", turn.number.value);
    }
    return std::move(page_);
  }

  Result<ExportPage> turns(std::string_view after) {
    TurnNumber last;
    if (!after.empty() && !read_number(after, last.value)) return no_cursor();
    PANDORA_TRY(found, call_.parts.stores.turns.scan(last, limit_, call_.who, call_.deadline));
    page_.next = "memory:";
    for (const auto& turn : found) {
      PANDORA_TRY(line, turn_line(call_, turn));
      page_.next = fmt::format("turn:{}", turn.number.value);
      if (add(std::move(line))) break;
    }
    return std::move(page_);
  }

  Result<ExportPage> memories(std::string_view after) {
    MemoryQuery query;
    query.include_superseded = true;
    query.limit = limit_;
    PANDORA_TRY(begin, place(after));
    query.after = begin;
    PANDORA_TRY(found, call_.parts.stores.memories.list(query, call_.who, call_.deadline));
    return documents(found, "memory", "research:", encode_memory);
  }

  Result<ExportPage> research(std::string_view after) {
    ResearchQuery query;
    query.limit = limit_;
    PANDORA_TRY(begin, place(after));
    query.after = begin;
    PANDORA_TRY(found, call_.parts.stores.research.list(query, call_.who, call_.deadline));
    return documents(found, "research", "source:", encode_research);
  }

  Result<ExportPage> sources() {
    PANDORA_TRY(found, call_.parts.stores.sources.list(call_.parts.clock.now(), call_.deadline));
    for (const auto& source : found) page_.lines.push_back(on_one_line(encode_source(source)));
    page_.end = true;
    return std::move(page_);
  }

 private:
  // true: the page is full.
  bool add(std::string line) {
    bytes_ += line.size();
    page_.lines.push_back(std::move(line));
    return bytes_ >= kMaxExportPageBytes;
  }

  template <class Number>
  static bool read_number(std::string_view text, Number& number) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  }

  // Empty: its bytes are lost, which `reconcile` says too.
  Result<std::string> object_line(const Turn& turn, const TurnObject& object) {
    const auto bytes = call_.parts.stores.objects.get(object.key, call_.deadline);
    if (bytes)
      return dump_json({{"format", kObjectFormat},
                        {"version", kObjectVersion},
                        {"media_type", object.media_type},
                        {"base64", base64_encode(*bytes)}});
    if (bytes.error().code != ErrorCode::kNotFound && bytes.error().code != ErrorCode::kDataCorrupt)
      return fail(bytes.error());
    log_warn("export.object_lost", {{"turn", turn.number.value}, {"why", bytes.error().to_line()}});
    return std::string();
  }

  static Result<std::optional<Uuid>> place(std::string_view after) {
    if (after.empty()) return std::nullopt;
    const auto id = Uuid::parse(after);
    if (!id) return no_cursor();
    return std::optional<Uuid>(*id);
  }

  // A global one of another user is his to export.
  template <class T, class Encode>
  Result<ExportPage> documents(const std::vector<T>& found, std::string_view kind, std::string_view then,
                               Encode encode) {
    page_.next = then;
    for (const auto& one : found) {
      page_.next = fmt::format("{}:{}", kind, one.id.to_string());
      if (one.user == call_.who.user && add(on_one_line(encode(one)))) break;
    }
    return std::move(page_);
  }

  OperationCall& call_;
  const std::size_t limit_;
  std::size_t bytes_ = 0;
  ExportPage page_;
};

// ── in ──

// One odd line must not use up the numbers: what is further ahead of the newest turn gets one of its own.
constexpr std::int64_t kMaxNumberLeap = 10'000'000;

// What another user exported gets ids of its own: the same ones every time, so that an import can be run again, and
// with the time that the old ones begin with, so that their order stays.
Uuid id_for(const Uuid& id, const UserId& owner, const UserId& caller) {
  if (owner == caller) return id;
  constexpr std::size_t kTimeBytes = 6;
  Uuid own = point_id("import", fmt::format("{}:{}", caller.str(), id.to_string()));
  std::copy_n(id.bytes.begin(), kTimeBytes, own.bytes.begin());
  return own;
}
std::optional<Uuid> id_for(const std::optional<Uuid>& id, const UserId& owner, const UserId& caller) {
  return id ? std::optional(id_for(*id, owner, caller)) : std::nullopt;
}

Result<bool> was_forgotten(OperationCall& call, const Uuid& id) {
  return call.parts.stores.documents.exists(tombstone_path(id), call.deadline);
}

Result<ImportedDocument> import_turn(OperationCall& call, const std::string& line) {
  PANDORA_TRY(record, decode_record(line));
  const UserId& me = call.who.user;
  Turn& turn = record.turn;
  turn.uid = id_for(turn.uid, turn.user, me);
  turn.user = me;
  record.context.turn_uid = turn.uid;
  for (auto& observation : record.observations) observation.turn_uid = turn.uid;
  record.memories.clear();
  record.research.clear();
  record.fetches.clear();
  ImportedDocument imported{"turn", Imported::kKnown, turn.uid};
  PANDORA_TRY(rows, call.parts.stores.turns.find_all({&turn.uid, 1}, Principal::system(), call.deadline));
  if (!rows.empty() && rows.front().user != me)
    return fail(ErrorCode::kPermissionDenied, fmt::format("turn {} belongs to another user", turn.uid.to_string()),
                "import the file as it was exported: where it says whose turn it was, it gets an id of its own");
  PANDORA_TRY(forgotten, was_forgotten(call, turn.uid));
  if (!rows.empty() || forgotten) return imported;

  PANDORA_TRY(newest, call.parts.stores.turns.list({.limit = 1}, Principal::system(), call.deadline));
  const std::int64_t last = newest.empty() ? 0 : newest.front().number.value;
  if (turn.number.value > last + kMaxNumberLeap) turn.number = {};
  if (turn.number.value > 0) {
    PANDORA_CHECK(call.parts.stores.turns.reserve_through(turn.number, Principal::system(), call.deadline));
    const auto taken = call.parts.stores.turns.find(turn.number, Principal::system(), call.deadline);
    if (!taken && taken.error().code != ErrorCode::kNotFound) return fail(taken.error());
    if (taken) turn.number = {};
  }
  PANDORA_CHECK(call.parts.saver.save(record, call.deadline));
  imported.what = Imported::kNew;
  return imported;
}

// Until its turn comes nobody names it; `reconcile` removes it when none does.
Result<ImportedDocument> import_object(OperationCall& call, const Json& document) {
  JsonReader in(document, "object", ErrorCode::kInvalidArgument);
  (void)in.text("format");
  if (in.integer("version") > kObjectVersion && in.ok())
    return fail(ErrorCode::kIncompatible, "this object is of a newer version", "use the newer pandora that wrote it");
  const std::string media_type = in.text("media_type");
  const std::string bytes = in.value("base64", base64_decode);
  PANDORA_CHECK(in.finish());
  if (bytes.size() > kMaxTurnObjectBytes)
    return fail(ErrorCode::kTooLarge,
                fmt::format("an object of {} bytes, at most {} are kept", bytes.size(), kMaxTurnObjectBytes));
  const auto there = call.parts.stores.objects.get(sha256_hex(bytes), call.deadline);
  if (there) return ImportedDocument{"object", Imported::kKnown, {}};
  PANDORA_CHECK(call.parts.stores.objects.put(bytes, media_type, call.deadline).map([](auto&&) {}));
  return ImportedDocument{"object", Imported::kNew, {}};
}

template <class T>
Result<bool> is_known(OperationCall& call, const Uuid& id, const Result<T>& found) {
  if (!found && found.error().code != ErrorCode::kNotFound) return fail(found.error());
  if (found) return true;
  return was_forgotten(call, id);
}

Result<ImportedDocument> import_memory(OperationCall& call, const std::string& line) {
  PANDORA_TRY(memory, decode_memory(line));
  const UserId owner = memory.user, &me = call.who.user;
  memory.id = id_for(memory.id, owner, me);
  memory.source_turn = id_for(memory.source_turn, owner, me);
  memory.superseded_by = id_for(memory.superseded_by, owner, me);
  memory.user = me;
  PANDORA_TRY(known, is_known(call, memory.id, call.parts.stores.memories.find(memory.id, call.who, call.deadline)));
  if (known) return ImportedDocument{"memory", Imported::kKnown, {}};
  PANDORA_CHECK(call.parts.stores.memories.put(memory, {}, call.who, call.deadline));
  return ImportedDocument{"memory", Imported::kNew, {}};
}

Result<ImportedDocument> import_research(OperationCall& call, const std::string& line) {
  PANDORA_TRY(research, decode_research(line));
  const UserId owner = research.user, &me = call.who.user;
  research.id = id_for(research.id, owner, me);
  research.source_turn = id_for(research.source_turn, owner, me);
  research.user = me;
  PANDORA_TRY(known,
              is_known(call, research.id, call.parts.stores.research.find(research.id, call.who, call.deadline)));
  if (known) return ImportedDocument{"research", Imported::kKnown, {}};
  PANDORA_CHECK(call.parts.stores.research.put(research, call.who, call.deadline));
  return ImportedDocument{"research", Imported::kNew, {}};
}

Result<ImportedDocument> import_source(OperationCall& call, const std::string& line) {
  PANDORA_TRY(source, decode_source(line));
  const auto found = call.parts.stores.sources.find(source.domain, call.parts.clock.now(), call.deadline);
  if (!found && found.error().code != ErrorCode::kNotFound) return fail(found.error());
  if (found) return ImportedDocument{"source", Imported::kKnown, {}};
  PANDORA_CHECK(call.parts.stores.sources.restore(source, call.deadline));
  const OutboxItem file{OutboxKind::kSourceFile, source.domain};
  PANDORA_CHECK(call.parts.stores.outbox.enqueue({&file, 1}, call.deadline));
  return ImportedDocument{"source", Imported::kNew, {}};
}

// ── beside ──

Result<StoredDocument> stored_turn(OperationCall& call, const std::string& line) {
  PANDORA_TRY(record, decode_record(line));
  const Uuid uid = id_for(record.turn.uid, record.turn.user, call.who.user);
  PANDORA_TRY(rows, call.parts.stores.turns.find_all({&uid, 1}, call.who, call.deadline));
  if (rows.empty()) {
    PANDORA_TRY(forgotten, was_forgotten(call, uid));
    return StoredDocument{"", forgotten};
  }
  PANDORA_TRY(there, turn_line(call, rows.front()));
  return StoredDocument{std::move(there), false};
}

template <class T, class Encode>
Result<StoredDocument> stored_one(OperationCall& call, const Uuid& id, const Result<T>& found, Encode encode) {
  if (found) return StoredDocument{on_one_line(encode(*found)), false};
  if (found.error().code != ErrorCode::kNotFound) return fail(found.error());
  PANDORA_TRY(forgotten, was_forgotten(call, id));
  return StoredDocument{"", forgotten};
}

std::string format_of(const Json& document) {
  const auto format = document.find("format");
  return format != document.end() && format->is_string() ? format->get<std::string>() : "";
}

}  // namespace

Result<StoredDocument> stored_document(OperationCall& call, const Json& document, const std::string& line) {
  const std::string name = format_of(document);
  const Stores& stores = call.parts.stores;
  const UserId& me = call.who.user;
  if (name == "pandora turn record") return stored_turn(call, line);
  if (name == "pandora memory") {
    PANDORA_TRY(memory, decode_memory(line));
    const Uuid id = id_for(memory.id, memory.user, me);
    return stored_one(call, id, stores.memories.find(id, call.who, call.deadline), encode_memory);
  }
  if (name == "pandora research") {
    PANDORA_TRY(research, decode_research(line));
    const Uuid id = id_for(research.id, research.user, me);
    return stored_one(call, id, stores.research.find(id, call.who, call.deadline), encode_research);
  }
  if (name == "pandora source") {
    PANDORA_TRY(source, decode_source(line));
    const auto found = stores.sources.find(source.domain, call.parts.clock.now(), call.deadline);
    if (found) return StoredDocument{on_one_line(encode_source(*found)), false};
    if (found.error().code != ErrorCode::kNotFound) return fail(found.error());
    return StoredDocument{};
  }
  return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no format of an export", name));
}

Result<ExportPage> export_page(OperationCall& call, const std::string& cursor, std::size_t limit) {
  Exporter exporter(call, limit);
  const std::string_view after = after_colon(cursor);
  if (cursor.empty() || cursor.starts_with("object:")) return exporter.objects(after);
  if (cursor.starts_with("turn:")) return exporter.turns(after);
  if (cursor.starts_with("memory:")) return exporter.memories(after);
  if (cursor.starts_with("research:")) return exporter.research(after);
  if (cursor == "source:") return exporter.sources();
  return no_cursor();
}

Result<ImportedDocument> import_document(OperationCall& call, const Json& document, const std::string& line) {
  const std::string name = format_of(document);
  if (name == "pandora object") return import_object(call, document);
  if (name == "pandora turn record") return import_turn(call, line);
  if (name == "pandora memory") return import_memory(call, line);
  if (name == "pandora research") return import_research(call, line);
  if (name == "pandora source") return import_source(call, line);
  return fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no format of an export", name));
}

}  // namespace pandora
