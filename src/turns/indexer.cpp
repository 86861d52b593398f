#include "turns/indexer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "domain/memory.h"
#include "domain/research.h"
#include "domain/spoken_words.h"

namespace pandora {
namespace {

void add_scope(Payload& payload, Scope scope) {
  if (scope == Scope::kGlobal) payload["scope"] = std::string("global");
}

Payload payload_of(const Turn& turn) {
  return {{"turn_uid", turn.uid.to_string()},
          {"turn_number", turn.number.value},
          {"session_id", turn.session.str()},
          {"user_id", turn.user.str()},
          {"topic", turn.topic},
          {"intent", std::string(to_string(turn.intent))},
          {"timestamp", turn.created_at},
          {"quality", turn.quality},
          {"rejected", turn.rejected},
          {"speaker", std::string(turn.message.speaker())},
          {"asks", only_asks(turn)}};
}

Payload payload_of(const Memory& memory) {
  Payload payload = {{"memory_id", memory.id.to_string()},
                     {"user_id", memory.user.str()},
                     {"kind", std::string(to_string(memory.kind))},
                     {"topic", memory.topic},
                     {"trust", std::string(to_string(memory.trust))},
                     {"confidence", memory.confidence},
                     {"created_at", memory.created_at},
                     {"superseded", memory.superseded_by.has_value()}};
  if (memory.session) payload["session_id"] = memory.session->str();
  if (memory.source_turn) payload["source_turn"] = memory.source_turn->to_string();
  if (memory.expires_at) payload["expires_at"] = *memory.expires_at;
  add_scope(payload, memory.scope);
  return payload;
}

Payload payload_of(const Research& research) {
  std::vector<std::string> domains;
  for (const auto& finding : research.findings)
    domains.insert(domains.end(), finding.domains.begin(), finding.domains.end());
  Payload payload = {{"research_id", research.id.to_string()},  {"user_id", research.user.str()},
                     {"primary_topic", research.primary_topic}, {"quality", research.quality},
                     {"confidence", research.confidence},       {"created_at", research.created_at},
                     {"expires_at", research.expires_at},       {"domains", std::move(domains)}};
  add_scope(payload, research.scope);
  return payload;
}

std::string text_of(const Memory& memory) { return memory.content; }
std::string text_of(const Research& research) {
  std::string text = research.primary_topic;
  for (const auto& finding : research.findings) text += "\n" + finding.claim;
  return text;
}

}  // namespace

Status Indexer::ensure_collections(const PointSpace& space, const Deadline& deadline) {
  PANDORA_TRY(there, stores_.vectors.collections(deadline));
  for (const auto& spec : collection_specs(space)) {
    const auto found = std::ranges::find(there, spec.name, &CollectionSpec::name);
    // One of an older form is as good as when it was made.
    const bool same = found != there.end() && found->embedder == spec.embedder && found->dimension == spec.dimension;
    if (!same) PANDORA_CHECK(stores_.vectors.ensure_collection(spec, deadline));
  }
  return {};
}

Status Indexer::embed_once(const PointSpace& space, std::span<const Turn> turns, const Deadline& deadline) {
  PANDORA_CHECK(deadline.check("encoding"));
  std::vector<std::string> texts;
  std::vector<std::size_t> parts;  // of each turn: message, and reply when it has one of its own
  for (const auto& turn : turns) {
    texts.push_back(embedded_text(turn.message));
    const Utterance* reply = own_reply(turn);
    if (reply) texts.push_back(embedded_text(*reply));
    parts.push_back(reply ? 2 : 1);
  }
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  PANDORA_TRY(vectors, space.embedder->embed(views, TextRole::kPassage, Deadline::never()));
  std::size_t at = 0;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    std::vector<WindowVector> both;
    for (std::size_t part = 0; part < parts[i]; ++part) both.push_back({0, vectors[at++]});
    const auto own = windowed_vector(both);
    const Status stored = stores_.turns.put_vector(turns[i].uid, space.origin.embedder, own, to_keep(), &turns[i]);
    if (stored || stored.error().code == ErrorCode::kNotFound) continue;  // forgotten meanwhile: nothing to keep
    if (stored.error().code != ErrorCode::kConflict) return stored;       // changed meanwhile: the caller looks
  }
  return {};
}

