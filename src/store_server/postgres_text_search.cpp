#include "store_server/postgres_text_search.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "domain/analyzer.h"
#include "domain/spoken_words.h"
#include "store_server/postgres_turn_store.h"

namespace pandora {
namespace {

constexpr std::int64_t kFilledAtOnce = 200;

// A term as tsquery reads it literally.
std::string quoted(const std::string& term) {
  std::string text = "'";
  for (const char c : term) text += c == '\'' || c == '\\' ? std::string(2, c) : std::string(1, c);
  return text + "'";
}

}  // namespace

std::string postgres_rows::all_terms(std::span<const std::string> terms) {
  std::string all;
  for (const auto& term : terms) all += (all.empty() ? "" : " & ") + quoted(term);
  return all;
}

std::string postgres_rows::word_terms(const Turn& turn) {
  std::string terms;
  std::unordered_set<std::string> seen;
  for (const Term& term : analyze(spoken_words(turn))) {
    if (seen.size() == kMaxWordsOfTurn) break;
    if (seen.insert(term.text).second) terms += (terms.empty() ? "" : " ") + term.text;
  }
  return terms;
}

Status postgres_rows::put_words(PostgresConnection& connection, std::span<const Turn> turns) {
  std::vector<Uuid> uids;
  std::vector<std::string> terms;
  for (const auto& turn : turns) {
    uids.push_back(turn.uid);
    terms.push_back(word_terms(turn));
  }
  return connection
      .query(
          "WITH there AS (SELECT turn_uid FROM pandora.turns WHERE turn_uid = ANY($1::uuid[]) FOR KEY SHARE)"
          " INSERT INTO pandora.turn_words (turn_uid, terms) SELECT given.uid, given.terms"
          " FROM unnest($1::uuid[], $2::text[]) AS given (uid, terms) JOIN there ON there.turn_uid = given.uid"
          " ON CONFLICT (turn_uid) DO UPDATE SET terms = excluded.terms WHERE turn_words.terms <> excluded.terms",
          uids, terms)
      .map([](auto&&) {});
}

Result<TextMatches> PostgresTextSearch::turns(const TextQuery& query, const Principal& who, const Deadline& deadline) {
  TextMatches matches;
  std::vector<std::string> terms(query.terms.begin(), query.terms.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                                query.terms.size(), kMaxTextTerms)));
  std::string any;
  for (auto& term : terms) {
    term = quoted(term);
    any += (any.empty() ? "" : " | ") + term;
  }
  return pool_.read(
      [&](PostgresConnection& connection) -> Result<TextMatches> {
        PANDORA_TRY(all, connection.query("SELECT count(*) FROM pandora.turns WHERE user_id = $1", who.user.str()));
        matches.turns_in_all = all.integer(0, 0);
        matches.with_term.assign(query.terms.size(), 0);
        if (terms.empty()) return matches;
        PANDORA_TRY(
            counts,
            connection.query("SELECT (SELECT count(*) FROM pandora.turn_words w JOIN pandora.turns t USING (turn_uid)"
                             "  WHERE w.search @@ asked.term::tsquery AND t.user_id = $2)"
                             " FROM unnest($1::text[]) WITH ORDINALITY AS asked (term, place) ORDER BY place",
                             terms, who.user.str()));
        std::vector<double> weights;
        for (int i = 0; i < counts.size(); ++i) {
          matches.with_term[static_cast<std::size_t>(i)] = counts.integer(i, 0);
          const double with = static_cast<double>(counts.integer(i, 0));
          weights.push_back(std::log1p((static_cast<double>(matches.turns_in_all) - with + 0.5) / (with + 0.5)));
        }
        PANDORA_TRY(
            found,
            connection.query(
                "SELECT t.turn_uid FROM pandora.turn_words w JOIN pandora.turns t USING (turn_uid)"
                " WHERE w.search @@ $1::tsquery AND t.user_id = $2 AND NOT t.rejected"
                " AND ($3::text IS NULL OR t.session_id = $3)"
                " AND ($4::timestamptz IS NULL OR t.timestamp >= $4) AND ($5::timestamptz IS NULL OR t.timestamp < $5)"
                " ORDER BY (SELECT sum(asked.weight) FROM unnest($6::text[], $7::float8[]) AS asked (term, weight)"
                "  WHERE w.search @@ asked.term::tsquery) DESC, t.turn_number DESC LIMIT $8::bigint",
                any, who.user.str(), query.session ? std::optional(query.session->str()) : std::nullopt, query.from,
                query.to, terms, weights, std::min(query.limit, kMaxTextMatches)));
        for (int i = 0; i < found.size(); ++i) {
          PANDORA_TRY(uid, found.uuid(i, 0));
          matches.turns.push_back(uid);
        }
        return matches;
      },
      deadline);
}

Result<std::int64_t> PostgresTextSearch::fill(const std::function<void(std::int64_t done)>& progress,
                                              const Deadline& deadline) {
  std::int64_t done = 0;
  for (TurnNumber after;;) {
    PANDORA_TRY(rows, pool_.query("SELECT turn_number, document, turn_uid FROM pandora.turns t WHERE turn_number > $1"
                                  " AND NOT EXISTS (SELECT 1 FROM pandora.turn_words w WHERE w.turn_uid = t.turn_uid)"
                                  " ORDER BY turn_number LIMIT $2::bigint",
                                  deadline, after.value, kFilledAtOnce));
    if (rows.empty()) return done;
    PANDORA_TRY(turns, postgres_rows::read_turns(rows));
    PANDORA_CHECK(pool_.write(
        [&](PostgresConnection& connection) { return postgres_rows::put_words(connection, turns); }, deadline));
    done += static_cast<std::int64_t>(turns.size());
    after = turns.back().number;
    progress(done);
  }
}

}  // namespace pandora
