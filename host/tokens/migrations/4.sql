-- Which store this is, so that another one in its place is told from it; and what the file alone says of the log beside
-- it: 0 whole, 1 the log holds more, 2 said by what stands in the log.

INSERT INTO meta (name, value) VALUES ('identity', random());
INSERT INTO meta (name, value) VALUES ('log', 0);

PRAGMA user_version = 4;
