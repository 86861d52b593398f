// What was forgotten leaves the records of other turns: quotes, memories, words that a follow-up borrowed.
//
// Who forgets goes through every row, and knows the words. A turn that is still in another gateway's journal has no row
// then, and may quote them. So each gateway asks, of the turns that its own journal holds, once they have their row:
// does one name what has a tombstone? It asks again when their files are written. A tombstone comes before the rows are
// gone through, so one of the two sees it. Nobody knows the words any more; the record says what it quoted: where they
// stand without being quoted (a tool's result of another source that says the same) they stay. Internal to turns.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ports/stores.h"

namespace pandora {

inline constexpr std::string_view kForgottenText = "[forgotten]";
inline constexpr std::size_t kMinQuote = 12;  // bytes; "yes" is no quotation

struct Forgotten {
  Principal readers;  // in whose turns it may be quoted
  std::set<std::string> ids;
  std::vector<std::string> texts;    // whole messages and replies
  std::optional<SessionId> session;  // whose follow-ups may have been made self-contained with its words
  std::set<std::string> terms;       // these words, as the analyser gives them
};
std::set<std::string> terms_of(const std::vector<std::string_view>& texts);

// Takes it out of another turn's record. true: something was taken.
bool redact(TurnRecord& record, const Forgotten& forgotten);
// The receipt of what a turn asked holds the question as it was understood. How many were changed.
Result<std::int64_t> clean_question(ReceiptStore& receipts, const Turn& turn, const Deadline& deadline);

// When something was forgotten last, by the clock of who did it, so that not every turn need be looked into. It is
// noted when the tombstones stand, and again when the rows are gone.
Status note_forgetting(InstanceStore& instance, Timestamp now, const Deadline& deadline);
// None: nothing ever was, as far as is noted.
Result<std::optional<Timestamp>> last_forgetting(InstanceStore& instance, const Deadline& deadline);
// Rows may have been lost, or be older than the note: when there is none, what has a tombstone may have been forgotten
// just now, and that is noted. Once for each process: who forgets notes it.
Status note_tombstones(Stores& stores, Timestamp now, const Deadline& deadline);
// Whether a turn of this time may have been shown what was forgotten then, with clocks that differ by
// kClocksMayDiffer.
inline constexpr Duration kClocksMayDiffer = std::chrono::minutes(10);
bool may_quote_forgotten(const Turn& turn, const std::optional<Timestamp>& last_forgetting);

// Those of the ids that these records name (quotes, memories, research) that have a tombstone.
Result<std::set<std::string>> forgotten_of(const std::vector<const TurnRecord*>& records, DocumentStore& documents,
                                           const Deadline& deadline);
// Takes these out, with the words that the record itself quotes of them. true: something was taken.
bool redact_quotes_of(TurnRecord& record, const std::set<std::string>& forgotten);

}  // namespace pandora
