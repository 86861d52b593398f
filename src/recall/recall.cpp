#include "recall/recall.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/confidence.h"
#include "domain/derive.h"
#include "recall/rank_receipt.h"
#include "recall/ranking.h"
#include "recall/references.h"
#include "recall/text_fallback.h"
#include "recall/time_reference.h"

namespace pandora {
namespace {

// Shares of the deadline: what is left after a stage must still let the next, cheaper one answer.
constexpr int kEmbedShare = 2;   // embedding may take half of what is left
constexpr int kSearchShare = 2;  // searching half of the rest

constexpr std::size_t kMaxPreferencesRead = 100;  // the newest; of them kMaxPreferences at most are injected
constexpr std::size_t kMostOfNamedTime = 50;      // turns, besides those that are among the best of all times
constexpr std::size_t kMaxItemBytes = 4'000;      // of one quoted text; a long reply is cut, the turn stays named

Deadline share(const Deadline& deadline, const Clock& clock, int parts) {
  const Duration left = deadline.remaining();
  return left == Duration::max() ? deadline : deadline.at_most(clock, left / parts);
}

std::int64_t micros_since(const Clock& clock, SteadyTime start) {
  return std::chrono::duration_cast<Duration>(clock.steady() - start).count();
}

std::string turn_text(const Turn& turn) {
  std::string text = fmt::format("{}: {}", turn.message.speaker(), ellipsize(turn.message.text, kMaxItemBytes));
  if (const Utterance* reply = own_reply(turn))
    text += fmt::format("\n{}: {}", reply->speaker(), ellipsize(reply->text, kMaxItemBytes));
  return text;
}

bool only_asked(const Turn& turn) {
  return turn.model == kExtractiveModel && (turn.intent == Intent::kQuestion || turn.intent == Intent::kLookup);
}

// The rows that ranking asks for, and the texts that would be injected of them.
class StoreRows final : public RowReader {
 public:
  StoreRows(Stores& stores, const Embedder& embedder, const Principal& who, Timestamp now, const Deadline& deadline,
            const HeldTexts* held, std::vector<std::string>& missing)
      : stores_(stores),
        embedder_(embedder),
        who_(who),
        now_(now),
        deadline_(deadline),
        held_(held),
        missing_(missing) {}

  // Its text is as trusted as the least of it: a reply may repeat what a page said.
  RowFacts facts_of(const Turn& turn) {
    keep(turn.uid,
         {GatheredKind::kTurn, fmt::format("turn {}", turn.number.value), turn.uid.to_string(), turn.session.str(),
          turn.created_at, own_reply(turn) ? Trust::kModel : Trust::kUser, 1.0, 0, turn_text(turn)});
    const RowState state = turn.rejected                 ? RowState::kRejected
                           : held_ && held_->holds(turn) ? RowState::kHeld
                                                         : RowState::kHolds;
    return {state, only_asked(turn), 1.0, std::nullopt};
  }

  RowFacts facts_of(const Memory& memory) {
    const ContentType type =
        memory.kind == MemoryKind::kPreference ? ContentType::kPreference : ContentType::kGeneralFact;
    const double confidence = decayed_confidence(memory.confidence, type, now_ - memory.created_at);
    const std::string id = memory.id.to_string();
    keep(memory.id, {GatheredKind::kMemory, "memory " + id, id, memory.session ? memory.session->str() : "",
                     memory.created_at, memory.trust, confidence, 0, ellipsize(memory.content, kMaxItemBytes)});
    const bool expired = memory.expires_at && *memory.expires_at <= now_;
    const RowState state = memory.superseded_by            ? RowState::kSuperseded
                           : expired                       ? RowState::kExpired
                           : held_ && held_->holds(memory) ? RowState::kHeld
                                                           : RowState::kHolds;
    return {state, false, confidence, std::nullopt};
  }

  void read_turns(std::span<RecallCandidate* const> turns) override {
    std::vector<Uuid> uids;
    for (const auto* turn : turns) uids.push_back(turn->uid);
    const auto rows = stores_.turns.find_all(uids, who_, deadline_);
    if (!rows) return miss("turns", rows.error());
    std::unordered_map<Uuid, const Turn*> found;
    for (const auto& row : *rows) found.emplace(row.uid, &row);
    for (auto* turn : turns) {
      const auto row = found.find(turn->uid);
      turn->row = row == found.end() ? RowFacts{.state = RowState::kGone} : facts_of(*row->second);
    }
  }

