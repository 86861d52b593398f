#include "store_server/postgres_turn_commits.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/log.h"
#include "domain/analyzer.h"
#include "domain/sparse_weights.h"
#include "store_server/postgres_rows.h"
#include "store_server/postgres_turn_store.h"
#include "wire/turn_json.h"

namespace pandora {
namespace postgres_rows {

std::string topic_terms(const Turn& turn) {
  std::string terms;
  for (const Term& term : analyze(turn.topic)) terms += (terms.empty() ? "" : " ") + term.text;
  return terms;
}

std::int64_t keyword_key(const UserId& user, std::string_view term) {
  const auto hash = sha256(fmt::format("{}{}{}", user.str(), '\0', term));
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < sizeof key; ++i) key = key << 8 | hash[i];
  return static_cast<std::int64_t>(key);
}

std::vector<std::int64_t> keyword_keys(const Turn& turn) {
  std::set<std::int64_t> keys;
  for (const std::string& keyword : turn.keywords) keys.insert(keyword_key(turn.user, keyword));
  return {keys.begin(), keys.end()};
}

}  // namespace postgres_rows

namespace {

using postgres_rows::done;
using postgres_rows::Statements;

constexpr std::size_t kMostTogether = 64;                // turns of one transaction
constexpr std::size_t kMostBytesTogether = 1024 * 1024;  // of their documents
constexpr std::size_t kMostBytesOfOne = 64 * 1024;       // a longer one goes alone

PostgresTurnRow row_of(const TurnRecord& record) {
  const Turn& turn = record.turn;
  return {&record, postgres_rows::topic_terms(turn), dump_json(turn.keywords), row_of_turn(turn, {}),
          postgres_rows::keyword_keys(turn)};
}

// Whoever adds a turn to a session holds this until the commit, and whoever removes one has it alone: he sees each
// neighbour whose point may hold the words that go.
#define PANDORA_SESSION_KEY "hashtextextended(whose || '/' || session, 0)"

// The rows and what hangs on them, with their entries of the outbox, as one statement, once the counters are taken;
// gives uid and number of each that was not there. The sessions are joined before the first number is taken, and in one
// order by everybody: of two who hold one and want the other's, behind those who remove turns there, none would go on.
void insert_turns(Statements& to, std::span<const PostgresTurnRow* const> rows) {
  std::vector<std::int64_t> numbers, keys, first_key, last_key;
  std::vector<Uuid> uids, observed_of;
  std::vector<std::string_view> users, sessions, topics, terms, intents, keywords, contents, documents;
  std::vector<Timestamp> times;
  std::vector<double> qualities;
  std::vector<bool> rejected, archived;
  std::vector<postgres_rows::ObservationRun> observations;
  for (const PostgresTurnRow* row : rows) {
    const Turn& turn = row->record->turn;
    numbers.push_back(turn.number.value);
    uids.push_back(turn.uid);
    users.emplace_back(turn.user.str());
    sessions.emplace_back(turn.session.str());
    times.push_back(turn.created_at);
    topics.emplace_back(turn.topic);
    terms.emplace_back(row->topic_terms);
    intents.push_back(to_string(turn.intent));
    keywords.emplace_back(row->keywords);
    qualities.push_back(turn.quality);
    rejected.push_back(turn.rejected);
    archived.push_back(turn.archived);
    contents.emplace_back(turn.content_sha256);
    documents.emplace_back(row->document);
    first_key.push_back(static_cast<std::int64_t>(keys.size()) + 1);
    keys.insert(keys.end(), row->keyword_keys.begin(), row->keyword_keys.end());
    last_key.push_back(static_cast<std::int64_t>(keys.size()));
    for (const auto run : postgres_rows::runs_of(row->record->observations)) {
      observations.push_back(run);
      observed_of.push_back(turn.uid);
    }
  }
  std::vector<PostgresValue> values = postgres_rows::columns_of(observations);
  std::ranges::move(std::vector<PostgresValue>{numbers,
                                               uids,
                                               users,
                                               sessions,
                                               times,
                                               topics,
                                               terms,
                                               intents,
                                               keywords,
                                               qualities,
                                               rejected,
                                               archived,
                                               contents,
                                               documents,
                                               first_key,
                                               last_key,
                                               keys,
                                               to_string(OutboxKind::kTurnDirectory),
                                               to_string(OutboxKind::kTurnPoint),
                                               observed_of},
                    std::back_inserter(values));
  to.push_back(
      {"WITH made AS (INSERT INTO pandora.turns (turn_number, turn_uid, user_id, session_id, timestamp, topic, "
       "topic_terms, intent, keywords, quality, rejected, archived, content_sha256, document)"
       " SELECT CASE WHEN number = 0 THEN nextval('pandora.turn_numbers') ELSE number END, uid, whose, session, at,"
       "  topic, terms, intent, keywords::jsonb, quality, rejected, archived, content, document"
       " FROM (SELECT count(pg_advisory_xact_lock_shared(key)) FROM (SELECT DISTINCT " PANDORA_SESSION_KEY
       "  AS key FROM unnest($16::text[], $17::text[]) AS asked (whose, session) ORDER BY key) AS sessions) AS joined,"
       "  unnest($14::bigint[], $15::uuid[], $16::text[], $17::text[], $18::timestamptz[], $19::text[],"
       "   $20::text[], $21::text[], $22::text[], $23::float8[], $24::bool[], $25::bool[], $26::text[], $27::text[])"
       "  WITH ORDINALITY AS asked (number, uid, whose, session, at, topic, terms, intent, keywords, quality, rejected,"
       "   archived, content, document, place)"
       " WHERE NOT EXISTS (SELECT 1 FROM pandora.turns t WHERE t.turn_uid = asked.uid) ORDER BY place"
       " ON CONFLICT (turn_uid) DO NOTHING RETURNING turn_number, turn_uid, user_id),"
       " words AS (INSERT INTO pandora.turn_keywords SELECT made.turn_number, ($30::bigint[])[first:last]"
       "  FROM unnest($15::uuid[], $28::bigint[], $29::bigint[]) AS given (turn_uid, first, last)"
       "  JOIN made USING (turn_uid) WHERE first <= last),"
       " seen AS (INSERT INTO pandora.observations (user_id, " PANDORA_OBSERVATION_COLUMNS
       ") SELECT made.user_id, " PANDORA_OBSERVATION_VALUES
       "  FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::bigint[], $33::uuid[]) WITH ORDINALITY"
       "  AS o (turn_uid, last_at, first, last, made_of, place) JOIN made ON made.turn_uid = made_of ORDER BY place),"
       " asks AS (INSERT INTO pandora.outbox (kind, key, version)"
       "  SELECT kind, turn_uid, nextval('pandora.outbox_versions') FROM made, (VALUES ($31::text), ($32)) AS wanted "
       "(kind) ORDER BY turn_number" PANDORA_ENQUEUE ") SELECT turn_uid, turn_number FROM made",
       std::move(values)});
}

// A turn that gets its number here: locks, its row, what hangs on it, and its entries of the outbox, as one statement
// of plain values: its plan is made once. OFFSET 0, so that the locks are taken before the number. Gives it; nothing
// when the turn was there.
PostgresStatement insert_turn(const PostgresTurnRow& row, Timestamp now) {
  const Turn& turn = row.record->turn;
  std::vector<PostgresValue> values = {
      turn.uid,        turn.user.str(),        turn.session.str(), turn.created_at,  turn.topic,
      row.topic_terms, to_string(turn.intent), row.keywords,       turn.quality,     turn.rejected,
      turn.archived,   turn.content_sha256,    row.document,       row.keyword_keys,
  };
  const postgres_rows::ObservationRun observations = row.record->observations;  // of one turn
  for (auto& column : postgres_rows::columns_of(observations)) values.push_back(std::move(column));
  values.emplace_back(to_string(OutboxKind::kTurnDirectory));
  values.emplace_back(to_string(OutboxKind::kTurnPoint));
  for (auto& value : postgres_rows::counters_of(now)) values.push_back(std::move(value));
  return {
      "WITH made AS (INSERT INTO pandora.turns (turn_number, turn_uid, user_id, session_id, timestamp, topic, "
      "topic_terms, intent, keywords, quality, rejected, archived, content_sha256, document)"
      " SELECT nextval('pandora.turn_numbers'), $1, $2, $3, $4, $5, $6, "
      "$7, $8, $9, $10, $11, $12, $13"
      " FROM (SELECT " PANDORA_COUNTERS ", pg_advisory_xact_lock_shared(" PANDORA_SESSION_KEY
      ")  FROM (VALUES ($28::bigint, $29::bigint, $30::integer, $31::integer, $32::bigint, $2::text, $3::text))"
      "  AS given (now, ahead, locks, counters, through, whose, session) OFFSET 0) AS locked"
      " WHERE NOT EXISTS (SELECT 1 FROM pandora.turns WHERE turn_uid = $1::uuid)"
      " ON CONFLICT (turn_uid) DO NOTHING RETURNING turn_number),"
      " words AS (INSERT INTO pandora.turn_keywords SELECT turn_number, $14 FROM made WHERE $14::bigint[] <> '{}'),"
      " seen AS (INSERT INTO pandora.observations (user_id, " PANDORA_OBSERVATION_COLUMNS
      ") SELECT $2, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25 FROM made WHERE $17::text[] <> '{}'),"
      " asks AS (INSERT INTO pandora.outbox (kind, key, version)"
      "  SELECT kind, $1, nextval('pandora.outbox_versions') FROM made, (VALUES ($26::text), ($27)) AS wanted "
      "(kind)" PANDORA_ENQUEUE ") SELECT turn_number FROM made",
      std::move(values)};
}

std::vector<OutboxItem> items_beside(const TurnRecord& record) {
  std::vector<OutboxItem> items;
  const auto add = [&](std::vector<OutboxItem> some) { items.insert(items.end(), some.begin(), some.end()); };
  for (const auto& memory : record.memories) add(postgres_rows::items_of_memory(memory.id));
  for (const auto& research : record.research) add(postgres_rows::items_of_research(research.id));
  for (const auto& fetch : record.fetches) items.push_back({OutboxKind::kSourceFile, fetch.domain});
  return items;
}

// The turn that was committed before, whoever did it.
Result<TurnNumber> number_of(PostgresConnection& connection, const Turn& turn) {
  PANDORA_TRY(known, connection.query("SELECT turn_number, user_id FROM pandora.turns WHERE turn_uid = $1", turn.uid));
  if (known.empty())
    return fail(ErrorCode::kUnavailable, fmt::format("turn {} went while it was saved", turn.uid.to_string()));
  if (known.text(0, 1) != turn.user.str())
    return fail(ErrorCode::kPermissionDenied, fmt::format("turn {} belongs to another user", turn.uid.to_string()));
  return TurnNumber{known.integer(0, 0)};
}

bool brings_nothing_else(const TurnRecord& record) {
  return record.memories.empty() && record.research.empty() && record.fetches.empty();
}

// Whatever it brings, whether it was there or not.
Result<TurnNumber> commit_one(PostgresConnection& connection, const PostgresTurnRow& row, Timestamp now) {
  const TurnRecord& record = *row.record;
  const Turn* turn = &record.turn;
  const PostgresTurnRow* one = &row;
  Statements statements;
  postgres_rows::take_counters(statements, now, turn->number);
  const std::size_t at = statements.size();
  insert_turns(statements, {&one, 1});
  if (turn->number.value > 0) postgres_rows::take_number_of(statements, *turn);
  PANDORA_TRY(answers, connection.run(statements));
  const bool is_new = !answers[at].empty();
  TurnNumber number{is_new ? answers[at].integer(0, 1) : 0};
  if (!is_new) {
    PANDORA_TRY(known, number_of(connection, *turn));
    number = known;
  }
  Statements puts, last;
  if (is_new) {
    for (const auto& memory : record.memories) postgres_rows::put_memory(puts, memory);
    for (const auto& research : record.research) postgres_rows::put_research(puts, research);
    for (const auto& fetch : record.fetches) postgres_rows::record_fetch(last, fetch, now);
  }
  if (!puts.empty()) {
    PANDORA_TRY(written, connection.run(puts));
    std::size_t i = 0;
    for (const auto& memory : record.memories) PANDORA_CHECK(postgres_rows::check_put(written[i++], memory.id));
    for (const auto& research : record.research) PANDORA_CHECK(postgres_rows::check_put(written[i++], research.id));
  }
  if (!is_new) postgres_rows::enqueue(last, postgres_rows::items_of_turn(turn->uid));
  postgres_rows::enqueue(last, items_beside(record));
  PANDORA_CHECK(done(connection.commit(last)));
  return number;
}

// Gives uid and number of each that was not there.
Result<PostgresRows> commit_all(PostgresPool& pool, std::span<const PostgresTurnRow* const> rows, Timestamp now,
                                const Deadline& deadline) {
  TurnNumber through;  // of the numbers that are given
  for (const PostgresTurnRow* row : rows) through = std::max(through, row->record->turn.number);
  Statements statements;
  postgres_rows::take_counters(statements, now, through);
  if (through.value > 0) postgres_rows::take_numbers(statements, through);
  insert_turns(statements, rows);
  PANDORA_TRY(answers, pool.write_at_once(statements, deadline));
  return answers.back();
}

}  // namespace

