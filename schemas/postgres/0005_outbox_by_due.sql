-- Every gateway looks for work several times a second, also while a hundred thousand entries wait for a server that is away: it finds
-- what is due without reading what is not. A turn's directory is its home's, everything else is anybody's. No lease stands in it, so a
-- claim alters no index.
CREATE INDEX outbox_by_due ON outbox ((CASE kind WHEN 'turn_directory' THEN home ELSE '' END), due_at);