  void read_memory(RecallCandidate& memory) override {
    const auto row = stores_.memories.find(memory.uid, who_, deadline_);
    if (row)
      memory.row = facts_of(*row);
    else
      not_found(memory, "memory", row.error());
  }

  void read_research(RecallCandidate& research) override {
    const auto row = stores_.research.find(research.uid, who_, deadline_);
    if (row)
      research.row = facts_of(*row);
    else
      not_found(research, "research", row.error());
  }

  void count_tokens(const Uuid& uid, RowFacts& row) override {
    if (const auto item = items_.find(uid); item != items_.end())
      row.tokens = static_cast<std::int64_t>(embedder_.count_tokens(item->second.text));
  }

  Timestamp now() const { return now_; }
  // A row may be given and found: what it is injected as is not known before.
  GatheredItem take(const Uuid& uid, GatheredKind kind, double score) {
    GatheredItem item = std::move(items_.at(uid));
    item.kind = kind;
    item.score = score;
    return item;
  }

 private:
  void keep(const Uuid& uid, GatheredItem item) { items_.try_emplace(uid, std::move(item)); }
  void miss(std::string_view what, const Error& error) {
    missing_.push_back(fmt::format("{}: {}", what, error.to_line()));
  }
  void not_found(RecallCandidate& candidate, const char* what, const Error& error) {
    if (error.code == ErrorCode::kNotFound)
      candidate.row = RowFacts{.state = RowState::kGone};
    else
      miss(fmt::format("{} {}", what, candidate.uid.to_string()), error);
  }

  // The findings that still hold, weighed by their sources; none of a blocked one.
  RowFacts facts_of(const Research& research) {
    RowFacts facts{.confidence = 0};
    std::string text;
    bool any_blocked = false;
    for (const auto& finding : research.findings) {
      double confidence = decayed_confidence(finding.confidence, finding.type, now_ - research.created_at);
      bool blocked = false;
      for (const auto& domain : finding.domains) {
        const auto source = stores_.sources.find(domain, now_, deadline_);
        if (!source) continue;
        blocked |= source->manual == SourceOverride::kBlock;
        if (source->manual == SourceOverride::kNone) confidence = weighed_confidence(confidence, source_score(*source));
      }
      any_blocked |= blocked;
      if (blocked) continue;
      facts.confidence = std::max(facts.confidence, confidence);
      if (confidence < kMinConfidence) continue;
      text += fmt::format("{}- {}", text.empty() ? "" : "\n", ellipsize(finding.claim, kMaxItemBytes));
    }
    if (research.expires_at <= now_)
      facts.state = RowState::kExpired;
    else if (text.empty() && any_blocked)
      facts.state = RowState::kBlocked;
    const std::string id = research.id.to_string();
    keep(research.id,
         {GatheredKind::kResearch, "research " + id, id, research.session ? research.session->str() : "",
          research.created_at, Trust::kWeb, facts.confidence, 0, fmt::format("{}:\n{}", research.primary_topic, text)});
    return facts;
  }

  Stores& stores_;
  const Embedder& embedder_;
  const Principal& who_;
  const Timestamp now_;
  const Deadline& deadline_;
  const HeldTexts* held_;
  std::vector<std::string>& missing_;
  std::unordered_map<Uuid, GatheredItem> items_;
};

// What ranking reads of a point's payload.
class PayloadReader {
 public:
  explicit PayloadReader(const Payload& payload) : payload_(payload) {}
  template <class T>
  const T* field(const char* name) const {
    const auto found = payload_.find(name);
    return found == payload_.end() ? nullptr : std::get_if<T>(&found->second);
  }
  std::optional<Uuid> uid(const char* name) const {
    const auto* text = field<std::string>(name);
    const auto parsed = text ? Uuid::parse(*text) : fail(ErrorCode::kDataCorrupt, "");
    return parsed ? std::optional(*parsed) : std::nullopt;
  }
  std::optional<Timestamp> time(const char* name) const {
    const auto* at = field<Timestamp>(name);
    return at ? std::optional(*at) : std::nullopt;
  }
  std::string text(const char* name) const {
    const auto* text = field<std::string>(name);
    return text ? *text : std::string();
  }

