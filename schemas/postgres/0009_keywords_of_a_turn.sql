-- Which of a user's turns have a term among their keywords, for tf·idf: one row a turn instead of ten. A key is made of user and term (the
-- first eight bytes of the SHA-256 of both, with a NUL between), so others' turns are never looked at, and a term may be as long as it
-- likes. The index gathers some hundred turns before it sorts them in: a save appends to a page, who counts reads 64 kB of it at most.
ALTER TABLE turn_keywords RENAME TO turn_keywords_before;
ALTER INDEX turn_keywords_pkey RENAME TO turn_keywords_before_pkey;

CREATE TABLE turn_keywords (
  turn_number bigint PRIMARY KEY,
  keys        bigint[] NOT NULL
);

INSERT INTO turn_keywords
  SELECT turn_number, array_agg(('x' || encode(substr(sha256(convert_to(user_id, 'UTF8') || '\x00'
           || convert_to(keyword, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint ORDER BY keyword)
    FROM turn_keywords_before GROUP BY turn_number;

CREATE INDEX turn_keywords_by_key ON turn_keywords USING gin (keys) WITH (gin_pending_list_limit = 64);
DROP TABLE turn_keywords_before;