Result<TurnNumber> PostgresTurnCommits::commit_alone(const PostgresTurnRow& row, const Deadline& deadline) {
  const TurnRecord& record = *row.record;
  const auto attempt = [&]() -> Result<TurnNumber> {
    // Most turns bring nothing and are new: one statement.
    if (record.turn.number.value == 0 && brings_nothing_else(record) &&
        postgres_rows::runs_of(record.observations).size() <= 1) {
      const PostgresStatement statement = insert_turn(row, clock_.now());
      PANDORA_TRY(answers, pool_.write_at_once({&statement, 1}, deadline));
      if (!answers.back().empty()) return TurnNumber{answers.back().integer(0, 0)};
    }
    return pool_.write([&](PostgresConnection& connection) { return commit_one(connection, row, clock_.now()); },
                       deadline);
  };
  auto committed = attempt();
  const auto conflicts = [&] { return !committed && committed.error().code == ErrorCode::kConflict; };
  if (!conflicts()) return committed;
  if (record.turn.number.value > 0) {
    committed = attempt();  // who came first may have saved this very turn: now it is seen
    if (!conflicts()) return committed;
    return fail(ErrorCode::kConflict, fmt::format("turn {} is another one", record.turn.number.value));
  }
  // Its number is one of ours: a counter is behind.
  log_warn("postgres.counters_behind", {{"why", committed.error().message}});
  Statements statements;
  postgres_rows::raise_counters(statements);
  PANDORA_CHECK(
      done(pool_.write([&](PostgresConnection& connection) { return connection.commit(statements); }, deadline)));
  return attempt();
}