 private:
  const Payload& payload_;
};

RecallCandidate turn_candidate(const PayloadReader& payload) {
  RecallCandidate turn;
  turn.session = payload.text("session_id");
  turn.speaker = ellipsize(payload.text("speaker"), kMaxReceiptSpeakerBytes);
  turn.at = payload.time("timestamp");
  if (const auto* quality = payload.field<double>("quality")) turn.quality = *quality;
  if (const auto* asks = payload.field<bool>("asks")) turn.asks = *asks;
  turn.follows = payload.uid("follows");
  return turn;
}
// User, tool, model, web: 1, 2/3, 1/3, 0.
RecallCandidate memory_candidate(const PayloadReader& payload) {
  RecallCandidate memory;
  memory.at = payload.time("created_at");
  if (const auto trust = parse_trust(payload.text("trust")))
    memory.quality = static_cast<double>(*trust) / static_cast<double>(Trust::kUser);
  return memory;
}
RecallCandidate research_candidate(const PayloadReader& payload) {
  RecallCandidate research;
  research.at = payload.time("created_at");
  if (const auto* quality = payload.field<double>("quality")) research.quality = *quality;
  return research;
}

struct SearchedCollection {
  std::string PointSpace::* name;
  std::string_view shown;
  const char* uid_field;
  std::vector<std::string> fields;  // that `candidate` reads, and the uid
  RecallCandidate (*candidate)(const PayloadReader&);
};
const SearchedCollection kTurns{&PointSpace::turns,
                                kTurnsCollection,
                                "turn_uid",
                                {"turn_uid", "session_id", "speaker", "timestamp", "quality", "asks", "follows"},
                                turn_candidate};
const SearchedCollection kMemories{
    &PointSpace::memories, kMemoriesCollection, "memory_id", {"memory_id", "created_at", "trust"}, memory_candidate};
const SearchedCollection kResearch{&PointSpace::research,
                                   kResearchCollection,
                                   "research_id",
                                   {"research_id", "created_at", "quality"},
                                   research_candidate};

constexpr std::size_t kCollections = 3;
const std::array<SearchedCollection, kCollections> kSearched = {kTurns, kMemories, kResearch};

using Found = Result<std::vector<ScoredPoint>>;

// One recall: its steps gather the evidence of the receipt.
class Gathering {
 public:
  Gathering(Stores& stores, TextSearch* texts, std::shared_ptr<const PointSpace> space, const Clock& clock,
            ThreadPool& pool, const RecallRequest& request, const Deadline& deadline)
      : stores_(stores),
        texts_(texts),
        space_(std::move(space)),
        clock_(clock),
        pool_(pool),
        request_(request),
        deadline_(deadline),
        rows_(stores, *space_->embedder, request.who, clock.now(), deadline, request.held, receipt_.missing) {
    receipt_.user = request.who.user;
    receipt_.session = request.session;
    receipt_.question = ellipsize(request.question, kMaxReceiptQuestionBytes);
    receipt_.question_cut = receipt_.question != request.question;
    receipt_.at = rows_.now();
    receipt_.scope = request.scope;
    receipt_.token_budget = request.token_budget;
    receipt_.limit = static_cast<std::int64_t>(request.limit);
    receipt_.candidates = static_cast<std::int64_t>(request.candidates);
    const EmbedderIdentity& embedder = space_->origin.embedder;
    receipt_.embedder = fmt::format("{}@{}", embedder.model, embedder.revision);
    receipt_.analyzer = kAnalyzerVersion;
  }

