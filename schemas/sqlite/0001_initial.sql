-- The relational store of the embedded profile. A row's truth is its `document` (the JSON of docs/formats.md); the columns
-- that queries use are generated from it, so the two cannot differ. Times are ISO 8601 in UTC with six digits of fraction,
-- so that text order is time order.

CREATE TABLE instance (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: the last turn number given. Never taken back, so a number is never given twice.
CREATE TABLE turn_numbers (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  last INTEGER NOT NULL CHECK (last >= 0)
) STRICT;
INSERT INTO turn_numbers VALUES (1, 0);

CREATE TABLE turns (
  turn_number    INTEGER PRIMARY KEY CHECK (turn_number > 0),
  turn_uid       BLOB NOT NULL UNIQUE CHECK (length(turn_uid) = 16),
  document       TEXT NOT NULL CHECK (json_valid(document)),
  embedding_id   BLOB CHECK (embedding_id IS NULL OR length(embedding_id) = 16),
  user_id        TEXT NOT NULL AS (document ->> '$.user'),
  session_id     TEXT NOT NULL AS (document ->> '$.session'),
  timestamp      TEXT NOT NULL AS (document ->> '$.created_at'),
  topic          TEXT NOT NULL AS (document ->> '$.topic'),
  intent         TEXT NOT NULL AS (document ->> '$.intent'),
  keywords       TEXT NOT NULL AS (document ->> '$.keywords'),
  quality        REAL NOT NULL AS (document ->> '$.quality') CHECK (quality BETWEEN 0 AND 1),
  rejected       INTEGER NOT NULL AS (document ->> '$.rejected'),
  archived       INTEGER NOT NULL AS (document ->> '$.archived'),
  content_sha256 TEXT NOT NULL AS (document ->> '$.content_sha256'),
  turn_dir       TEXT NOT NULL AS (CASE WHEN document ->> '$.archived' THEN 'archive/' ELSE 'turns/' END
                                   || printf('turn_%06d', turn_number))
) STRICT;
CREATE INDEX turns_by_session ON turns (user_id, session_id, turn_number);
CREATE INDEX turns_by_user ON turns (user_id, turn_number);
CREATE INDEX turns_by_time ON turns (user_id, timestamp);
CREATE INDEX turns_by_content ON turns (user_id, session_id, content_sha256);

-- Which of a user's turns have a term among their keywords: for tf·idf.
CREATE TABLE turn_keywords (
  user_id     TEXT NOT NULL,
  keyword     TEXT NOT NULL,
  turn_number INTEGER NOT NULL REFERENCES turns (turn_number) ON DELETE CASCADE,
  PRIMARY KEY (user_id, keyword, turn_number)
) STRICT, WITHOUT ROWID;
CREATE INDEX turn_keywords_by_turn ON turn_keywords (turn_number);

-- A turn's own vector, before its neighbours are windowed in.
CREATE TABLE turn_vectors (
  turn_uid BLOB NOT NULL REFERENCES turns (turn_uid) ON DELETE CASCADE,
  embedder TEXT NOT NULL,
  vector   BLOB NOT NULL,
  PRIMARY KEY (turn_uid, embedder)
) STRICT, WITHOUT ROWID;

-- source_turn is no foreign key: a memory outlives the row of the turn that it came from (forgetting removes both).
CREATE TABLE memories (
  memory_id     BLOB PRIMARY KEY CHECK (length(memory_id) = 16),
  document      TEXT NOT NULL CHECK (json_valid(document)),
  user_id       TEXT NOT NULL AS (document ->> '$.user'),
  scope         TEXT NOT NULL AS (document ->> '$.scope'),
  kind          TEXT NOT NULL AS (document ->> '$.kind'),
  confidence    REAL NOT NULL AS (document ->> '$.confidence') CHECK (confidence BETWEEN 0 AND 1),
  source_turn   TEXT AS (document ->> '$.source_turn'),
  expires_at    TEXT AS (document ->> '$.expires_at'),
  superseded_by TEXT AS (document ->> '$.superseded_by')
) STRICT, WITHOUT ROWID;
CREATE INDEX memories_by_user ON memories (user_id, memory_id);
CREATE INDEX memories_global ON memories (memory_id) WHERE scope = 'global';
CREATE INDEX memories_by_turn ON memories (source_turn) WHERE source_turn IS NOT NULL;

CREATE TABLE research (
  research_id        BLOB PRIMARY KEY CHECK (length(research_id) = 16),
  document           TEXT NOT NULL CHECK (json_valid(document)),
  topic_key          TEXT NOT NULL,
  user_id            TEXT NOT NULL AS (document ->> '$.user'),
  scope              TEXT NOT NULL AS (document ->> '$.scope'),
  primary_topic      TEXT NOT NULL AS (document ->> '$.primary_topic'),
  quality_overall    REAL NOT NULL AS (document ->> '$.quality') CHECK (quality_overall BETWEEN 0 AND 1),
  confidence_current REAL NOT NULL AS (document ->> '$.confidence') CHECK (confidence_current BETWEEN 0 AND 1),
  source_turn        TEXT AS (document ->> '$.source_turn'),
  created_at         TEXT NOT NULL AS (document ->> '$.created_at'),
  expires_at         TEXT NOT NULL AS (document ->> '$.expires_at')
) STRICT, WITHOUT ROWID;
CREATE INDEX research_by_user ON research (user_id, research_id);
CREATE INDEX research_global ON research (research_id) WHERE scope = 'global';
CREATE INDEX research_by_topic ON research (topic_key);
CREATE INDEX research_by_expiry ON research (expires_at);
CREATE INDEX research_by_turn ON research (source_turn) WHERE source_turn IS NOT NULL;

CREATE TABLE sources (
  domain          TEXT PRIMARY KEY,
  success_count   INTEGER NOT NULL DEFAULT 0 CHECK (success_count >= 0),
  failure_count   INTEGER NOT NULL DEFAULT 0 CHECK (failure_count >= 0),
  last_success    INTEGER,
  last_failure    INTEGER,
  manual_override TEXT NOT NULL DEFAULT 'none' CHECK (manual_override IN ('none', 'allow', 'block')),
  worked          TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(worked)),
  failed          TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(failed)),
  reliability_score REAL NOT NULL AS ((success_count + 1.0) / (success_count + failure_count + 2))
) STRICT, WITHOUT ROWID;

