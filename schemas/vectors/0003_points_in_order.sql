-- Points in the order of their changes: what is written goes behind the rest, as one run of pages, and what the search
-- structures lack is read as one. By id they are found through an index, which also keeps each of them single.

CREATE TABLE points_in_order (
  seq        INTEGER PRIMARY KEY CHECK (seq > 0),
  collection TEXT NOT NULL REFERENCES collections (name) ON DELETE CASCADE,
  id         BLOB NOT NULL CHECK (length(id) = 16),
  version    INTEGER NOT NULL,
  payload    TEXT NOT NULL CHECK (json_valid(payload)),
  vectors    BLOB NOT NULL
) STRICT;
INSERT INTO points_in_order (seq, collection, id, version, payload, vectors)
  SELECT seq, collection, id, version, payload, vectors FROM points ORDER BY seq;
DROP TABLE points;
ALTER TABLE points_in_order RENAME TO points;

CREATE UNIQUE INDEX points_by_id ON points (collection, id);
CREATE INDEX points_by_seq ON points (collection);  -- and by seq, the row's number
