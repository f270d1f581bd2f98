-- What holders, which are processes, have reserved of budgets and not settled yet. What nobody settles in time counts
-- as spent.

CREATE TABLE leases (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  holder TEXT NOT NULL,
  owner_kind TEXT NOT NULL CHECK (owner_kind IN ('token', 'team')),
  owner_id TEXT NOT NULL,
  unit TEXT NOT NULL,
  "window" TEXT NOT NULL,
  start INTEGER NOT NULL,
  ends INTEGER,
  amount INTEGER NOT NULL CHECK (amount >= 0),
  -- Whether the holder may have something that it does not use, and whether another holder asks for it.
  idle TEXT NOT NULL CHECK (idle IN ('maybe', 'wanted', 'none')),
  until INTEGER NOT NULL,
  UNIQUE (owner_kind, owner_id, unit, "window", start, holder)
) STRICT;
CREATE INDEX leases_by_until ON leases (until);
CREATE INDEX leases_wanted ON leases (holder) WHERE idle = 'wanted';

PRAGMA user_version = 6;
