#include "recall/recall.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "base/text.h"
#include "domain/confidence.h"
#include "domain/derive.h"
#include "recall/fusion.h"
#include "recall/ranking.h"
#include "recall/references.h"

namespace pandora {
namespace {

// Shares of the deadline: what is left after a stage must still let the next, cheaper one answer.
constexpr int kEmbedShare = 2;   // embedding may take half of what is left
constexpr int kSearchShare = 2;  // searching half of the rest

constexpr std::size_t kMaxPreferences = 20;
constexpr std::size_t kMaxMemories = 5;
constexpr std::size_t kMaxResearch = 3;
constexpr std::size_t kMaxItemBytes = 4'000;  // of one quoted text; a long reply is cut, the turn stays named
Deadline share(const Deadline& deadline, const Clock& clock, int parts) {
  const Duration left = deadline.remaining();
  return left == Duration::max() ? deadline : deadline.at_most(clock, left / parts);
}

std::int64_t micros_since(const Clock& clock, SteadyTime start) {
  return std::chrono::duration_cast<Duration>(clock.steady() - start).count();
}

// What a leg gave, or why it gave nothing.
struct Legs {
  std::vector<ScoredPoint> dense, lexical;
  bool dense_ok = false, lexical_ok = false;
  bool any() const { return dense_ok || lexical_ok; }
};

// One recall: the steps share the request, the section under way and the budget.
class Gathering {
 public:
  Gathering(Stores stores, Embedder& embedder, const Clock& clock, const RecallRequest& request)
      : stores_(stores), embedder_(embedder), clock_(clock), request_(request), now_(clock.now()) {}

  RecallResult run(const Deadline& deadline) {
    const SteadyTime start = clock_.steady();
    include_preferences(deadline);
    include_previous_turn(deadline);
    include_referenced_turns(deadline);

    SteadyTime stage = clock_.steady();
    embed_question(deadline);
    result_.timings.embed = micros_since(clock_, stage);

    stage = clock_.steady();
    const Deadline search = share(deadline, clock_, kSearchShare);
    const Legs turns = search_collection(kTurnsCollection, turn_filter(), search);
    const Legs memories = search_collection(kMemoriesCollection, memory_filter(), search);
    const Legs research = search_collection(kResearchCollection, {}, search);
    result_.timings.search = micros_since(clock_, stage);

    stage = clock_.steady();
    if (turns.any()) {
      section().mode = turns.dense_ok ? RecallMode::kHybrid : RecallMode::kLexical;
      add_turns(turns, deadline);
    } else {
      add_recent_turns(deadline);
    }
    add_memories(memories, deadline);
    add_research(research, deadline);
    result_.timings.rank = micros_since(clock_, stage);
    result_.timings.total = micros_since(clock_, start);
    return std::move(result_);
  }

 private:
  GatherSection& section() { return result_.section; }
  void miss(std::string_view what, const Error& error) {
    section().missing.push_back(fmt::format("{}: {}", what, error.to_line()));
  }

  // Adds the item if its text fits into what is left of `budget`; false when it does not.
  bool include(GatheredItem item, std::int64_t budget) {
    if (included_.contains(item.id)) return true;
    const auto tokens = static_cast<std::int64_t>(embedder_.count_tokens(item.text));
    if (section().tokens + tokens > budget) return false;
    section().tokens += tokens;
    included_.insert(item.id);
    section().items.push_back(std::move(item));
    return true;
  }

  static std::string turn_text(const Turn& turn) {
    std::string text = fmt::format("{}: {}", turn.message.speaker(), ellipsize(turn.message.text, kMaxItemBytes));
    if (const Utterance* reply = own_reply(turn))
      text += fmt::format("\n{}: {}", reply->speaker(), ellipsize(reply->text, kMaxItemBytes));
    return text;
  }

  GatheredItem item_of(const Turn& turn, GatheredKind kind, double score) const {
    return {kind,  fmt::format("turn {}", turn.number.value), turn.uid.to_string(), turn.session.str(), turn.created_at,
            Trust::kUser, 1.0, score, turn_text(turn)};
  }

