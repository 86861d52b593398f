-- Several gateways on one database.

-- Whose turn it is to write a turn's directory: the gateway that holds the turn in its journal says more than the row. Every session
-- of a gateway says its name; entries without one are anybody's.
ALTER TABLE outbox ADD COLUMN home text COLLATE "C" NOT NULL DEFAULT coalesce(current_setting('gateway.home', true), '');

-- The journals of the gateways that run, and of those that died before theirs was empty. Times are of this server.
CREATE TABLE journals (
  journal_id text COLLATE "C" PRIMARY KEY CHECK (journal_id <> ''),
  host       text NOT NULL,
  directory  text NOT NULL,
  pending    bigint NOT NULL CHECK (pending >= 0),
  seen_at    timestamptz NOT NULL DEFAULT now()
);
