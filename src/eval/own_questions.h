// Questions that are made from what a user said, without a language model: is each turn findable by its own words?
//
// They say nothing of how people ask (`eval locomo` does), but they can be asked of anybody's memory, and what they
// miss is lost in it: a turn without its points, a filter that hides it, a crowd of turns that say the same. Three of
// each turn:
//
//   words    its most telling words, the rarest in all that the user said
//   gap      its longest sentence without the rarest word of it
//   speaker  "What did Ana say about … and …?", its rarest word left out; of turns whose speaker has a name
//
// Asked about are turns that can be told from others: of kLeastTerms different words or more, no other turn with the
// very same terms, neither rejected nor only a question (recall puts those back on purpose).
#pragma once
#include <cstdint>

#include "eval/evaluation.h"

namespace pandora {

inline constexpr std::size_t kLeastTerms = 3;         // different ones, stop words not counted
inline constexpr std::size_t kTellingWords = 4;       // in a question of words
inline constexpr std::size_t kMaxOwnTurns = 200'000;  // read, the newest
inline constexpr std::size_t kMaxAskedTurns = 5'000;

// The user's turns as a conversation without questions: the ids are their uids, in order of their numbers. Changes
// nothing.
Result<EvalConversation> read_own_turns(Service& service, const UserId& user, CallObserver& observer,
                                        std::size_t most = kMaxOwnTurns);

// Asks about `turns` of them, drawn by `seed`, or about all that can be told from others when they are fewer; in their
// order. The same turns and seed give the same questions. Returns how many turns are asked about.
std::size_t make_own_questions(EvalConversation& conversation, std::size_t turns, std::uint64_t seed);

}  // namespace pandora
