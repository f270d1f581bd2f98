-- An event is one text, which costs a part of what twenty columns do when it is written. Whoever reads still sees the
-- columns, which are computed then.

ALTER TABLE events RENAME TO events_of_format_1;

CREATE TABLE event_texts (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  data TEXT NOT NULL
) STRICT;

CREATE VIEW events AS SELECT
  number,
  data,
  data ->> 'id' AS id,
  data ->> 'time' AS time,
  data ->> 'token_id' AS token_id,
  data ->> 'token_name' AS token_name,
  data ->> 'secret_version' AS secret_version,
  data ->> 'team' AS team,
  data ->> 'action' AS action,
  data ->> 'provider' AS provider,
  data ->> 'model' AS model,
  data ->> 'decision' AS decision,
  data ->> 'status' AS status,
  data ->> 'code' AS code,
  data -> 'policies' AS policies,
  data ->> 'policy_set' AS policy_set,
  data ->> 'latency_us' AS latency_us,
  data ->> 'tokens_in' AS tokens_in,
  data ->> 'tokens_out' AS tokens_out,
  data ->> 'cost_nanos' AS cost_nanos,
  data -> 'shadow' AS shadow,
  coalesce(data ->> '$.shadow.decision' <> data ->> 'decision', 0) AS would_flip
FROM event_texts;

-- Patching takes away what is null.
INSERT INTO event_texts (number, data)
SELECT number, json_patch('{}', json_object(
  'id', id,
  'time', strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000.0, 'unixepoch'),
  'token_id', token_id,
  'token_name', token_name,
  'secret_version', secret_version,
  'team', team,
  'action', action,
  'provider', provider,
  'model', model,
  'decision', decision,
  'status', status,
  'code', code,
  'policies', json(policies),
  'policy_set', policy_set,
  'latency_us', latency_us,
  'tokens_in', tokens_in,
  'tokens_out', tokens_out,
  'cost_nanos', cost_nanos,
  'shadow', json(shadow)
)) FROM events_of_format_1 ORDER BY number;

DROP TABLE events_of_format_1;

PRAGMA user_version = 2;