  void include_preferences(const Deadline& deadline) {
    auto found = stores_.memories.list({.kind = MemoryKind::kPreference, .valid_at = now_, .limit = kMaxPage},
                                       request_.who, deadline);
    if (!found) return miss("preferences", found.error());
    std::ranges::reverse(*found);  // newest first
    std::size_t count = 0;
    for (const auto& memory : *found) {
      if (count == kMaxPreferences) break;
      if (add_memory(memory, GatheredKind::kPreference, 0, request_.token_budget / 4)) ++count;
    }
  }

  void include_previous_turn(const Deadline& deadline) {
    auto found = stores_.turns.list({.session = request_.session, .include_rejected = false, .limit = 1}, request_.who,
                                    deadline);
    if (!found) return miss("previous turn", found.error());
    if (!found->empty()) include(item_of(found->front(), GatheredKind::kPreviousTurn, 0), request_.token_budget / 2);
  }

  void include_referenced_turns(const Deadline& deadline) {
    for (const TurnNumber number : referenced_turns(request_.question)) {
      auto turn = stores_.turns.find(number, request_.who, deadline);
      if (!turn)
        miss(fmt::format("turn {}", number.value), turn.error());
      else
        include(item_of(*turn, GatheredKind::kTurn, 0), request_.token_budget);
    }
  }

