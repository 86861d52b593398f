// Turns found by their words in the rows themselves: for when the points cannot be asked. Thread-safe; errors and
// visibility as in turn_store.h.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "domain/principal.h"
#include "domain/turn.h"

namespace pandora {

inline constexpr std::size_t kMaxTextTerms = 64;     // of a question; more are not looked at
inline constexpr std::size_t kMaxTextMatches = 200;  // turns

struct TextQuery {
  std::vector<std::string> terms;     // of the analyser, each once
  std::optional<SessionId> session;   // of this one only
  std::optional<Timestamp> from, to;  // created_at in [from, to)
  std::size_t limit = kMaxTextMatches;
};
struct TextMatches {
  std::vector<Uuid> turns;              // the best first: those whose terms of the question are the rarest together
  std::vector<std::int64_t> with_term;  // of who.user's turns, for each term in its order: how many have it
  std::int64_t turns_in_all = 0;        // of who.user
};

class TextSearch {
 public:
  virtual ~TextSearch() = default;
  // Not the rejected ones. Of Access::kOwn.
  virtual Result<TextMatches> turns(const TextQuery& query, const Principal& who, const Deadline& deadline) = 0;
};

}  // namespace pandora
