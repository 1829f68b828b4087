-- Which change set the trouble off is a conclusion as well: the label of an entry about a change may come and go, and
-- nothing else of it.

DROP TRIGGER timeline_is_immutable;
CREATE TRIGGER timeline_is_immutable BEFORE UPDATE ON timeline
WHEN old.label IS NOT 'started' AND (
  old.kind <> 'change'
  OR new.label IS NOT NULL AND new.label <> 'trigger'
  OR new.incident <> old.incident OR new.seq <> old.seq OR new.at <> old.at OR new.kind <> old.kind
  OR json_extract(new.body, '$.label') IS NOT new.label
  OR json_remove(new.body, '$.label') <> json_remove(old.body, '$.label')
) BEGIN
  SELECT RAISE(ABORT, 'timeline entries are immutable');
END;
