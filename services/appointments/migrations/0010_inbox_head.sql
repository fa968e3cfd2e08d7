-- The first notices of a person may be written by two at once. ON CONFLICT waits for the other in
-- the index that it names; in another unique index it fails.
ALTER TABLE tv.inbox_head DROP CONSTRAINT inbox_head_person_id_key;
CREATE INDEX inbox_head_person ON tv.inbox_head (person_id);
