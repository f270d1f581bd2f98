-- When a secret was last refused is kept apart from when it was last admitted: what somebody tries with an old key is no
-- use of it, and whoever looks for keys that nobody uses is not to be misled by it.

CREATE TABLE last_use_by_outcome (
  token_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  at INTEGER,
  refused_at INTEGER,
  PRIMARY KEY (token_id, version)
) STRICT, WITHOUT ROWID;

INSERT INTO last_use_by_outcome (token_id, version, at) SELECT token_id, version, at FROM last_use;
DROP TABLE last_use;
ALTER TABLE last_use_by_outcome RENAME TO last_use;

PRAGMA user_version = 5;
