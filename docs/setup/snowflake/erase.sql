-- Erase a person's data, here of the record 003000000000001AAA. The fact of the delete stays.
-- Do not remove the row. A sweep never changes a row that is in the table. So the row's key keeps
-- an event file from bringing the payload back.
UPDATE delete_tracker
SET payload = NULL, owner_id = NULL, deleted_by = NULL
WHERE record_id = '003000000000001AAA';

-- Rejects hold raw bytes, so you cannot search them for a record id.
-- Remove the rejects that you no longer need for a repair, here those older than 30 days.
DELETE FROM delete_tracker_rejects WHERE loaded_at < DATEADD('day', -30, SYSDATE());

-- Find the event files that may contain the record. The name of a file is the UTC second in which
-- it was begun, at most one run before ingested_at.
SELECT DISTINCT ingested_at FROM delete_tracker WHERE record_id = '003000000000001AAA';