PostgresTurnCommits::Together PostgresTurnCommits::take_together() {
  std::size_t count = 0, bytes = 0;
  while (count < waiting_.size() && count < kMostTogether && (bytes += waiting_[count]->bytes) <= kMostBytesTogether)
    ++count;
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
  Together taken(waiting_.begin(), end);
  waiting_.erase(waiting_.begin(), end);
  for (Waiting* one : taken) one->taken = true;
  ++under_way_;
  wake_next();
  return taken;
}

void PostgresTurnCommits::wake_next() {
  if (!waiting_.empty() && under_way_ < kMostAtOnce) waiting_.front()->changed.notify_one();
}

std::vector<std::optional<TurnNumber>> PostgresTurnCommits::commit_together(const Together& those) {
  std::vector<const PostgresTurnRow*> rows;
  const Deadline* first = &those.front()->deadline;
  std::map<Uuid, const Turn*> sent;  // the same turn by two threads is one turn, with what hangs on it once
  for (const Waiting* one : those) {
    const Turn& turn = one->row->record->turn;
    if (sent.try_emplace(turn.uid, &turn).second) rows.push_back(one->row);
    if (one->deadline.remaining() < first->remaining()) first = &one->deadline;
  }
  const auto made = commit_all(pool_, rows, clock_.now(), *first);
  std::vector<std::optional<TurnNumber>> numbers(those.size());
  for (int row = 0; made && row < made->size(); ++row) {
    const auto uid = made->uuid(row, 0);
    for (std::size_t i = 0; uid && i < those.size(); ++i) {
      const Turn& turn = those[i]->row->record->turn;
      // One of another user learns by itself that it is refused.
      if (turn.uid == *uid && turn.user == sent.at(*uid)->user) numbers[i] = TurnNumber{made->integer(row, 1)};
    }
  }
  return numbers;
}

