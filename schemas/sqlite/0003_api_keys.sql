-- Keys of the API, by the hash of their secrets. Times: microseconds. One table and no document: each has a file of its
-- own, from which the row comes back.
CREATE TABLE api_keys (
  key_id            BLOB PRIMARY KEY CHECK (length(key_id) = 16),
  name              TEXT NOT NULL,
  user_id           TEXT NOT NULL,
  scopes            TEXT NOT NULL CHECK (scopes <> ''),
  requests_a_minute INTEGER NOT NULL CHECK (requests_a_minute >= 0),
  tokens_a_minute   INTEGER NOT NULL CHECK (tokens_a_minute >= 0),
  hint              TEXT NOT NULL UNIQUE,
  secret_sha256     TEXT NOT NULL CHECK (length(secret_sha256) = 64),
  created_at        INTEGER NOT NULL,
  expires_at        INTEGER,
  revoked_at        INTEGER,
  last_used_at      INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (name) WHERE revoked_at IS NULL;