namespace {

// The first of them, and those after it whose text is short enough to go with it.
std::size_t turns_together(std::span<const Turn> turns) {
  std::size_t count = 0, bytes = 0;
  for (const Turn& turn : turns) {
    const Utterance* reply = own_reply(turn);
    bytes += turn.message.text.size() + (reply ? reply->text.size() : 0);
    if (count > 0 && bytes > kEncodedTogether) break;
    ++count;
  }
  return count;
}

}  // namespace

Status Indexer::embed_turns(const PointSpace& space, std::vector<Turn> turns, const Deadline& deadline) {
  while (!turns.empty()) {
    for (std::size_t at = 0, piece = 0; at < turns.size(); at += piece) {
      piece = turns_together(std::span(turns).subspan(at));
      PANDORA_CHECK(embed_once(space, std::span(turns).subspan(at, piece), deadline));
    }
    // A text that was changed meanwhile has no vector yet, or has lost it: again.
    std::vector<Uuid> uids;
    for (const auto& turn : turns) uids.push_back(turn.uid);
    PANDORA_TRY(now, stores_.turns.find_all(uids, Principal::system(), deadline));
    std::erase_if(now,
                  [&](const Turn& row) { return same_words(row, *std::ranges::find(turns, row.uid, &Turn::uid)); });
    turns = std::move(now);
  }
  return {};
}

