-- Times are milliseconds since 1970-01-01T00:00:00Z, amounts never exceed 2^53.

CREATE TABLE meta (
  name TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Grows with every change of a token. A reader that has seen a revision has seen every earlier one, since only one
-- transaction writes at a time.
INSERT INTO meta (name, value) VALUES ('revision', 0);

CREATE TABLE tokens (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  -- Whether the name is taken: until the token is revoked, or has expired and another takes the name.
  name_held INTEGER NOT NULL CHECK (name_held IN (0, 1)),
  description TEXT,
  label TEXT CHECK (label IN ('access', 'gateway')),
  "grant" TEXT NOT NULL,
  allowances TEXT,
  -- These two stand in the grant, too.
  team_id TEXT,
  expires_at INTEGER,
  created_at INTEGER NOT NULL,
  disabled_at INTEGER,
  revoked_at INTEGER,
  revision INTEGER NOT NULL UNIQUE
) STRICT;

CREATE UNIQUE INDEX tokens_by_held_name ON tokens (name) WHERE name_held = 1;
CREATE INDEX tokens_by_name ON tokens (name);

-- The secrets of a token lie together, so that all of them are read in one go at the start.
CREATE TABLE secrets (
  token INTEGER NOT NULL REFERENCES tokens (number),
  version INTEGER NOT NULL CHECK (version > 0),
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  public_part TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  grace_until INTEGER,
  revoked_at INTEGER,
  rotation_key TEXT,
  rotated_at INTEGER,
  PRIMARY KEY (token, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  number INTEGER PRIMARY KEY CHECK (number > 0),
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  token_id TEXT NOT NULL,
  token_name TEXT NOT NULL,
  before TEXT,
  after TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
  SELECT raise(ABORT, 'the audit log only grows');
END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN
  SELECT raise(ABORT, 'the audit log only grows');
END;

CREATE TABLE events (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  time INTEGER NOT NULL,
  token_id TEXT,
  token_name TEXT,
  secret_version INTEGER,
  team TEXT,
  action TEXT NOT NULL,
  provider TEXT,
  model TEXT,
  decision TEXT NOT NULL CHECK (decision IN ('allow', 'deny')),
  status INTEGER NOT NULL,
  code TEXT,
  policies TEXT,
  policy_set TEXT,
  latency_us INTEGER NOT NULL,
  tokens_in INTEGER,
  tokens_out INTEGER,
  cost_nanos INTEGER,
  shadow TEXT,
  would_flip INTEGER NOT NULL CHECK (would_flip IN (0, 1))
) STRICT;

CREATE TABLE usage (
  token_id TEXT NOT NULL,
  hour INTEGER NOT NULL,
  model TEXT NOT NULL,
  requests INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  tokens_in INTEGER NOT NULL,
  tokens_out INTEGER NOT NULL,
  cost_nanos INTEGER NOT NULL,
  PRIMARY KEY (token_id, hour, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE last_use (
  token_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (token_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE budgets (
  owner_kind TEXT NOT NULL CHECK (owner_kind IN ('token', 'team')),
  owner_id TEXT NOT NULL,
  unit TEXT NOT NULL,
  "window" TEXT NOT NULL,
  start INTEGER NOT NULL,
  ends INTEGER,
  spent INTEGER NOT NULL,
  PRIMARY KEY (owner_kind, owner_id, unit, "window", start)
) STRICT, WITHOUT ROWID;
CREATE INDEX budgets_by_end ON budgets (ends);

PRAGMA application_id = 0x4347544b;
PRAGMA user_version = 1;
