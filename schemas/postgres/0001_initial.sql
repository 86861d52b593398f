-- The relational store of the server profile, in the schema `pandora` (the migrator sets it; names here are plain, so that
-- `pandora db verify` can make the same beside it). A row's truth is its `document`, the JSON of docs/formats.md as text: jsonb
-- refuses what a message may hold. The store writes the other columns from the same value in the same statement.
-- Keys and names compare by their bytes (COLLATE "C"): no upgrade of a C library reorders an index.

-- Numbers are never taken back, so that none is given twice. Whoever sets it on holds the advisory lock of counters alone.
CREATE SEQUENCE turn_numbers AS bigint MINVALUE 0 MAXVALUE 999999999999 START 0;
SELECT setval('turn_numbers', 0);

-- Versions of the outbox rise for ever, also over a database that was made anew: each is at least the time in microseconds.
CREATE SEQUENCE outbox_versions AS bigint MINVALUE 0 START 0;
SELECT setval('outbox_versions', 0);

CREATE TABLE instance (
  name  text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
);

CREATE TABLE turns (
  turn_number    bigint PRIMARY KEY CHECK (turn_number > 0),
  turn_uid       uuid NOT NULL UNIQUE,
  user_id        text COLLATE "C" NOT NULL CHECK (user_id <> ''),
  session_id     text COLLATE "C" NOT NULL CHECK (session_id <> ''),
  "timestamp"    timestamptz NOT NULL,
  topic          text NOT NULL,
  topic_terms    text NOT NULL,
  topic_search   tsvector NOT NULL GENERATED ALWAYS AS (array_to_tsvector(array_remove(string_to_array(topic_terms, ' '), ''))) STORED,
  intent         text NOT NULL,
  keywords       jsonb NOT NULL CHECK (jsonb_typeof(keywords) = 'array'),
  quality        double precision NOT NULL CHECK (quality BETWEEN 0 AND 1),
  rejected       boolean NOT NULL,
  archived       boolean NOT NULL,
  content_sha256 text COLLATE "C" NOT NULL,
  turn_dir       text NOT NULL GENERATED ALWAYS AS (CASE WHEN archived THEN 'archive/' ELSE 'turns/' END || 'turn_'
                   || lpad(turn_number::text, greatest(6, length(turn_number::text)), '0')) STORED,
  embedding_id   uuid,
  document       text NOT NULL
);
CREATE INDEX turns_by_session ON turns (user_id, session_id, turn_number);
CREATE INDEX turns_by_user ON turns (user_id, turn_number);
CREATE INDEX turns_by_time ON turns (user_id, "timestamp");
CREATE INDEX turns_by_content ON turns USING hash (content_sha256);
CREATE INDEX turns_by_topic ON turns USING gin (topic_search);
CREATE INDEX turns_by_keywords ON turns USING gin (keywords jsonb_path_ops);

-- Which of a user's turns have a term among their keywords: for tf·idf, counted in the index alone. The store removes what
-- belongs to a turn with the turn.
CREATE TABLE turn_keywords (
  user_id     text COLLATE "C" NOT NULL,
  keyword     text COLLATE "C" NOT NULL,
  turn_number bigint NOT NULL,
  PRIMARY KEY (user_id, keyword, turn_number)
);

-- A turn's own vector, before its neighbours are windowed in.
CREATE TABLE turn_vectors (
  turn_uid uuid NOT NULL REFERENCES turns (turn_uid) ON DELETE CASCADE,
  embedder text COLLATE "C" NOT NULL,
  vector   bytea NOT NULL,
  PRIMARY KEY (turn_uid, embedder)
);