  RecallResult run() {
    const SteadyTime start = clock_.steady();
    SteadyTime stage = start;
    // What needs no vector is asked for while the encoder works; where no thread is to be had, afterwards.
    Rows rows;
    Legs words;
    pool_.run(2 + kCollections, [&](std::size_t part) {
      if (part == 0) {
        embed_question();
        receipt_.micros.embed = micros_since(clock_, stage);
      } else if (part == 1) {
        rows = read_rows();
      } else {
        // Its share begins now: the encoder may have taken its own before it.
        words[part - 2] = ask(kSearched[part - 2], by_words(filter_of(part - 2), request_.candidates),
                              share(deadline_, clock_, kSearchShare));
      }
    });
    give(rows);

    stage += Duration(receipt_.micros.embed);
    const Deadline search = share(deadline_, clock_, kSearchShare);
    Legs meaning;
    if (!question_vector_.empty())
      pool_.run(kCollections, [&](std::size_t i) {
        meaning[i] = ask(kSearched[i], by_meaning(filter_of(i), request_.candidates), search);
      });
    receipt_.mode = take_legs(kTurns, receipt_.turns, search, meaning[0], words[0]);
    const bool by_rows = receipt_.mode == RecallMode::kNone && texts_ != nullptr;
    if (by_rows && search_rows(request_.candidates)) receipt_.mode = RecallMode::kLexical;
    find_named_time();
    if (receipt_.time && !by_rows) search_named_time(search);
    if (receipt_.time && by_rows) search_rows(kMostOfNamedTime);
    take_legs(kMemories, receipt_.memories, search, meaning[1], words[1]);
    take_legs(kResearch, receipt_.research, search, meaning[2], words[2]);
    receipt_.micros.search = micros_since(clock_, stage);

    stage = clock_.steady();
    drop_what_follows_nobody();
    if (receipt_.mode == RecallMode::kNone) give_recent_turns();
    rank(receipt_, rows_);
    GatherSection section = injected();
    receipt_.micros.rank = micros_since(clock_, stage);
    receipt_.micros.total = micros_since(clock_, start);
    return {std::move(section), std::move(receipt_)};
  }

 private:
  void miss(std::string_view what, const Error& error) {
    receipt_.missing.push_back(fmt::format("{}: {}", what, error.to_line()));
  }
  template <class Row>
  void give(const Row& row, const Uuid& uid, GatheredKind kind) {
    receipt_.given.push_back({kind, uid, rows_.facts_of(row)});
  }

  // What is there whatever the question finds.
  struct Rows {
    Result<std::vector<Memory>> preferences;
    Result<std::vector<Turn>> previous;
    std::vector<std::pair<TurnNumber, Result<Turn>>> referenced;
  };
  Rows read_rows() const {
    Rows rows;
    rows.preferences = stores_.memories.list(
        {.kind = MemoryKind::kPreference, .valid_at = receipt_.at, .limit = kMaxPage}, request_.who, deadline_);
    rows.previous = stores_.turns.list({.session = request_.session, .include_rejected = false, .limit = 1},
                                       request_.who, deadline_);
    for (const TurnNumber number : referenced_turns(request_.question))
      rows.referenced.emplace_back(number, stores_.turns.find(number, request_.who, deadline_));
    return rows;
  }

  void give(Rows& rows) {
    if (!rows.preferences) {
      miss("preferences", rows.preferences.error());
    } else {
      std::ranges::reverse(*rows.preferences);  // newest first
      if (rows.preferences->size() > kMaxPreferencesRead) rows.preferences->resize(kMaxPreferencesRead);
      for (const auto& memory : *rows.preferences) give(memory, memory.id, GatheredKind::kPreference);
    }
    if (!rows.previous)
      miss("previous turn", rows.previous.error());
    else
      for (const auto& turn : *rows.previous) give(turn, turn.uid, GatheredKind::kPreviousTurn);
    for (const auto& [number, turn] : rows.referenced)
      if (turn)
        give(*turn, turn->uid, GatheredKind::kTurn);
      else
        miss(fmt::format("turn {}", number.value), turn.error());
  }

  void give_recent_turns() {
    TurnQuery query{.include_rejected = false, .limit = request_.limit};
    if (request_.scope == Scope::kSession) query.session = request_.session;
    const auto found = stores_.turns.list(query, request_.who, deadline_);
    if (!found) return miss("recent turns", found.error());
    receipt_.mode = RecallMode::kRecent;
    for (const auto& turn : *found) give(turn, turn.uid, GatheredKind::kTurn);
  }

  void embed_question() {
    const std::string_view text = request_.question;
    auto vectors = space_->embedder->embed({&text, 1}, TextRole::kQuestion, share(deadline_, clock_, kEmbedShare));
    if (vectors)
      question_vector_ = std::move(vectors->front());
    else
      miss("search by meaning", vectors.error());
  }

