-- pandora: without a transaction
CREATE INDEX CONCURRENTLY turn_words_search ON turn_words USING gin (search);
