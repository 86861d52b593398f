-- Points of the embedded vector store. The search structures in memory are derived from these rows at start.

CREATE TABLE collections (
  name TEXT PRIMARY KEY,
  spec TEXT NOT NULL CHECK (json_valid(spec))
) STRICT, WITHOUT ROWID;

CREATE TABLE aliases (
  alias      TEXT PRIMARY KEY,
  collection TEXT NOT NULL REFERENCES collections (name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- vectors: the encoded dense and sparse vectors (store_embedded/point_codec.h).
CREATE TABLE points (
  collection TEXT NOT NULL REFERENCES collections (name) ON DELETE CASCADE,
  id         BLOB NOT NULL CHECK (length(id) = 16),
  version    INTEGER NOT NULL,
  payload    TEXT NOT NULL CHECK (json_valid(payload)),
  vectors    BLOB NOT NULL,
  PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;
