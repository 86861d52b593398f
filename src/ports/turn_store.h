// Rows of turns: the index of what was said.
//
// Thread-safe, synchronous. A call that returned success is durable (SQLite WAL with FULL, PostgreSQL commit); one that
// returned an error changed nothing, but after kUnavailable that is not known: every call may be made again.
//
// Every call carries who asks. With Access::kOwn another user's turn does not exist: kNotFound, or left out of a list,
// for reading and for writing alike; a record of another user to commit is kPermissionDenied. Access::kSystem sees and
// changes every user's. A session belongs to its user: the same name of another user is another session. Order inside a
// session is the order of turn numbers.
//
// Errors besides: kInvalidArgument and kTooLarge (what no row may hold: row_checks.h), kDeadlineExceeded (the deadline
// had passed before the call's turn came; nothing was done), kUnavailable, kStorageFull, kDataCorrupt, kIncompatible.
// Text is UTF-8; of a broken sequence a store may keep U+FFFD.
// Limits and radii above their maximum are read as the maximum; a limit of 0 gives nothing.
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
  std::optional<SessionId> session;  // none: all of the user's; with Access::kSystem the name counts, whosever it is
  std::optional<TurnNumber> before;  // only smaller numbers: the next page
  std::optional<Timestamp> since, until;  // created_at in [since, until)
  std::vector<std::string> topic_terms;   // each is a term of the topic (domain/analyzer.h)
  std::vector<std::string> keywords;      // each is one of its keywords
  bool include_rejected = true;
  bool include_archived = true;
  std::size_t limit = 50;  // at most kMaxPage
};
inline constexpr std::size_t kMaxPage = 1000;
inline constexpr int kMaxRadius = 100;  // turns either side; one below 0 is read as 0

struct SessionSummary {
  SessionId session;
  UserId user;
  std::int64_t turns = 0;
  Timestamp first_at, last_at;  // the earliest created_at; that of the turn with the highest number
  std::string last_topic;       // of the turn with the highest number
};

struct TurnChange {  // what is set is changed
  std::optional<bool> rejected;
  std::optional<double> quality;
  std::optional<bool> archived;
};

// What `remove` took away, so that files, points and caches can follow; and what forgetting reports.
struct RemovedTurn {
  Turn turn;
  std::vector<Uuid> memories;  // whose source_turn it is, ascending
  std::vector<Uuid> research;  // the same
  std::int64_t observations = 0;
  std::vector<Uuid> neighbours;  // turns whose windows held its words, in the order of TurnStore::neighbours
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

  // The next number, never given twice, also not after a crash; unused ones leave gaps. Above every number that was
  // given out, committed or reserved through. kResourceExhausted past kMaxTurnNumber.
  virtual Result<TurnNumber> reserve_number(const Principal& who, const Deadline& deadline) = 0;

  // Numbers up to this one are taken and never given out: what an installation whose rows are gone learns from its
  // files. One that is lower than what is taken already changes nothing. kInvalidArgument outside 0..kMaxTurnNumber.
  virtual Status reserve_through(TurnNumber number, const Principal& who, const Deadline& deadline) = 0;

  // One transaction: the turn's row, its memories, research, fetch attempts (and so the sources' counts), observations,
  // and outbox entries for its directory, its point (and with it its neighbours': ports/outbox.h), and the files and
  // points of its memories, research and sources. Memories and research replace those of the same id, as their stores'
  // put does. Idempotent by uid: a second call changes nothing but the outbox (its entries are there again) and returns
  // the number given first, whatever the record says by then.
  //
  // A number of 0 is reserved here; one that is given is kept (kConflict when another uid has it) and the next
  // reservation is above it. A row that reconcile brings back has its number.
  //
  // kPermissionDenied: the turn, a memory or a piece of research is another user's, or its id is already.
  virtual Result<TurnNumber> commit_turn(const TurnRecord& record, const Principal& who, const Deadline& deadline) = 0;

