-- A save writes what was observed of its turn as one row instead of some ten: each row costs an entry in every index besides. The
-- view `observability` gives one row for each observation, as the table of that name did. The arrays of a row are of one length, 1,000 at
-- most; `row` is the number of the first, so that a page can begin at any. Each CHECK is read anew by each statement: only values have one.
CREATE TABLE observations (
  row        bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY 1000) PRIMARY KEY,
  turn_uid   uuid NOT NULL,
  user_id    text COLLATE "C" NOT NULL,
  last_at    timestamptz NOT NULL,
  kind       text[] NOT NULL,
  name       text[] NOT NULL,
  at         timestamptz[] NOT NULL,
  micros     bigint[] NOT NULL CHECK (0 <= ALL (micros)),
  tokens_in  bigint[] NOT NULL,
  tokens_out bigint[] NOT NULL,
  ok         boolean[] NOT NULL,
  detail     text[] NOT NULL,
  confidence double precision[] NOT NULL CHECK (0 <= ALL (confidence) AND 1 >= ALL (confidence))
);

-- In the order in which they came; of one turn at most as many together as a row may hold.
INSERT INTO observations (turn_uid, user_id, last_at, kind, name, at, micros, tokens_in, tokens_out, ok, detail, confidence)
  SELECT turn_uid, user_id, max(at), array_agg(kind ORDER BY row), array_agg(name ORDER BY row), array_agg(at ORDER BY row),
         array_agg(micros ORDER BY row), array_agg(tokens_in ORDER BY row), array_agg(tokens_out ORDER BY row),
         array_agg(ok ORDER BY row), array_agg(detail ORDER BY row), array_agg(confidence ORDER BY row)
    FROM (SELECT *, (row_number() OVER (PARTITION BY turn_uid, user_id ORDER BY row) - 1) / 1000 AS part FROM observability) AS one
    GROUP BY turn_uid, user_id, part ORDER BY min(row);

CREATE INDEX observations_by_turn ON observations (turn_uid);
CREATE INDEX observations_by_time ON observations (user_id, last_at);
DROP TABLE observability;

CREATE VIEW observability AS
  SELECT o.row + one.place - 1 AS row, o.turn_uid, o.user_id, one.kind, one.name, one.at, one.micros, one.tokens_in, one.tokens_out,
         one.ok, one.detail, one.confidence
    FROM observations AS o CROSS JOIN LATERAL
         unnest(o.kind, o.name, o.at, o.micros, o.tokens_in, o.tokens_out, o.ok, o.detail, o.confidence) WITH ORDINALITY
         AS one (kind, name, at, micros, tokens_in, tokens_out, ok, detail, confidence, place);