-- source_turn is no foreign key: a memory that was restored from its file may come before its turn.
CREATE TABLE memories (
  memory_id     uuid PRIMARY KEY,
  user_id       text COLLATE "C" NOT NULL CHECK (user_id <> ''),
  session_id    text COLLATE "C",
  scope         text NOT NULL CHECK (scope IN ('session', 'user', 'global')),
  kind          text NOT NULL,
  topic         text NOT NULL,
  trust         text NOT NULL,
  confidence    double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
  source_turn   uuid,
  created_at    timestamptz NOT NULL,
  expires_at    timestamptz,
  superseded_by uuid,
  document      text NOT NULL
);
CREATE INDEX memories_by_user ON memories (user_id, memory_id);
CREATE INDEX memories_global ON memories (memory_id) WHERE scope = 'global';
CREATE INDEX memories_by_turn ON memories (source_turn) WHERE source_turn IS NOT NULL;
CREATE INDEX memories_by_expiry ON memories (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE research (
  research_id        uuid PRIMARY KEY,
  turn_number        bigint REFERENCES turns (turn_number) ON DELETE SET NULL,
  source_turn        uuid,
  user_id            text COLLATE "C" NOT NULL CHECK (user_id <> ''),
  session_id         text COLLATE "C",
  scope              text NOT NULL CHECK (scope IN ('session', 'user', 'global')),
  primary_topic      text NOT NULL,
  topic_key          text COLLATE "C" NOT NULL,
  quality_overall    double precision NOT NULL CHECK (quality_overall BETWEEN 0 AND 1),
  confidence_current double precision NOT NULL CHECK (confidence_current BETWEEN 0 AND 1),
  created_at         timestamptz NOT NULL,
  expires_at         timestamptz NOT NULL,
  content_types      jsonb NOT NULL CHECK (jsonb_typeof(content_types) = 'array'),
  doc_path           text NOT NULL,
  document           text NOT NULL
);
CREATE INDEX research_by_user ON research (user_id, research_id);
CREATE INDEX research_global ON research (research_id) WHERE scope = 'global';
CREATE INDEX research_by_topic ON research (topic_key);
CREATE INDEX research_by_quality ON research (quality_overall DESC);
CREATE INDEX research_by_expiry ON research (expires_at);
CREATE INDEX research_by_turn ON research (source_turn) WHERE source_turn IS NOT NULL;
CREATE INDEX research_by_number ON research (turn_number) WHERE turn_number IS NOT NULL;

-- notes: what worked and what failed on the site, newest first.
CREATE TABLE sources (
  domain            text COLLATE "C" PRIMARY KEY,
  success_count     bigint NOT NULL DEFAULT 0 CHECK (success_count >= 0),
  failure_count     bigint NOT NULL DEFAULT 0 CHECK (failure_count >= 0),
  last_success      timestamptz,
  last_failure      timestamptz,
  manual_override   text NOT NULL DEFAULT 'none' CHECK (manual_override IN ('none', 'allow', 'block')),
  notes             jsonb NOT NULL DEFAULT '{"worked": [], "failed": []}'
                    CHECK (jsonb_typeof(notes -> 'worked') = 'array' AND jsonb_typeof(notes -> 'failed') = 'array'),
  reliability_score double precision NOT NULL
                    GENERATED ALWAYS AS ((success_count + 1.0) / (success_count + failure_count + 2)) STORED
);

-- Of the last 30 days; older ones are counted in `sources` and dropped when the next one comes.
CREATE TABLE source_attempts (
  domain  text COLLATE "C" NOT NULL REFERENCES sources (domain) ON DELETE CASCADE,
  at      timestamptz NOT NULL,
  success boolean NOT NULL
);
CREATE INDEX source_attempts_by_domain ON source_attempts (domain, at);

CREATE TABLE observability (
  row        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  turn_uid   uuid NOT NULL,
  user_id    text COLLATE "C" NOT NULL,
  kind       text NOT NULL,
  name       text NOT NULL,
  at         timestamptz NOT NULL,
  micros     bigint NOT NULL CHECK (micros >= 0),
  tokens_in  bigint NOT NULL,
  tokens_out bigint NOT NULL,
  ok         boolean NOT NULL,
  detail     text NOT NULL,
  confidence double precision CHECK (confidence BETWEEN 0 AND 1)
);
CREATE INDEX observability_by_turn ON observability (turn_uid);
CREATE INDEX observability_by_kind ON observability (kind, row);

CREATE TABLE recall_receipts (
  receipt_id uuid PRIMARY KEY,
  user_id    text COLLATE "C" NOT NULL,
  turn_uid   uuid,
  receipt    bytea NOT NULL
);
CREATE INDEX recall_receipts_by_user ON recall_receipts (user_id, receipt_id);
CREATE INDEX recall_receipts_by_turn ON recall_receipts (turn_uid) WHERE turn_uid IS NOT NULL;

CREATE TABLE api_keys (
  key_id            uuid PRIMARY KEY,
  name              text NOT NULL,
  user_id           text NOT NULL,
  scopes            text NOT NULL CHECK (scopes <> ''),
  requests_a_minute bigint NOT NULL CHECK (requests_a_minute >= 0),
  tokens_a_minute   bigint NOT NULL CHECK (tokens_a_minute >= 0),
  hint              text COLLATE "C" NOT NULL UNIQUE,
  secret_sha256     text NOT NULL CHECK (length(secret_sha256) = 64),
  created_at        timestamptz NOT NULL,
  expires_at        timestamptz,
  revoked_at        timestamptz,
  last_used_at      timestamptz
);
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (name) WHERE revoked_at IS NULL;

-- Times: microseconds of the wall clock of whoever claims. A queue: rows are written over and over, so pages keep room for that.
CREATE TABLE outbox (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind         text COLLATE "C" NOT NULL,
  key          text COLLATE "C" NOT NULL,
  version      bigint NOT NULL,
  due_at       bigint NOT NULL DEFAULT 0,
  leased_until bigint NOT NULL DEFAULT 0,
  owner        text NOT NULL DEFAULT '',
  attempts     integer NOT NULL DEFAULT 0,
  last_error   text NOT NULL DEFAULT '',
  UNIQUE (kind, key)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