  void embed_question(const Deadline& deadline) {
    const std::string_view text = request_.question;
    auto vectors = embedder_.embed({&text, 1}, TextRole::kQuestion, share(deadline, clock_, kEmbedShare));
    if (vectors)
      question_vector_ = std::move(vectors->front());
    else
      miss("search by meaning", vectors.error());
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

  Legs search_collection(std::string_view collection, const Filter& filter, const Deadline& deadline) {
    Legs legs;
    const std::string name(collection);
    PointQuery query{.vector = {}, .nearest = {}, .filter = filter, .limit = request_.candidates};
    if (!question_vector_.empty()) {
      query.nearest = question_vector_;
      legs.dense_ok = take(stores_.vectors.query(name, query, request_.who, deadline), legs.dense, fmt::format("{} by meaning", collection));
    }
    query.vector = kLexicalVector;
    query.nearest = query_weights(request_.question);
    legs.lexical_ok = take(stores_.vectors.query(name, query, request_.who, deadline), legs.lexical, fmt::format("{} by words", collection));
    return legs;
  }

  // A collection that does not exist yet holds nothing: that is an answer.
  bool take(Result<std::vector<ScoredPoint>> found, std::vector<ScoredPoint>& leg, const std::string& what) {
    if (found) leg = *std::move(found);
    else if (found.error().code != ErrorCode::kNotFound) miss(what, found.error());
    return found || found.error().code == ErrorCode::kNotFound;
  }

  static Result<Uuid> uuid_field(const Candidate& candidate, const char* name) {
    const auto found = candidate.payload.find(name);
    const auto* text = found == candidate.payload.end() ? nullptr : std::get_if<std::string>(&found->second);
    return text ? Uuid::parse(*text) : fail(ErrorCode::kDataCorrupt, fmt::format("a point without {}", name));
  }

  // The rows of the best candidates decide: a point whose row is gone is no memory any more.
  void add_turns(const Legs& legs, const Deadline& deadline) {
    auto candidates = fuse(legs.dense, legs.lexical);
    std::erase_if(candidates, is_noise);
    rank_turns(candidates, request_.question, now_);
    if (candidates.size() > request_.limit * 2) candidates.resize(request_.limit * 2);
    spread_over_sessions(candidates);
    std::vector<Uuid> uids;
    std::unordered_map<Uuid, double> scores;
    for (const auto& candidate : candidates)
      if (auto uid = uuid_field(candidate, "turn_uid")) {
        uids.push_back(*uid);
        scores[*uid] = candidate.score;
      }
    auto rows = stores_.turns.find_all(uids, request_.who, deadline);
    if (!rows) return miss("turns", rows.error());

    std::erase_if(*rows, [](const Turn& turn) { return turn.rejected; });
    // What was only asked, and answered by quotes, adds no fact of its own: it comes behind everything that does.
    std::ranges::stable_partition(*rows, [](const Turn& turn) { return !only_asked(turn); });
    std::size_t count = 0;
    for (const auto& turn : *rows) {
      if (count == request_.limit) break;
      if (included_.contains(turn.uid.to_string())) continue;
      if (include(item_of(turn, GatheredKind::kTurn, scores[turn.uid]), request_.token_budget)) ++count;
    }
  }

  static bool only_asked(const Turn& turn) {
    return turn.model == kExtractiveModel && (turn.intent == Intent::kQuestion || turn.intent == Intent::kLookup);
  }

  void add_recent_turns(const Deadline& deadline) {
    TurnQuery query{.include_rejected = false, .limit = request_.limit};
    if (request_.scope == Scope::kSession) query.session = request_.session;
    auto found = stores_.turns.list(query, request_.who, deadline);
    if (!found) {
      section().mode = RecallMode::kNone;
      return miss("recent turns", found.error());
    }
    section().mode = RecallMode::kRecent;
    for (const auto& turn : *found) include(item_of(turn, GatheredKind::kTurn, 0), request_.token_budget);
  }

  bool add_memory(const Memory& memory, GatheredKind kind, double score, std::int64_t budget) {
    const ContentType type =
        memory.kind == MemoryKind::kPreference ? ContentType::kPreference : ContentType::kGeneralFact;
    const double confidence = decayed_confidence(memory.confidence, type, now_ - memory.created_at);
    const bool expired = memory.expires_at && *memory.expires_at <= now_;
    if (confidence < kMinConfidence || expired || memory.superseded_by) return false;
    const std::string id = memory.id.to_string();
    return include({kind, "memory " + id, id, memory.session ? memory.session->str() : "", memory.created_at,
                    memory.trust, confidence, score, ellipsize(memory.content, kMaxItemBytes)},
                   budget);
  }

  void add_memories(const Legs& legs, const Deadline& deadline) {
    auto candidates = fuse(legs.dense, legs.lexical);
    std::erase_if(candidates, is_noise);
    rank_knowledge(candidates, now_);
    std::size_t count = 0;
    for (const auto& candidate : candidates) {
      if (count == kMaxMemories) break;
      const auto id = uuid_field(candidate, "memory_id");
      if (!id) continue;
      auto memory = stores_.memories.find(*id, request_.who, deadline);
      if (memory && add_memory(*memory, GatheredKind::kMemory, candidate.score, request_.token_budget)) ++count;
    }
  }

  void add_research(const Legs& legs, const Deadline& deadline) {
    auto candidates = fuse(legs.dense, legs.lexical);
    std::erase_if(candidates, is_noise);
    rank_knowledge(candidates, now_);
    std::size_t count = 0;
    for (const auto& candidate : candidates) {
      if (count == kMaxResearch) break;
      const auto id = uuid_field(candidate, "research_id");
      if (!id) continue;
      auto research = stores_.research.find(*id, request_.who, deadline);
      if (research && add_findings(*research, candidate.score, deadline)) ++count;
    }
  }

  // The findings that still hold, weighed by their sources; none of a blocked one.
  bool add_findings(const Research& research, double score, const Deadline& deadline) {
    if (research.expires_at <= now_) return false;
    std::string text;
    double best = 0;
    for (const auto& finding : research.findings) {
      double confidence = decayed_confidence(finding.confidence, finding.type, now_ - research.created_at);
      bool blocked = false;
      for (const auto& domain : finding.domains) {
        const auto source = stores_.sources.find(domain, now_, deadline);
        if (!source) continue;
        blocked |= source->manual == SourceOverride::kBlock;
        if (source->manual == SourceOverride::kNone)
          confidence = weighed_confidence(confidence, source_score(*source));
      }
      if (blocked || confidence < kMinConfidence) continue;
      best = std::max(best, confidence);
      text += fmt::format("{}- {}", text.empty() ? "" : "\n", ellipsize(finding.claim, kMaxItemBytes));
    }
    if (text.empty()) return false;
    const std::string id = research.id.to_string();
    return include({GatheredKind::kResearch, "research " + id, id, research.session ? research.session->str() : "",
                    research.created_at, Trust::kWeb, best, score,
                    fmt::format("{}:\n{}", research.primary_topic, text)},
                   request_.token_budget);
  }

  Stores stores_;
  Embedder& embedder_;
  const Clock& clock_;
  const RecallRequest& request_;
  const Timestamp now_;
  RecallResult result_;
  std::vector<float> question_vector_;
  std::set<std::string> included_;
};

}  // namespace

RecallResult Recall::run(const RecallRequest& request, const Deadline& deadline) {
  return Gathering(stores_, embedder_, clock_, request).run(deadline);
}

}  // namespace pandora