Result<std::optional<Point>> Indexer::turn_point(const PointSpace& space, const Item& item, const Deadline& deadline) {
  const auto window = stores_.turns.neighbours(item.id, kWindow, Principal::system(), deadline);
  if (!window && window.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (!window) return fail(window.error());
  PANDORA_TRY(vectors, stores_.turns.vectors_around(item.id, kWindow, space.origin.embedder, deadline));

  std::vector<std::string> words;
  std::vector<int> distances;
  std::set<Uuid> kept;
  for (const auto& [distance, turn] : *window) {
    if (distance > 0 && turn.rejected) continue;
    words.push_back(spoken_words(turn));
    distances.push_back(distance);
    kept.insert(turn.uid);
  }
  std::vector<WindowText> texts;
  for (std::size_t i = 0; i < words.size(); ++i) texts.push_back({distances[i], words[i]});
  std::vector<WindowVector> parts;
  for (const auto& vector : vectors)
    if (kept.contains(vector.uid)) parts.push_back({vector.distance, vector.vector});

  Point point;
  point.id = turn_point_id(item.id);
  point.version = item.version;
  point.dense[""] = windowed_vector(parts);
  point.sparse[std::string(kLexicalVector)] = document_weights(texts);
  const Turn& turn = window->front().second;
  point.payload = payload_of(turn);
  for (const auto& [distance, other] : *window)
    if (distance == 1 && other.number < turn.number) point.payload["follows"] = other.uid.to_string();
  return point;
}

Status Indexer::embed_around(const PointSpace& space, std::span<const Item> items, const Deadline& deadline) {
  // What has no vector yet, of the turns themselves and of their neighbours, in one call of the encoder.
  std::map<Uuid, Turn> missing;
  for (const Item& item : items) {
    const auto window = stores_.turns.neighbours(item.id, kWindow, Principal::system(), deadline);
    if (!window && window.error().code == ErrorCode::kNotFound) continue;
    if (!window) return fail(window.error());
    PANDORA_TRY(vectors, stores_.turns.vectors_around(item.id, kWindow, space.origin.embedder, deadline));
    std::set<Uuid> known;
    for (const auto& vector : vectors) known.insert(vector.uid);
    for (const auto& [distance, turn] : *window)
      if (!known.contains(turn.uid)) missing.emplace(turn.uid, turn);
  }
  std::vector<Turn> turns;
  for (auto& [uid, turn] : missing) turns.push_back(std::move(turn));
  return embed_turns(space, std::move(turns), deadline);
}

Status Indexer::index_turns(const PointSpace& space, std::span<const Item> items, const Deadline& deadline) {
  PANDORA_CHECK(embed_around(space, items, deadline));
  std::vector<Point> points;
  std::vector<Uuid> gone;
  for (const Item& item : items) {
    PANDORA_TRY(point, turn_point(space, item, deadline));
    if (point)
      points.push_back(*std::move(point));
    else
      gone.push_back(turn_point_id(item.id));
  }
  if (!gone.empty())
    PANDORA_CHECK(stores_.vectors.remove(space.turns, gone, Principal::system(), deadline).map([](auto) {}));
  if (!points.empty())
    PANDORA_CHECK(stores_.vectors.upsert(space.turns, points, Principal::system(), deadline).map([](auto) {}));
  // What another process has forgotten meanwhile, its point too, before this one came.
  std::vector<Uuid> uids;
  for (const Item& item : items) uids.push_back(item.id);
  PANDORA_TRY(rows, stores_.turns.find_all(uids, Principal::system(), deadline));
  std::set<Uuid> left;
  for (const Turn& turn : rows) left.insert(turn_point_id(turn.uid));
  std::vector<Uuid> late;
  for (const Point& point : points)
    if (!left.contains(point.id)) late.push_back(point.id);
  if (!late.empty())
    PANDORA_CHECK(stores_.vectors.remove(space.turns, late, Principal::system(), deadline).map([](auto) {}));
  return {};
}

// A neighbour's point gets the version of whoever asked: that is of a claim, and all is read after it.
Status Indexer::index_around(const PointSpace& space, std::span<const Item> items, const Deadline& deadline) {
  std::map<Uuid, std::int64_t> versions;
  const auto add = [&](const Uuid& uid, std::int64_t version) {
    const auto [one, is_new] = versions.emplace(uid, version);
    one->second = std::max(one->second, version);
  };
  for (const Item& item : items) {
    add(item.id, item.version);
    const auto window = stores_.turns.neighbours(item.id, kWindow, Principal::system(), deadline);
    if (!window && window.error().code != ErrorCode::kNotFound) return fail(window.error());
    if (!window) continue;
    for (const auto& [distance, turn] : *window) add(turn.uid, item.version);
  }
  std::vector<Item> all;
  for (const auto& [uid, version] : versions) all.push_back({uid, version});
  return index_turns(space, all, deadline);
}

// Memories and research alike: one vector of their text, no window.
template <class Store>
Status Indexer::index_texts(Store& store, Embedder& embedder, const std::string& collection, std::string_view kind,
                            std::span<const Item> items, const Deadline& deadline) {
  std::vector<Point> points;
  std::vector<std::string> texts;
  std::vector<Uuid> gone;
  for (const auto& item : items) {
    const auto row = store.find(item.id, Principal::system(), deadline);
    const Uuid id = point_id(kind, item.id.to_string());
    if (!row && row.error().code == ErrorCode::kNotFound) {
      gone.push_back(id);
      continue;
    }
    if (!row) return fail(row.error());
    Point point;
    point.id = id;
    point.version = item.version;
    point.payload = payload_of(*row);
    texts.push_back(text_of(*row));
    const WindowText alone{0, texts.back()};
    point.sparse[std::string(kLexicalVector)] = document_weights({&alone, 1});
    points.push_back(std::move(point));
  }
  if (!gone.empty())
    PANDORA_CHECK(stores_.vectors.remove(collection, gone, Principal::system(), deadline).map([](auto) {}));
  if (!points.empty()) {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    PANDORA_TRY(embedded, embedder.embed(views, TextRole::kPassage, Deadline::never()));
    for (std::size_t i = 0; i < points.size(); ++i) points[i].dense[""] = std::move(embedded[i]);
    PANDORA_CHECK(stores_.vectors.upsert(collection, points, Principal::system(), to_keep()).map([](auto) {}));
    std::vector<Uuid> late;  // as with turns
    for (const auto& item : items) {
      const auto row = store.find(item.id, Principal::system(), to_keep());
      if (!row && row.error().code == ErrorCode::kNotFound) late.push_back(point_id(kind, item.id.to_string()));
      if (!row && row.error().code != ErrorCode::kNotFound) return fail(row.error());
    }
    if (!late.empty())
      PANDORA_CHECK(stores_.vectors.remove(collection, late, Principal::system(), to_keep()).map([](auto) {}));
  }
  return {};
}

Status Indexer::index_memories(const PointSpace& space, std::span<const Item> memories, const Deadline& deadline) {
  return index_texts(stores_.memories, *space.embedder, space.memories, "memory", memories, deadline);
}

Status Indexer::index_research(const PointSpace& space, std::span<const Item> research, const Deadline& deadline) {
  return index_texts(stores_.research, *space.embedder, space.research, "research", research, deadline);
}

}  // namespace pandora