  // Ranking reads of the turn before only what the search brought of it.
  void drop_what_follows_nobody() {
    std::unordered_set<Uuid> found;
    for (const auto& turn : receipt_.turns) found.insert(turn.uid);
    for (auto& turn : receipt_.turns)
      if (turn.follows && !found.contains(*turn.follows)) turn.follows.reset();
  }

  // "In May" is the latest May in which something was said that the search has found.
  void find_named_time() {
    constexpr int kYears = 20;
    const Duration zone = clock_.zone_offset(receipt_.at);
    auto named = referenced_time(request_.question, receipt_.at, zone);
    if (!named) return;
    receipt_.time = named->range;
    for (int year = 0; named && named->any_year && year < kYears; ++year) {
      const auto is_then = [&](const RecallCandidate& turn) { return turn.at && named->range.holds(*turn.at); };
      if (std::ranges::any_of(receipt_.turns, is_then)) {
        receipt_.time = named->range;
        return;
      }
      named = referenced_time(request_.question, named->range.from - Duration(1), zone);
    }
  }

  // What was said then may be far behind the best of all times.
  void search_named_time(const Deadline& deadline) {
    Filter filter = turn_filter();
    filter.must.push_back({.field = "timestamp", .from = receipt_.time->from, .to = receipt_.time->to + kTimeSlack});
    const std::size_t most = std::min(kMostOfNamedTime, request_.candidates);
    Leg meaning, words;
    pool_.run(question_vector_.empty() ? 1 : 2, [&](std::size_t part) {
      if (part == 0) words = ask(kTurns, by_words(filter, most), deadline);
      if (part == 1) meaning = ask(kTurns, by_meaning(filter, most), deadline);
    });
    take_legs(kTurns, receipt_.turns, deadline, meaning, words);
  }

  // The points cannot be asked: by the words of the rows; of the named time once that is known.
  bool search_rows(std::size_t most) {
    RowsQuestion question{request_.question, question_vector_, std::nullopt, std::nullopt, most};
    if (request_.scope == Scope::kSession) question.session = request_.session;
    if (receipt_.time) question.within = TimeRange{receipt_.time->from, receipt_.time->to + kTimeSlack};
    auto found = turns_of_rows(*texts_, stores_.turns, space_->origin.embedder, question, request_.who,
                               share(deadline_, clock_, kSearchShare));
    if (!found) return miss("turns by the words of their rows", found.error()), false;
    if (!receipt_.time) receipt_.missing.push_back("turns: found by the words of their rows, not by their points");
    if (found->unread > 0)
      receipt_.missing.push_back(
          fmt::format("turns by the words of their rows: {} of them there was no time for", found->unread));
    std::unordered_set<Uuid> known;
    for (const auto& turn : receipt_.turns) known.insert(turn.uid);
    for (auto& turn : found->turns)
      if (!known.contains(turn.uid)) receipt_.turns.push_back(std::move(turn));
    return true;
  }

  Filter turn_filter() const {
    Filter filter;
    filter.must.push_back({.field = "user_id", .any = {request_.who.user.str()}});
    if (request_.scope == Scope::kSession)
      filter.must.push_back({.field = "session_id", .any = {request_.session.str()}});
    filter.must_not.push_back({.field = "rejected", .any = {true}});
    return filter;
  }
  static Filter memory_filter() {
    Filter filter;
    filter.must_not.push_back({.field = "superseded", .any = {true}});
    return filter;
  }

  // What one search brought; none where there is no vector to search by.
  using Leg = std::optional<Found>;
  using Legs = std::array<Leg, kCollections>;  // of each of kSearched
  Filter filter_of(std::size_t collection) const {
    return collection == 0 ? turn_filter() : collection == 1 ? memory_filter() : Filter();
  }
  PointQuery by_words(const Filter& filter, std::size_t most) const {
    PointQuery query{.vector = std::string(kLexicalVector), .nearest = {}, .filter = filter, .limit = most};
    query.nearest = query_weights(request_.question);
    return query;
  }
  PointQuery by_meaning(const Filter& filter, std::size_t most) const {
    return {.vector = {}, .nearest = question_vector_, .filter = filter, .limit = most};
  }
  Found ask(const SearchedCollection& collection, PointQuery query, const Deadline& deadline) const {
    query.fields = collection.fields;
    return stores_.vectors.query((*space_).*collection.name, query, request_.who, deadline);
  }