Result<TurnNumber> PostgresTurnCommits::commit(const TurnRecord& record, const Deadline& deadline) {
  // By each writer for himself, so that whoever takes others along has only to gather it.
  const PostgresTurnRow row = row_of(record);
  Waiting mine{&row, deadline, row.document.size()};
  if (!brings_nothing_else(record) || mine.bytes > kMostBytesOfOne) return commit_alone(row, deadline);
  std::unique_lock lock(mutex_);
  waiting_.push_back(&mine);
  while (!mine.over && (mine.taken || under_way_ == kMostAtOnce || waiting_.front() != &mine)) {
    // Once it is under way it ends by the earliest deadline of those in it.
    if (!mine.taken && deadline.expired()) {
      std::erase(waiting_, &mine);
      wake_next();
      return fail(ErrorCode::kDeadlineExceeded, "saving a turn: those before it took too long");
    }
    if (mine.taken)
      mine.changed.wait(lock);
    else
      mine.changed.wait_for(lock, std::min<Duration>(deadline.remaining(), std::chrono::hours(1)));
  }
  if (!mine.over) {
    const Together together = take_together();
    lock.unlock();
    std::optional<Result<TurnNumber>> alone;
    std::vector<std::optional<TurnNumber>> numbers(1);
    if (together.size() == 1)
      alone = commit_alone(row, deadline);
    else
      numbers = commit_together(together);
    lock.lock();
    --under_way_;
    wake_next();
    for (std::size_t i = 0; i < together.size(); ++i) {
      together[i]->number = numbers[i];
      together[i]->over = true;
      together[i]->changed.notify_one();
    }
    if (alone) return *std::move(alone);
  }
  lock.unlock();
  // What is wrong with one must not be the others' fault: when they failed together, each tries for itself. So does one
  // that was there before, to learn its number.
  return mine.number ? Result<TurnNumber>(*mine.number) : commit_alone(row, deadline);
}

}  // namespace pandora