  virtual Result<Turn> find(TurnNumber number, const Principal& who, const Deadline& deadline) = 0;
  // In the order of `uids`, any number of them; what does not exist is left out, what is asked for twice comes twice.
  virtual Result<std::vector<Turn>> find_all(std::span<const Uuid> uids, const Principal& who,
                                             const Deadline& deadline) = 0;
  // Newest first (descending numbers).
  virtual Result<std::vector<Turn>> list(const TurnQuery& query, const Principal& who, const Deadline& deadline) = 0;
  // Ascending numbers above `after`, at most `limit` and kMaxPage; empty: the end. For walks over everything.
  virtual Result<std::vector<Turn>> scan(TurnNumber after, std::size_t limit, const Principal& who,
                                         const Deadline& deadline) = 0;
  // The turn itself (distance 0) and up to `radius` turns either side in its session, rejected and archived ones too;
  // nearer first, older before newer. The distance counts turns, not numbers, and has no sign.
  virtual Result<std::vector<std::pair<int, Turn>>> neighbours(const Uuid& uid, int radius, const Principal& who,
                                                               const Deadline& deadline) = 0;
  // Has who.user a turn with this content in this session (exact duplicates of an import)? The lowest number of
  // several. Only his own count, also with Access::kSystem.
  virtual Result<std::optional<TurnNumber>> find_content(const std::string& content_sha256, const SessionId& session,
                                                         const Principal& who, const Deadline& deadline) = 0;
  // All of them, the one with the highest turn number first.
  virtual Result<std::vector<SessionSummary>> sessions(const Principal& who, const Deadline& deadline) = 0;
  virtual Result<std::int64_t> count(const Principal& who, const Deadline& deadline) = 0;
  // How many of who.user's turns have each term among their keywords, in order: for tf·idf. Only his own count, also
  // with Access::kSystem; a term twice in one turn counts once.
  virtual Result<std::vector<std::int64_t>> keyword_counts(std::span<const std::string> terms, const Principal& who,
                                                           const Deadline& deadline) = 0;

  // The row and outbox entries for its directory and point, in one transaction. Gives the turn as it is now.
  virtual Result<Turn> change(TurnNumber number, const TurnChange& change, const Principal& who,
                              const Deadline& deadline) = 0;
  // Replaces what the row says of turn.uid (number, session and user must be the same: kConflict), with outbox entries
  // for its directory and point: a redaction, or a row made equal to its file. Its own vectors go: they were of other
  // words. kNotFound when there is no row of that uid. With `was`: only while the row says that; kConflict when
  // somebody has changed it since.
  virtual Status rewrite(const Turn& turn, const Principal& who, const Deadline& deadline,
                         const Turn* was = nullptr) = 0;
  // Removes the row and all that hangs on it (memories, research, observations, keywords, vectors), overwriting the
  // bytes it took; the outbox gets entries for its directory and point, the points of up to kWindow turns either side
  // in its session, which nothing names any more, and the files and points of its memories and research. What those
  // superseded stays superseded. Its number is not given out again.
  virtual Result<RemovedTurn> remove(TurnNumber number, const Principal& who, const Deadline& deadline) = 0;

  // Own vectors, by embedder: kept beside the rows, removed with them. put replaces; kNotFound without the turn,
  // kInvalidArgument when the vector is not of the embedder's dimension. With `of`: only while the row has the words of
  // that turn; kConflict when they have been changed since, or a vector of words that are gone would stay.
  virtual Status put_vector(const Uuid& uid, const EmbedderIdentity& embedder, std::span<const float> vector,
                            const Deadline& deadline, const Turn* of = nullptr) = 0;
  // Of the turn and its neighbours, in the order of `neighbours`; those that have none of this embedder are left out.
  // kNotFound without the turn.
  virtual Result<std::vector<TurnVector>> vectors_around(const Uuid& uid, int radius, const EmbedderIdentity& embedder,
                                                         const Deadline& deadline) = 0;
  // Of the next `limit` turns that have own vectors, by uid above `after` (none: from the start), those that are not of
  // `kept` go, in one transaction. Gives the last turn looked at; none: the end. At most kMaxPage turns; every user's.
  virtual Result<std::optional<Uuid>> drop_other_vectors(const EmbedderIdentity& kept, const std::optional<Uuid>& after,
                                                         std::size_t limit, const Deadline& deadline) = 0;
};

}  // namespace pandora
