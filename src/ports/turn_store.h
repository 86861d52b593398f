// Rows of turns: the index of what was said.
//
// Thread-safe, synchronous; a call that returned success is durable (SQLite WAL with FULL, PostgreSQL commit). Every
// call carries who asks: with Access::kOwn another user's turn does not exist (kNotFound, or left out of a list);
// writes of another user's turn are kPermissionDenied. Errors besides: kDeadlineExceeded, kUnavailable, kStorageFull,
// kDataCorrupt, kIncompatible. Order inside a session is the order of turn numbers.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domain/principal.h"
#include "domain/turn_record.h"
#include "ports/embedder.h"

namespace pandora {

struct TurnQuery {
  std::optional<SessionId> session;       // none: all of the user's
  std::optional<TurnNumber> before;       // only smaller numbers: the next page
  std::optional<Timestamp> since, until;  // created_at in [since, until)
  bool include_rejected = true;
  bool include_archived = true;
  std::size_t limit = 50;  // at most kMaxPage
};
inline constexpr std::size_t kMaxPage = 1000;

struct SessionSummary {
  SessionId session;
  UserId user;
  std::int64_t turns = 0;
  Timestamp first_at, last_at;
  std::string last_topic;
};

struct TurnChange {  // what is set is changed
  std::optional<bool> rejected;
  std::optional<double> quality;
  std::optional<bool> archived;
};

// What `remove` took away, so that files, points and caches can follow; and what forgetting reports.
struct RemovedTurn {
  Turn turn;
  std::vector<Uuid> memories;  // that came from it
  std::vector<Uuid> research;
  std::int64_t observations = 0;
  std::vector<Uuid> neighbours;  // turns whose windows held its words; their points are in the outbox now
};

// A turn's own vector, before windowing, so that a neighbour can be updated without encoding again.
struct TurnVector {
  Uuid uid;
  int distance = 0;  // from the turn that was asked for, in turns of its session
  std::vector<float> vector;
};

class TurnStore {
 public:
  virtual ~TurnStore() = default;

  // The next number, never given twice, also not after a crash; unused ones leave gaps.
  virtual Result<TurnNumber> reserve_number(const Principal& who, const Deadline& deadline) = 0;

  // Numbers up to this one are taken and never given out: what an installation whose rows are gone learns from its
  // files.
  virtual Status reserve_through(TurnNumber number, const Principal& who, const Deadline& deadline) = 0;

  // One transaction: the turn's row, its memories, research, fetch attempts (and so the sources' counts), observations,
  // and outbox entries for its directory, its point, the points of up to kWindow turns either side in its session, and
  // the files and points of its memories, research and sources. Idempotent by uid: a second call changes nothing but
  // the outbox (its entries are there again) and returns the number given first. A number of 0 is reserved here; one
  // that is given is kept (kConflict when another uid has it). A row that reconcile brings back has its number.
  virtual Result<TurnNumber> commit_turn(const TurnRecord& record, const Principal& who, const Deadline& deadline) = 0;

  virtual Result<Turn> find(TurnNumber number, const Principal& who, const Deadline& deadline) = 0;
  // In the order of `uids`; what does not exist is left out.
  virtual Result<std::vector<Turn>> find_all(std::span<const Uuid> uids, const Principal& who,
                                             const Deadline& deadline) = 0;
  // Newest first (descending numbers).
  virtual Result<std::vector<Turn>> list(const TurnQuery& query, const Principal& who, const Deadline& deadline) = 0;
  // Ascending numbers above `after`, at most `limit`; empty: the end. For walks over everything.
  virtual Result<std::vector<Turn>> scan(TurnNumber after, std::size_t limit, const Principal& who,
                                         const Deadline& deadline) = 0;
  // The turn itself (distance 0) and up to `radius` turns either side in its session; nearer first, older before newer.
  virtual Result<std::vector<std::pair<int, Turn>>> neighbours(const Uuid& uid, int radius, const Principal& who,
                                                               const Deadline& deadline) = 0;
  // Is a turn with this content already there (exact duplicates of an import)?
  virtual Result<std::optional<TurnNumber>> find_content(const std::string& content_sha256, const SessionId& session,
                                                         const Principal& who, const Deadline& deadline) = 0;
  // Newest activity first.
  virtual Result<std::vector<SessionSummary>> sessions(const Principal& who, const Deadline& deadline) = 0;
  virtual Result<std::int64_t> count(const Principal& who, const Deadline& deadline) = 0;
  // How many of the user's turns have each term among their keywords, in order: for tf·idf.
  virtual Result<std::vector<std::int64_t>> keyword_counts(std::span<const std::string> terms, const Principal& who,
                                                           const Deadline& deadline) = 0;

  // The row and outbox entries for its directory and point, in one transaction.
  virtual Result<Turn> change(TurnNumber number, const TurnChange& change, const Principal& who,
                              const Deadline& deadline) = 0;
  // Replaces what the row says of turn.uid (number, session and user must be the same: kConflict), with outbox entries
  // for its directory and point: a redaction, or a row made equal to its file. kNotFound when there is none.
  virtual Status rewrite(const Turn& turn, const Principal& who, const Deadline& deadline) = 0;
  // Removes the row and all that hangs on it, overwriting the bytes it took; neighbours' points go to the outbox.
  virtual Result<RemovedTurn> remove(TurnNumber number, const Principal& who, const Deadline& deadline) = 0;

  // Own vectors, by embedder: kept beside the rows, removed with them. put replaces.
  virtual Status put_vector(const Uuid& uid, const EmbedderIdentity& embedder, std::span<const float> vector,
                            const Deadline& deadline) = 0;
  virtual Result<std::vector<TurnVector>> vectors_around(const Uuid& uid, int radius, const EmbedderIdentity& embedder,
                                                         const Deadline& deadline) = 0;
};

}  // namespace pandora