-- Of the last 30 days; older ones are counted in `sources` and dropped when the next one comes. Times: microseconds.
CREATE TABLE source_attempts (
  domain  TEXT NOT NULL REFERENCES sources (domain) ON DELETE CASCADE,
  at      INTEGER NOT NULL,
  success INTEGER NOT NULL CHECK (success IN (0, 1))
) STRICT;
CREATE INDEX source_attempts_by_domain ON source_attempts (domain, at);

CREATE TABLE observability (
  row        INTEGER PRIMARY KEY AUTOINCREMENT,
  turn_uid   BLOB NOT NULL,
  user_id    TEXT NOT NULL,
  kind       TEXT NOT NULL,
  name       TEXT NOT NULL,
  at         INTEGER NOT NULL,
  micros     INTEGER NOT NULL CHECK (micros >= 0),
  tokens_in  INTEGER NOT NULL,
  tokens_out INTEGER NOT NULL,
  ok         INTEGER NOT NULL CHECK (ok IN (0, 1)),
  detail     TEXT NOT NULL,
  confidence REAL CHECK (confidence BETWEEN 0 AND 1)
) STRICT;
CREATE INDEX observability_by_turn ON observability (turn_uid);
CREATE INDEX observability_by_kind ON observability (kind, row);

-- `version` rises for ever, also over a rebuilt database (it is at least the time in microseconds): points carry it.
CREATE TABLE outbox_versions (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  last INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_versions VALUES (1, 0);

CREATE TABLE outbox (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  kind         TEXT NOT NULL,
  key          TEXT NOT NULL,
  version      INTEGER NOT NULL,
  due_at       INTEGER NOT NULL DEFAULT 0,
  leased_until INTEGER NOT NULL DEFAULT 0,
  owner        TEXT NOT NULL DEFAULT '',
  attempts     INTEGER NOT NULL DEFAULT 0,
  last_error   TEXT NOT NULL DEFAULT '',
  UNIQUE (kind, key)
) STRICT;
