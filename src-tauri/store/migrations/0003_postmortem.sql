-- Who made a version of the post-mortem and why; its status with everybody who changed it; the shape the record fills
-- it in, where that is not the house's own.

ALTER TABLE drafts ADD COLUMN origin TEXT NOT NULL DEFAULT 'typed';
ALTER TABLE drafts ADD COLUMN by_whom TEXT;
-- When its first letter was saved: what is typed within a minute is one version.
ALTER TABLE drafts ADD COLUMN began_at TEXT;

CREATE TABLE draft_statuses (
  incident INTEGER NOT NULL REFERENCES incidents (row) ON DELETE CASCADE,
  ordinal  INTEGER NOT NULL CHECK (ordinal > 0),
  status   TEXT NOT NULL,
  at       TEXT NOT NULL,
  by_whom  TEXT NOT NULL,
  PRIMARY KEY (incident, ordinal)
) STRICT;

CREATE TABLE draft_shapes (
  incident INTEGER PRIMARY KEY REFERENCES incidents (row) ON DELETE CASCADE,
  shape    TEXT NOT NULL
) STRICT;
