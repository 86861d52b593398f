#include "recall/text_fallback.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "domain/analyzer.h"
#include "domain/sparse_weights.h"
#include "domain/spoken_words.h"

namespace pandora {
namespace {

constexpr std::size_t kMatchesRead = 120;  // turns whose surroundings are read: two questions of the rows each
constexpr int kReach = 2 * kWindow;        // a neighbour's window reaches as far again

// A session's turns around a match, in their order, with their own vectors.
struct Stretch {
  std::vector<Turn> turns;
  std::unordered_map<Uuid, std::vector<float>> vectors;
  std::size_t match = 0;
};

Result<Stretch> read_stretch(TurnStore& turns, const Uuid& uid, const EmbedderIdentity& embedder, bool vectors,
                             const Principal& who, const Deadline& deadline) {
  Stretch stretch;
  PANDORA_TRY(around, turns.neighbours(uid, kReach, who, deadline));
  for (auto& [distance, turn] : around) stretch.turns.push_back(std::move(turn));
  std::ranges::sort(stretch.turns, {}, &Turn::number);
  const auto match = std::ranges::find(stretch.turns, uid, &Turn::uid);
  stretch.match = static_cast<std::size_t>(match - stretch.turns.begin());
  if (!vectors) return stretch;
  PANDORA_TRY(own, turns.vectors_around(uid, kReach, embedder, deadline));
  for (auto& vector : own) stretch.vectors.emplace(vector.uid, std::move(vector.vector));
  return stretch;
}

class Scorer {
 public:
  Scorer(const std::map<std::uint32_t, float>& weights, const std::vector<float>& question)
      : weights_(weights), question_(question) {}

  // Of the turn at `at`, as its point would be.
  RecallCandidate candidate(const Stretch& stretch, std::size_t at) const {
    const Turn& turn = stretch.turns[at];
    RecallCandidate one;
    one.uid = turn.uid;
    one.session = turn.session.str();
    one.speaker = ellipsize(turn.message.speaker(), kMaxReceiptSpeakerBytes);
    one.at = turn.created_at;
    one.quality = turn.quality;
    one.asks = only_asks(turn);
    if (at > 0) one.follows = stretch.turns[at - 1].uid;
    std::vector<std::string> words;
    std::vector<int> distances;
    std::vector<WindowVector> vectors;
    const std::size_t first = at < kWindow ? 0 : at - kWindow;
    for (std::size_t i = first; i < std::min(at + kWindow + 1, stretch.turns.size()); ++i) {
      const Turn& other = stretch.turns[i];
      if (i != at && other.rejected) continue;
      const int distance = static_cast<int>(i > at ? i - at : at - i);
      words.push_back(spoken_words(other));
      distances.push_back(distance);
      const auto own = stretch.vectors.find(other.uid);
      if (own != stretch.vectors.end()) vectors.push_back({distance, own->second});
    }
    std::vector<WindowText> texts;
    for (std::size_t i = 0; i < words.size(); ++i) texts.push_back({distances[i], words[i]});
    const SparseVector document = document_weights(texts);
    float lexical = 0;
    for (std::size_t i = 0; i < document.indices.size(); ++i)
      if (const auto weight = weights_.find(document.indices[i]); weight != weights_.end())
        lexical += weight->second * document.values[i];
    if (lexical > 0) one.lexical = lexical;
    if (stretch.vectors.contains(turn.uid)) {
      const std::vector<float> meaning = windowed_vector(vectors);
      float cosine = 0;
      for (std::size_t i = 0; i < std::min(meaning.size(), question_.size()); ++i) cosine += meaning[i] * question_[i];
      one.dense = cosine;
    }
    return one;
  }

 private:
  const std::map<std::uint32_t, float>& weights_;
  const std::vector<float>& question_;
};

}  // namespace

Result<RowsAnswer> turns_of_rows(TextSearch& texts, TurnStore& turns, const EmbedderIdentity& embedder,
                                 const RowsQuestion& question, const Principal& who, const Deadline& deadline) {
  TextQuery query;
  query.session = question.session;
  query.limit = kMatchesRead;
  if (question.within) query.from = question.within->from, query.to = question.within->to;
  for (const Term& term : analyze(question.text))
    if (query.terms.size() < kMaxTextTerms && std::ranges::find(query.terms, term.text) == query.terms.end())
      query.terms.push_back(term.text);
  PANDORA_TRY(matches, texts.turns(query, who, deadline));

  // As a store weighs the terms of its points, over the user's turns.
  std::map<std::uint32_t, float> weights;
  for (std::size_t i = 0; i < matches.with_term.size(); ++i) {
    const auto with = static_cast<double>(matches.with_term[i]);
    weights[term_id(query.terms[i])] =
        static_cast<float>(std::log1p((static_cast<double>(matches.turns_in_all) - with + 0.5) / (with + 0.5)));
  }
  const Scorer scorer(weights, question.vector);
  RowsAnswer answer;
  std::vector<RecallCandidate>& candidates = answer.turns;
  std::unordered_set<Uuid> seen;
  for (std::size_t read = 0; read < matches.turns.size(); ++read) {
    auto stretch = read_stretch(turns, matches.turns[read], embedder, !question.vector.empty(), who, deadline);
    if (!stretch && stretch.error().code == ErrorCode::kNotFound) continue;  // forgotten meanwhile
    if (!stretch && stretch.error().code == ErrorCode::kDeadlineExceeded && !candidates.empty()) {
      answer.unread = matches.turns.size() - read;
      break;
    }
    if (!stretch) return fail(stretch.error());
    const std::size_t first = stretch->match < kWindow ? 0 : stretch->match - kWindow;
    for (std::size_t i = first; i < std::min(stretch->match + kWindow + 1, stretch->turns.size()); ++i) {
      const Turn& turn = stretch->turns[i];
      if (turn.rejected || (question.within && !question.within->holds(turn.created_at))) continue;
      if (seen.insert(turn.uid).second) candidates.push_back(scorer.candidate(*stretch, i));
    }
  }
  std::ranges::stable_sort(candidates, std::greater(),
                           [](const RecallCandidate& one) { return one.lexical.value_or(0); });
  if (candidates.size() > question.most) candidates.resize(question.most);
  return answer;
}

}  // namespace pandora
