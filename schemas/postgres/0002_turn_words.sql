-- The words of turns, for recall while the points cannot be asked. `terms` are our analyser's, each once, so that the server's
-- dictionaries have no say. Written with a turn's own vector, which is off the way of an acknowledgement; one that is older than
-- this version gets its words from `pandora db migrate`.
CREATE TABLE turn_words (
  turn_uid uuid PRIMARY KEY REFERENCES turns (turn_uid) ON DELETE CASCADE,
  terms    text NOT NULL,
  search   tsvector NOT NULL GENERATED ALWAYS AS (array_to_tsvector(array_remove(string_to_array(terms, ' '), ''))) STORED
);
