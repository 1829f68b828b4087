-- What was asked about an incident and answered: a conversation per incident, in the order it was asked in.

CREATE TABLE exchanges (
  id       TEXT PRIMARY KEY,
  incident INTEGER NOT NULL REFERENCES incidents (row) ON DELETE CASCADE,
  asked_at TEXT NOT NULL,
  body     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX exchanges_by_incident ON exchanges (incident, asked_at, id);
