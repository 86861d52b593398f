// One connection to a PostgreSQL. Not thread-safe: one thread at a time; a pool lends them (postgres_pool.h).
//
// Deadlines count twice: the server cancels what takes longer (`statement_timeout`), and a server that says nothing is
// left kGrace later: the connection is closed then, as its answer could come at any time. A call whose deadline has
// passed already does nothing.
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "postgres/postgres_options.h"
#include "postgres/postgres_pulse.h"
#include "postgres/postgres_values.h"

struct pg_conn;

namespace pandora {

inline constexpr int kOldestPostgres = 15;
// The longest that a statement may take whose deadline is later or never; a script has no limit.
inline constexpr Duration kLongestStatement = std::chrono::seconds(60);
inline constexpr Duration kGrace = std::chrono::milliseconds(300);
inline constexpr Duration kRollbackPatience = std::chrono::seconds(2);  // then the connection is closed instead
inline constexpr std::size_t kMaxPreparedStatements = 256;  // of a connection; beyond, a statement is parsed each time

struct PostgresStatement {
  std::string_view sql;  // a literal: it is prepared once a connection
  std::vector<PostgresValue> values;
};

class PostgresConnection {
 public:
  // kUnauthenticated, kNotFound (the database), kResourceExhausted (too many connections), kUnavailable,
  // kDeadlineExceeded, kIncompatible (older than kOldestPostgres, or not UTF-8): each with its remedy.
  // With a pulse, which outlives it, a call ends also when the server is found to be away.
  static Result<std::unique_ptr<PostgresConnection>> open(const PostgresOptions& options, const Deadline& deadline,
                                                          PostgresPulse* pulse = nullptr);
  // Does it say anything, be it that it is full, or no? The error: nothing for `patience`, and what that was lost with.
  static Status knock(const PostgresOptions& options, Duration patience);
  ~PostgresConnection();
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  void set_deadline(const Deadline& deadline) { deadline_ = deadline; }

  // All in one round trip. The first error is given, and nothing after it was done; outside of `begin` and `commit`
  // they are one transaction, which then is undone.
  Result<std::vector<PostgresRows>> run(std::span<const PostgresStatement> statements);
  template <class... Values>
  Result<PostgresRows> query(std::string_view sql, const Values&... values) {
    const PostgresStatement one{sql, {PostgresValue(values)...}};
    PANDORA_TRY(rows, run({&one, 1}));
    return rows.front();
  }
  // A transaction. BEGIN goes with the first statements, COMMIT with the last ones that `commit` is given.
  void begin(std::string_view how = "BEGIN");
  Result<std::vector<PostgresRows>> commit(std::span<const PostgresStatement> last = {});
  // Never fails: a connection that cannot, within kRollbackPatience, is not usable any more. Whatever the deadline.
  void rollback();

  // Several statements as one text, nothing bound, without a limit of time, neither the server's nor ours but for the
  // deadline: an index of millions of rows takes what it takes. Outside of a transaction one transaction, unless they
  // begin one, which has no limit until a script ends it. An error names the line.
  Status script(std::string_view sql);

  // Closed or half used up by an error: not to be used again.
  bool usable() const;
  // The server has closed it while nobody looked (a restart).
  bool has_ended();
  bool must_roll_back() const { return begun_; }
  const std::string& failed_with() const { return state_; }  // SQLSTATE of the last error; empty: none had one
  // Something between us and the server gives each transaction to another session: no prepared statements, no locks and
  // settings that outlive a transaction.
  bool is_pooled() const { return pooled_; }
  bool is_read_only() const { return read_only_; }
  int server_version() const { return version_; }  // 150018
  const std::string& place() const { return place_; }

 private:
  PostgresConnection(pg_conn* handle, std::string place, std::string home, PostgresPulse* pulse);
  static Result<std::unique_ptr<PostgresConnection>> start(const PostgresOptions& options, const Deadline& deadline,
                                                           PostgresPulse* pulse, Duration& waited);
  Status connect(Duration patience, Duration waited);
  Status left(ErrorCode code);
  Status greet();
  Status wait(bool to_write);
  Status flush();
  Result<pg_result*> next_result();
  enum class Answer { kRows, kHidden, kPrepared };  // hidden: of what was added here
  struct Sent {
    Answer answer;
    std::string sql;  // of kPrepared
  };
  Status send(const PostgresStatement& statement, bool hidden, std::vector<Sent>& order);
  Result<std::vector<PostgresRows>> exchange(std::span<const PostgresStatement> statements, bool commits);
  Result<std::vector<PostgresRows>> receive(const std::vector<Sent>& order);
  Status text(std::string_view sql);
  bool is_idle() const;  // in no transaction
  Status lost();
  Error error_of(const pg_result* result);

  pg_conn* handle_;
  const std::string place_, home_;
  PostgresPulse* const pulse_;  // null: nobody else looks whether the server lives
  Deadline deadline_ = Deadline::never();
  std::map<std::string, std::string, std::less<>> prepared_;  // by text: name
  std::string begin_;                                         // waits for the first statement
  std::string state_;
  bool begun_ = false, broken_ = false, silent_ = false, pooled_ = false, read_only_ = false, unlimited_ = false,
       greeted_ = false;
  int version_ = 0, named_ = 0;
  int late_waits_ = 0;     // in a row, past the deadline
  int slices_of_silence_;  // after which it is left, whatever the deadline
};

}  // namespace pandora
