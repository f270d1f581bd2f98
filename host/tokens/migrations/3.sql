-- Counts of the last seconds, one text for each batch: a row of `usage` and one of `last_use` for each token that was
-- used are written together for many batches, since they cost more than everything else that is recorded.

CREATE TABLE waiting_counts (
  number INTEGER PRIMARY KEY,
  data TEXT NOT NULL
) STRICT;

PRAGMA user_version = 3;
