-- What each recall was decided by (docs/formats.md, "Recall receipt"). Derived: no file holds it, nothing brings it back, and
-- only the latest are kept. `receipt` is the truth; the other columns are for finding it.

CREATE TABLE recall_receipts (
  receipt_id BLOB NOT NULL UNIQUE CHECK (length(receipt_id) = 16),
  user_id    TEXT NOT NULL,
  turn_uid   BLOB CHECK (turn_uid IS NULL OR length(turn_uid) = 16),
  receipt    BLOB NOT NULL
) STRICT;
CREATE INDEX recall_receipts_by_user ON recall_receipts (user_id, receipt_id);
CREATE INDEX recall_receipts_by_turn ON recall_receipts (turn_uid) WHERE turn_uid IS NOT NULL;
