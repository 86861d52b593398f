-- What the derived files of the search structures need to follow the rows: a number for each change, rising over the life
-- of the file, and what was removed. `epoch` names that life: a restore must give the file another one.

CREATE TABLE changes (
  id       INTEGER PRIMARY KEY CHECK (id = 1),
  epoch    BLOB NOT NULL CHECK (length(epoch) = 16),
  last_seq INTEGER NOT NULL
) STRICT;

ALTER TABLE collections ADD COLUMN removals_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE points ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;

UPDATE points SET seq = numbered.n
  FROM (SELECT collection, id, row_number() OVER (ORDER BY collection, id) AS n FROM points) AS numbered
  WHERE points.collection = numbered.collection AND points.id = numbered.id;
CREATE INDEX points_by_seq ON points (collection, seq);

CREATE TABLE removals (
  collection TEXT NOT NULL REFERENCES collections (name) ON DELETE CASCADE,
  seq        INTEGER NOT NULL,
  id         BLOB NOT NULL CHECK (length(id) = 16),
  PRIMARY KEY (collection, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO changes VALUES (1, randomblob(16), (SELECT coalesce(max(seq), 0) FROM points));
