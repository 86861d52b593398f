// Turns by their words in PostgreSQL: the tsvectors of pandora.turn_words, made of our analyser's terms.
//
// The best are those whose terms of the question weigh most: the sum of their inverse document frequencies among the
// user's turns. How often a term stands in a turn, and its length, are for whoever reads the rows.
#pragma once
#include <functional>
#include <span>

#include "ports/text_search.h"
#include "postgres/postgres_pool.h"

namespace pandora {

// Distinct ones, so that a tsvector (1 MiB at most) holds them: of a longer turn the first.
inline constexpr std::size_t kMaxWordsOfTurn = 8'000;

class PostgresTextSearch final : public TextSearch {
 public:
  explicit PostgresTextSearch(PostgresPool& pool) : pool_(pool) {}
  Result<TextMatches> turns(const TextQuery& query, const Principal& who, const Deadline& deadline) override;

  // Gives words to every turn that has none; how many. Turns that are older than the table, which nobody else reads.
  Result<std::int64_t> fill(const std::function<void(std::int64_t done)>& progress, const Deadline& deadline);

 private:
  PostgresPool& pool_;
};

namespace postgres_rows {

std::string all_terms(std::span<const std::string> terms);  // a tsquery: each of them
// As turn_words.terms holds them.
std::string word_terms(const Turn& turn);
// Of turns whose rows are locked, or may have gone: then nothing is written.
Status put_words(PostgresConnection& connection, std::span<const Turn> turns);

}  // namespace postgres_rows
}  // namespace pandora