  // How far it got; kNone: neither leg answered.
  RecallMode take_legs(const SearchedCollection& collection, std::vector<RecallCandidate>& candidates,
                       const Deadline& deadline, const Leg& meaning, const Leg& words) {
    CandidateList list{collection, candidates, {}};
    for (std::size_t i = 0; i < candidates.size(); ++i) list.at.emplace(candidates[i].uid, i);
    const bool meant = meaning && take(*meaning, list, &RecallCandidate::dense, "by meaning");
    const bool said = words && take(*words, list, &RecallCandidate::lexical, "by words");
    // What searches may be made anew from its rows just now.
    const auto unsearched = stores_.vectors.unsearched((*space_).*collection.name, deadline);
    if (unsearched && *unsearched > 0)
      receipt_.missing.push_back(
          fmt::format("{}: the index is being built, {} are not in it yet", collection.shown, *unsearched));
    else if (!unsearched && (meant || said) && unsearched.error().code != ErrorCode::kNotFound)
      miss(fmt::format("{}: whether the index is whole", collection.shown), unsearched.error());
    return meant ? RecallMode::kHybrid : said ? RecallMode::kLexical : RecallMode::kNone;
  }

  struct CandidateList {
    const SearchedCollection& collection;
    std::vector<RecallCandidate>& candidates;
    std::unordered_map<Uuid, std::size_t> at;
  };

  bool take(const Found& found, CandidateList& list, std::optional<float> RecallCandidate::* leg, const char* how) {
    const std::string_view name = list.collection.shown;
    // A collection that does not exist yet holds nothing: that is an answer.
    if (!found && found.error().code == ErrorCode::kNotFound) return true;
    if (!found) return miss(fmt::format("{} {}", name, how), found.error()), false;
    std::size_t nameless = 0;
    for (const auto& point : *found) {
      const PayloadReader payload(point.payload);
      const auto uid = payload.uid(list.collection.uid_field);
      if (!uid) {
        ++nameless;
        continue;
      }
      const auto [entry, is_new] = list.at.try_emplace(*uid, list.candidates.size());
      if (is_new) list.candidates.push_back(list.collection.candidate(payload));
      RecallCandidate& candidate = list.candidates[entry->second];
      candidate.uid = *uid;
      candidate.*leg = point.score;
    }
    if (nameless > 0)
      miss(fmt::format("{} {}", name, how),
           {ErrorCode::kDataCorrupt, fmt::format("{} points without {}", nameless, list.collection.uid_field),
            "run `pandora reconcile --apply`"});
    return true;
  }

  // §2: the texts of what ranking has chosen, each at its place.
  GatherSection injected() {
    std::vector<std::pair<std::int64_t, GatheredItem>> placed;
    for (const auto& one : receipt_.given)
      if (one.place > 0) placed.emplace_back(one.place, rows_.take(one.uid, one.kind, 0));
    const auto take = [&](const std::vector<RecallCandidate>& candidates, GatheredKind kind) {
      for (const auto& one : candidates)
        if (one.place > 0) placed.emplace_back(one.place, rows_.take(one.uid, kind, one.score));
    };
    take(receipt_.turns, GatheredKind::kTurn);
    take(receipt_.memories, GatheredKind::kMemory);
    take(receipt_.research, GatheredKind::kResearch);
    std::ranges::sort(placed, {}, [](const auto& one) { return one.first; });
    GatherSection section{receipt_.mode, {}, receipt_.missing, receipt_.tokens};
    for (auto& [place, item] : placed) section.items.push_back(std::move(item));
    return section;
  }

  Stores& stores_;
  TextSearch* const texts_;
  const std::shared_ptr<const PointSpace> space_;  // to the end: what its vectors are compared with stays
  const Clock& clock_;
  ThreadPool& pool_;
  const RecallRequest& request_;
  const Deadline& deadline_;
  RecallReceipt receipt_;
  StoreRows rows_;
  std::vector<float> question_vector_;
};

}  // namespace

RecallResult Recall::run(const RecallRequest& request, const Deadline& deadline) {
  return Gathering(stores_, texts_, spaces_.current(), clock_, pool_, request, deadline).run();
}

}  // namespace pandora
