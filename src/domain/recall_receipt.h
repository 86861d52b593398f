// The receipt of a recall: everything that its ranking read and what came of it, so that it can be ranked again.
//
// It holds the question, ids and numbers, and no text of what was found. The first part of each value is evidence (what
// the search brought, what the rows said), the second is outcome; recall/rank_receipt.h makes the second of the first.
// Receipts are derived: losing them loses no memory, so they are in no file and in no export (docs/formats.md).
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/context_document.h"
#include "domain/principal.h"

namespace pandora {

// What was looked at of a row before it could be injected.
// kHeld: what asks holds it itself, so that it need not be recalled.
enum class RowState { kHolds, kGone, kRejected, kSuperseded, kExpired, kBlocked, kHeld };
struct RowFacts {
  RowState state = RowState::kHolds;
  bool only_asked = false;             // of a turn: nobody but our own quotes answered it
  double confidence = 1;               // after decay and sources, when it was asked
  std::optional<std::int64_t> tokens;  // of its text as it would be injected; none: ranking did not come so far
  bool operator==(const RowFacts&) const = default;
};

// Why a candidate was injected, or was not.
enum class RecallFate {
  kInjected,
  kAlreadyThere,  // it is included anyway, or stands in what asks
  kNoise,         // neither leg finds it near
  kUnread,        // its row could not be read
  kGone,          // it has no row any more
  kRejected,
  kSuperseded,
  kExpired,
  kDecayed,     // its confidence is below kMinConfidence
  kBlocked,     // its source is
  kOverBudget,  // its text did not fit into what was left of the tokens
  kOverLimit,   // enough of its kind ranked before it
};
std::string_view to_string(RowState state);
std::string_view to_string(RecallFate fate);

struct RecallCandidate {                // a row that one leg of the search brought, or both
  Uuid uid;                             // of the row: turn, memory or research
  std::optional<float> dense, lexical;  // as the store scored it; none: that leg did not bring it
  std::string session, speaker;         // of a turn; empty: none
  std::optional<Timestamp> at;          // when it was said or kept
  double quality = 0.5;                 // of a turn, or research; of a memory its trust: 0 (the web) to 1 (the user)
  bool asks = false;
  std::optional<Uuid> follows;  // the turn before it in its session, where that is a candidate too
  std::optional<RowFacts> row;  // none: ranking did not come so far, or it could not be read

  double score = 0;  // 0 for noise
  RecallFate fate = RecallFate::kNoise;
  std::int64_t place = 0;  // in §2, from 1; 0: not injected
  bool operator==(const RecallCandidate&) const = default;
};

struct RecallGiven {  // what no search brought: preferences, the previous turn, turns that are named; or recent ones
  GatheredKind kind = GatheredKind::kTurn;
  Uuid uid;
  RowFacts row;

  RecallFate fate = RecallFate::kOverLimit;
  std::int64_t place = 0;
  bool operator==(const RecallGiven&) const = default;
};

struct RecallTimings {  // microseconds a stage
  std::int64_t embed = 0, search = 0, rank = 0, total = 0;
  bool operator==(const RecallTimings&) const = default;
};

// Longer ones are cut before they are ranked by: a receipt is no place for a book.
inline constexpr std::size_t kMaxReceiptQuestionBytes = 4'000;
inline constexpr std::size_t kMaxReceiptSpeakerBytes = 256;

struct RecallReceipt {
  Uuid id;                   // UUIDv7
  std::optional<Uuid> turn;  // that asked; none: `pandora recall`, a search
  UserId user;
  SessionId session;
  std::string question;
  bool question_cut = false;
  Timestamp at;                   // what "now" was
  std::optional<TimeRange> time;  // that the question names ("last Tuesday"); none: no time

  Scope scope = Scope::kUser;
  std::int64_t token_budget = 0, limit = 0, candidates = 0;
  std::string embedder;  // "model@revision"
  int analyzer = 0, formula = 0;

  RecallMode mode = RecallMode::kNone;
  std::vector<std::string> missing;
  std::vector<RecallGiven> given;                          // in the order in which they are included
  std::vector<RecallCandidate> turns, memories, research;  // best first; noise, by uid, last
  RecallTimings micros;
  std::int64_t forgotten = 0;  // candidates that were forgotten since: without them it cannot be ranked again

  std::int64_t tokens = 0;  // of all that was injected
  bool operator==(const RecallReceipt&) const = default;
};

bool names(const RecallReceipt& receipt, const Uuid& uid);
// Takes out all that the receipt says of these rows; how many it named.
std::int64_t forget(RecallReceipt& receipt, std::span<const Uuid> uids);

}  // namespace pandora
