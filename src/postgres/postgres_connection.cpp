#include "postgres/postgres_connection.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include "base/log.h"
#include "net/name_lookup.h"
#include "postgres/postgres_addresses.h"
#include "postgres/postgres_error.h"

namespace pandora {
namespace {

constexpr Duration kSlice = std::chrono::milliseconds(100);  // a deadline's clock may be one that is ticked by hand
constexpr int kSlicesOfSilence = 650;                        // kLongestStatement, and some
// What the server cancels it says in one or two pieces; the rest of an answer is not waited for.
constexpr int kMostLateWaits = 8;
constexpr int kSlicesOfRollback = 20;  // kRollbackPatience
static_assert(kSlicesOfRollback * kSlice == kRollbackPatience);

constexpr std::string_view kHomeLetters = "0123456789-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kLimit =
    "SELECT set_config('statement_timeout', $1, true), set_config('synchronous_commit', 'on', true)"
    ", set_config('gateway.home', $2, true)";

int milliseconds(Duration time) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
}

void drop_notice(void*, const char* text) { log_debug("postgres.notice", {{"text", text}}); }

// "LINE 3: …" counts from the text's beginning; the position is of characters.
int line_of(std::string_view sql, const char* position) {
  int at = position ? std::atoi(position) : 0, line = 1;
  for (std::size_t i = 0; i < sql.size() && at > 1; ++i) {
    if ((static_cast<unsigned char>(sql[i]) & 0xC0) != 0x80) --at;
    line += sql[i] == '\n' ? 1 : 0;
  }
  return line;
}

// Nothing has come for so long: is there somebody? Asked once each kSilence.
bool is_given_up(PostgresPulse* pulse, Duration waited) {
  if (!pulse) return false;
  if (waited >= kSilence && waited % kSilence < kSlice) pulse->note_silence();
  return pulse->is_away();
}

}  // namespace

