-- The first format of the history.
--
-- Times are RFC 3339 in UTC with nine decimals, so that they sort as text and lose nothing. A `body` holds the whole
-- value as JSON; the columns beside it are there to be queried and are written from the same value.

PRAGMA application_id = 0x41465457; -- "AFTW"

-- `revision` grows with every write; `number` is the last incident number given away, so that none is used twice.
CREATE TABLE counters (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('revision', 0), ('number', 0);

CREATE TABLE incidents (
  row               INTEGER PRIMARY KEY,
  id                TEXT NOT NULL UNIQUE,
  number            INTEGER NOT NULL UNIQUE CHECK (number > 0),
  revision          INTEGER NOT NULL CHECK (revision > 0),
  fingerprint       TEXT NOT NULL,
  cluster           TEXT NOT NULL,
  cluster_uid       TEXT NOT NULL,
  state             TEXT NOT NULL,
  severity          TEXT NOT NULL,
  title             TEXT NOT NULL,
  subject_kind      TEXT NOT NULL,
  subject_namespace TEXT,
  subject_name      TEXT NOT NULL,
  started_at        TEXT,
  detected_at       TEXT NOT NULL,
  acknowledged_at   TEXT,
  mitigated_at      TEXT,
  resolved_at       TEXT,
  body              TEXT NOT NULL
) STRICT;
CREATE INDEX incidents_by_detection ON incidents (detected_at DESC, number DESC);
CREATE INDEX incidents_by_revision ON incidents (revision);
CREATE INDEX incidents_by_fingerprint ON incidents (fingerprint);
CREATE INDEX incidents_open ON incidents (cluster) WHERE state <> 'resolved';

-- Namespaces an incident touches by subject, cause or symptom.
CREATE TABLE incident_namespaces (
  incident  INTEGER NOT NULL REFERENCES incidents (row) ON DELETE CASCADE,
  namespace TEXT NOT NULL,
  PRIMARY KEY (incident, namespace)
) STRICT, WITHOUT ROWID;

CREATE TABLE findings (
  incident    INTEGER NOT NULL REFERENCES incidents (row) ON DELETE CASCADE,
  ordinal     INTEGER NOT NULL,
  fingerprint TEXT NOT NULL,
  rule_id     TEXT NOT NULL,
  active      INTEGER NOT NULL CHECK (active IN (0, 1)),
  body        TEXT NOT NULL,
  PRIMARY KEY (incident, ordinal)
) STRICT;
CREATE INDEX findings_by_rule ON findings (rule_id);

CREATE TABLE timeline (
  incident INTEGER NOT NULL REFERENCES incidents (row) ON DELETE CASCADE,
  seq      INTEGER NOT NULL,
  at       TEXT NOT NULL,
  kind     TEXT NOT NULL,
  label    TEXT,
  body     TEXT NOT NULL,
  PRIMARY KEY (incident, seq)
) STRICT;

CREATE TABLE evidence (
  incident INTEGER NOT NULL REFERENCES incidents (row) ON DELETE CASCADE,
  id       TEXT NOT NULL,
  ordinal  INTEGER NOT NULL,
  key      TEXT NOT NULL,
  kind     TEXT NOT NULL,
  at       TEXT NOT NULL,
  body     TEXT NOT NULL,
  PRIMARY KEY (incident, id)
) STRICT;
-- What was recorded cannot be rewritten, whichever program tries.
CREATE TRIGGER evidence_is_immutable BEFORE UPDATE ON evidence BEGIN
  SELECT RAISE(ABORT, 'evidence is immutable');
END;
-- When the trouble started is a conclusion, and gets better with what is learned later.
CREATE TRIGGER timeline_is_immutable BEFORE UPDATE ON timeline WHEN old.label IS NOT 'started' BEGIN
  SELECT RAISE(ABORT, 'timeline entries are immutable');
END;

CREATE TABLE incident_changes (
  incident INTEGER NOT NULL REFERENCES incidents (row) ON DELETE CASCADE,
  ordinal  INTEGER NOT NULL,
  id       TEXT NOT NULL,
  body     TEXT NOT NULL,
  PRIMARY KEY (incident, ordinal)
) STRICT;

-- Every change seen, whether an incident took it in or not.
CREATE TABLE changes (
  cluster   TEXT NOT NULL,
  key       TEXT NOT NULL,
  at        TEXT NOT NULL,
  namespace TEXT,
  body      TEXT NOT NULL,
  PRIMARY KEY (cluster, key)
) STRICT;
CREATE INDEX changes_by_time ON changes (cluster, at);

-- `namespace` is empty where every namespace was watched. `ended_by` is absent while the span is open.
CREATE TABLE coverage (
  cluster   TEXT NOT NULL,
  kind      TEXT NOT NULL,
  namespace TEXT NOT NULL,
  from_at   TEXT NOT NULL,
  to_at     TEXT NOT NULL,
  how       TEXT NOT NULL,
  ended_by  TEXT,
  PRIMARY KEY (cluster, kind, namespace, from_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX coverage_by_end ON coverage (cluster, to_at);

-- Notes and post-mortems keep every version; the highest one is current. A post-mortem without text is one that went
-- back to the template.
CREATE TABLE notes (
  incident   INTEGER NOT NULL REFERENCES incidents (row) ON DELETE CASCADE,
  version    INTEGER NOT NULL CHECK (version > 0),
  revision   INTEGER NOT NULL,
  updated_at TEXT NOT NULL,
  text       TEXT NOT NULL,
  PRIMARY KEY (incident, version)
) STRICT;
CREATE INDEX notes_by_revision ON notes (revision);

CREATE TABLE drafts (
  incident   INTEGER NOT NULL REFERENCES incidents (row) ON DELETE CASCADE,
  version    INTEGER NOT NULL CHECK (version > 0),
  revision   INTEGER NOT NULL,
  updated_at TEXT NOT NULL,
  markdown   TEXT,
  PRIMARY KEY (incident, version)
) STRICT;
CREATE INDEX drafts_by_revision ON drafts (revision);

CREATE TABLE silences (
  id       TEXT PRIMARY KEY,
  until_at TEXT NOT NULL,
  body     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
  cluster     TEXT PRIMARY KEY,
  holder      TEXT NOT NULL,
  holder_name TEXT NOT NULL,
  expires_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Full text: a document per part of an incident (`head`, `notes`, `evidence E7`, `timeline 5`), so that immutable
-- parts are indexed once. The index holds no copy of the text.
CREATE TABLE search_documents (
  row      INTEGER PRIMARY KEY,
  incident INTEGER NOT NULL REFERENCES incidents (row) ON DELETE CASCADE,
  part     TEXT NOT NULL,
  UNIQUE (incident, part)
) STRICT;
CREATE VIRTUAL TABLE search USING fts5 (
  text, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2", prefix = '2 3'
);
CREATE TRIGGER search_forgets AFTER DELETE ON search_documents BEGIN
  DELETE FROM search WHERE rowid = old.row;
END;
