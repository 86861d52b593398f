-- pandora: without a transaction
CREATE INDEX CONCURRENTLY observability_by_time ON observability (user_id, at);