// `waited`: for what its host's name means, so far.
Result<std::unique_ptr<PostgresConnection>> PostgresConnection::start(const PostgresOptions& options,
                                                                      const Deadline& deadline, PostgresPulse* pulse,
                                                                      Duration& waited) {
  if (options.home.find_first_not_of(kHomeLetters) != std::string::npos)
    return fail(ErrorCode::kInvalidArgument, "the home of a session is of letters, digits and '-'");
  PANDORA_TRY(parameters, connection_parameters(options));
  const std::string place = place_of(parameters);
  const auto goes_on = [&]() -> Status {
    const bool late = deadline.expired();
    if (is_given_up(pulse, waited)) return fail(pulse->why());
    if (!late && waited < options.connect_patience) return {};
    if (pulse) pulse->note_silence();
    return fail(late ? ErrorCode::kDeadlineExceeded : ErrorCode::kUnavailable,
                fmt::format("PostgreSQL at {}: the address of its host was not found in time", place),
                "does the server of names (DNS) answer? It is asked again");
  };
  const auto& lookup = options.names ? options.names : NameLookup::system();
  PANDORA_CHECK(find_addresses(parameters, *lookup, waited, goes_on));
  std::vector<const char*> names, values;
  for (const auto& [name, value] : parameters) {
    names.push_back(name.c_str());
    values.push_back(value.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  pg_conn* handle = PQconnectStartParams(names.data(), values.data(), 0);
  if (!handle) return fail(ErrorCode::kResourceExhausted, "there is no memory for a connection");
  return std::unique_ptr<PostgresConnection>(new PostgresConnection(handle, place, options.home, pulse));
}

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const PostgresOptions& options,
                                                                     const Deadline& deadline, PostgresPulse* pulse) {
  PANDORA_CHECK(deadline.check("connecting to PostgreSQL"));
  Duration waited{0};
  PANDORA_TRY(connection, start(options, deadline, pulse, waited));
  connection->set_deadline(deadline);
  PANDORA_CHECK(connection->connect(options.connect_patience, waited));
  PANDORA_CHECK(connection->greet());
  return connection;
}

Status PostgresConnection::knock(const PostgresOptions& options, Duration patience) {
  PostgresOptions hasty = options;
  hasty.connect_patience = patience;
  Duration waited{0};
  const auto connection = start(hasty, Deadline::never(), nullptr, waited);
  if (!connection) return waited < patience ? Status() : Status(fail(connection.error()));
  Status connected = (*connection)->connect(patience, waited);
  return (*connection)->silent_ ? connected : Status();
}

PostgresConnection::PostgresConnection(pg_conn* handle, std::string place, std::string home, PostgresPulse* pulse)
    : handle_(handle),
      place_(std::move(place)),
      home_(std::move(home)),
      pulse_(pulse),
      slices_of_silence_(kSlicesOfSilence) {}

PostgresConnection::~PostgresConnection() { PQfinish(handle_); }

Status PostgresConnection::connect(Duration patience, Duration waited) {
  PQsetErrorVerbosity(handle_, PQERRORS_VERBOSE);  // with the state, which libpq gives of a connection nowhere else
  PQsetNoticeProcessor(handle_, drop_notice, nullptr);
  for (PostgresPollingStatusType polled = PGRES_POLLING_WRITING; polled != PGRES_POLLING_OK;
       polled = PQconnectPoll(handle_)) {
    if (PQstatus(handle_) == CONNECTION_BAD || polled == PGRES_POLLING_FAILED)
      return fail(connect_error(PQerrorMessage(handle_), place_));
    for (;;) {
      if (deadline_.expired() || waited >= patience)
        return left(deadline_.expired() ? ErrorCode::kDeadlineExceeded : ErrorCode::kUnavailable);
      if (is_given_up(pulse_, waited)) return fail(pulse_->why());
      const Duration slice = std::min(kSlice, deadline_.remaining());
      pollfd one{PQsocket(handle_), static_cast<short>(polled == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
      const int ready = ::poll(&one, 1, std::max(1, milliseconds(slice)));
      if (ready > 0) break;
      if (ready < 0 && errno != EINTR)
        return fail(ErrorCode::kUnavailable, fmt::format("poll: {}", std::strerror(errno)));
      waited += std::max(slice, Duration(std::chrono::milliseconds(1)));
    }
  }
  PQsetErrorVerbosity(handle_, PQERRORS_DEFAULT);
  PQsetnonblocking(handle_, 1);
  return {};
}

// What it is, and how this session shall be.
Status PostgresConnection::greet() {
  version_ = PQserverVersion(handle_);
  if (version_ / 10'000 < kOldestPostgres)
    return fail(ErrorCode::kIncompatible, fmt::format("PostgreSQL at {} is version {}", place_, version_ / 10'000),
                fmt::format("use {} or newer", kOldestPostgres));
  pooled_ = true;  // nothing is prepared before it is known that it may be
  PANDORA_TRY(is, query("SELECT pg_backend_pid(), current_setting('server_encoding'), pg_is_in_recovery()"
                        " OR current_setting('default_transaction_read_only')::bool"));
  if (is.text(0, 1) != "UTF8")
    return fail(ErrorCode::kIncompatible, fmt::format("the database at {} is in {}", place_, is.text(0, 1)),
                "create it with ENCODING 'UTF8' TEMPLATE template0");
  read_only_ = is.boolean(0, 2);
  // A pooler answers for the server, with a number of its own.
  pooled_ = is.integer(0, 0) != PQbackendPID(handle_);
  greeted_ = true;
  if (pooled_) return {};
  // What is acknowledged rests on commits: this server's own default is not asked. A session of a machine that is gone
  // ends within a minute, and lets go of its locks.
  return text(fmt::format(
      "SET synchronous_commit = on; SET statement_timeout = {0}; SET idle_in_transaction_session_timeout = {0};"
      " SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;"
      " SET tcp_user_timeout = 50000; SET gateway.home = '{1}'",
      milliseconds(kLongestStatement), home_));
}

Status PostgresConnection::wait(bool to_write) {
  for (int slices = 0;; ++slices) {
    const bool late = deadline_.expired();
    const Duration time = late ? kGrace : std::min(kSlice, deadline_.remaining());
    pollfd one{PQsocket(handle_), static_cast<short>(to_write ? POLLIN | POLLOUT : POLLIN), 0};
    const int ready = ::poll(&one, 1, std::max(1, milliseconds(time)));
    late_waits_ = late ? late_waits_ + 1 : 0;
    if (ready > 0 && late_waits_ <= kMostLateWaits) return {};
    if (ready < 0 && errno != EINTR) return lost();
    if (is_given_up(pulse_, slices * kSlice)) {
      broken_ = true;
      state_.clear();
      return fail(pulse_->why());
    }
    if (!late && (unlimited_ || slices < slices_of_silence_)) continue;
    return left(late ? ErrorCode::kDeadlineExceeded : ErrorCode::kUnavailable);
  }
}

Status PostgresConnection::left(ErrorCode code) {
  broken_ = silent_ = true;
  state_.clear();
  if (pulse_) pulse_->note_silence();
  return fail(code, fmt::format("PostgreSQL at {} did not answer in time", place_),
              "is it overloaded, or does something between drop what is sent? It is tried again");
}

Status PostgresConnection::lost() {
  broken_ = true;
  state_.clear();
  return fail(connect_error(PQerrorMessage(handle_), place_));
}

Status PostgresConnection::flush() {
  for (;;) {
    const int left = PQflush(handle_);
    if (left == 0) return {};
    if (left < 0) return lost();
    PANDORA_CHECK(wait(true));
    if (PQconsumeInput(handle_) == 0) return lost();  // both sides full would wait for each other
  }
}

Result<pg_result*> PostgresConnection::next_result() {
  while (PQisBusy(handle_)) {
    PANDORA_CHECK(wait(false));
    if (PQconsumeInput(handle_) == 0) return fail(lost().error());
  }
  return PQgetResult(handle_);
}

Error PostgresConnection::error_of(const pg_result* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  state_ = state ? state : "";
  if (PQstatus(handle_) == CONNECTION_BAD || state_.starts_with("57P0")) broken_ = true;
  if (state_.empty()) return connect_error(PQresultErrorMessage(result), place_);
  return postgres_error(state_, message ? message : PQresultErrorMessage(result), place_);
}

Status PostgresConnection::send(const PostgresStatement& statement, bool hidden, std::vector<Sent>& order) {
  std::vector<const char*> values;
  std::vector<int> lengths, formats;
  for (const PostgresValue& value : statement.values) {
    values.push_back(value.is_null() ? nullptr : value.text().data());
    lengths.push_back(value.is_null() ? 0 : static_cast<int>(value.text().size()));
    formats.push_back(value.is_binary() ? 1 : 0);
  }
  const int count = static_cast<int>(values.size());
  auto known = prepared_.find(statement.sql);
  const Sent what = hidden ? Sent{Answer::kHidden, {}} : Sent{Answer::kRows, {}};
  if (pooled_ || (known == prepared_.end() && prepared_.size() >= kMaxPreparedStatements)) {
    const int sent = PQsendQueryParams(handle_, std::string(statement.sql).c_str(), count, nullptr, values.data(),
                                       lengths.data(), formats.data(), 0);
    order.push_back(what);
    return sent == 1 ? Status() : lost();
  }
  if (known == prepared_.end()) {
    known = prepared_.emplace(statement.sql, fmt::format("p{}", ++named_)).first;
    order.push_back({Answer::kPrepared, known->first});
    if (PQsendPrepare(handle_, known->second.c_str(), known->first.c_str(), 0, nullptr) != 1) return lost();
  }
  const int sent =
      PQsendQueryPrepared(handle_, known->second.c_str(), count, values.data(), lengths.data(), formats.data(), 0);
  order.push_back(what);
  return sent == 1 ? Status() : lost();
}

Result<std::vector<PostgresRows>> PostgresConnection::run(std::span<const PostgresStatement> statements) {
  return exchange(statements, false);
}

Result<std::vector<PostgresRows>> PostgresConnection::exchange(std::span<const PostgresStatement> statements,
                                                               bool commits) {
  PANDORA_CHECK(deadline_.check("asking PostgreSQL"));
  state_.clear();
  if (broken_) return fail(ErrorCode::kUnavailable, fmt::format("the connection to {} is gone", place_));
  if (PQenterPipelineMode(handle_) != 1) return fail(lost().error());
  std::vector<Sent> order;
  const bool first = !begun_ || !begin_.empty();
  if (!begin_.empty()) {
    const std::string begin = begin_;
    PANDORA_CHECK(send({begin, {}}, true, order));
  }
  begin_.clear();
  // What a script has begun has no limit: it is not this statement's to set one.
  const bool limited = is_idle() && (pooled_ || deadline_.remaining() < kLongestStatement);
  if (first && limited && greeted_) {
    const Duration limit = std::min(deadline_.remaining(), kLongestStatement);
    PANDORA_CHECK(send({kLimit, {std::to_string(std::max(1, milliseconds(limit))), home_}}, true, order));
  }
  for (const PostgresStatement& statement : statements) PANDORA_CHECK(send(statement, false, order));
  if (commits) PANDORA_CHECK(send({"COMMIT", {}}, false, order));
  if (PQpipelineSync(handle_) != 1) return fail(lost().error());
  PANDORA_CHECK(flush());
  PANDORA_TRY(rows, receive(order));
  if (!commits) return rows;
  const bool committed = rows.back().tag() == "COMMIT";
  if (!committed)
    return fail(ErrorCode::kUnavailable, fmt::format("PostgreSQL at {} undid the transaction", place_), "try again");
  rows.pop_back();
  return rows;
}

Result<std::vector<PostgresRows>> PostgresConnection::receive(const std::vector<Sent>& order) {
  std::vector<PostgresRows> rows;
  std::optional<Error> error;
  std::size_t at = 0;
  for (int nothing = 0; nothing < 3;) {
    PANDORA_TRY(result, next_result());
    nothing = result ? 0 : nothing + 1;  // one stands between two answers
    if (!result) continue;
    const PostgresRows one(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC) break;
    const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    if (status == PGRES_FATAL_ERROR && !error) error = error_of(result);
    if (at < order.size() && order[at].answer == Answer::kPrepared && !good) prepared_.erase(order[at].sql);
    if (at < order.size() && order[at].answer == Answer::kRows && good) rows.push_back(one);
    ++at;
  }
  if (PQstatus(handle_) == CONNECTION_BAD && !error) error = lost().error();
  (void)PQexitPipelineMode(handle_);
  if (error) return fail(*std::move(error));
  return rows;
}

void PostgresConnection::begin(std::string_view how) {
  begin_ = how;
  begun_ = true;
}

Result<std::vector<PostgresRows>> PostgresConnection::commit(std::span<const PostgresStatement> last) {
  if (!begin_.empty() && last.empty()) {  // nothing was asked
    begin_.clear();
    begun_ = false;
    return std::vector<PostgresRows>();
  }
  PANDORA_TRY(rows, exchange(last, true));
  begun_ = false;
  return rows;
}

void PostgresConnection::rollback() {
  const bool sent = begin_.empty();
  begin_.clear();
  begun_ = false;
  if (broken_ || !sent) return;
  // The call's own deadline may have passed, and the connection still be of use.
  const Deadline before = deadline_;
  deadline_ = Deadline::never();
  slices_of_silence_ = kSlicesOfRollback;
  if (!text("ROLLBACK")) broken_ = true;
  slices_of_silence_ = kSlicesOfSilence;
  deadline_ = before;
}

// Three round trips, as the limit is of the session: within one text it would count for the next one only, and make a
// transaction of it. A pooler's session has the server's own, which is not ours to change for whoever has it next.
Status PostgresConnection::script(std::string_view sql) {
  PANDORA_CHECK(deadline_.check("asking PostgreSQL"));
  if (is_idle() && !pooled_) PANDORA_CHECK(text("SET statement_timeout = 0"));
  unlimited_ = true;
  Status done = text(sql);
  unlimited_ = false;
  if (pooled_ || !is_idle() || broken_) return done;  // a transaction that goes on has none until its last script
  const std::string said = state_;
  const Status limited = text(fmt::format("SET statement_timeout = {}", milliseconds(kLongestStatement)));
  if (!done) state_ = said;
  return done ? limited : done;
}

Status PostgresConnection::text(std::string_view sql) {
  state_.clear();
  if (PQsendQuery(handle_, std::string(sql).c_str()) != 1) return lost();
  PANDORA_CHECK(flush());
  Status status;
  for (;;) {
    PANDORA_TRY(result, next_result());
    if (!result) return status;
    const PostgresRows one(result);
    if (PQresultStatus(result) != PGRES_FATAL_ERROR || !status) continue;
    const char* position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
    Error error = error_of(result);
    if (position) error.message += fmt::format(", at line {}", line_of(sql, position));
    status = fail(std::move(error));
  }
}

bool PostgresConnection::is_idle() const { return PQtransactionStatus(handle_) == PQTRANS_IDLE; }

bool PostgresConnection::usable() const { return !broken_ && PQstatus(handle_) == CONNECTION_OK && is_idle(); }

bool PostgresConnection::has_ended() {
  pollfd one{PQsocket(handle_), POLLIN, 0};
  if (::poll(&one, 1, 0) <= 0) return false;
  return PQconsumeInput(handle_) == 0 || PQstatus(handle_) == CONNECTION_BAD || ::poll(&one, 1, 0) > 0;
}

}  // namespace pandora
