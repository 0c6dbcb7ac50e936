-- Erase what is known of a person, here of the record 003000000000001AAA, and keep that it was deleted. The row must stay: its key
-- keeps an event file that still holds the event from bringing the payload back (a row that is in the table is never changed by a sweep).
UPDATE delete_tracker
SET payload = NULL, owner_id = NULL, deleted_by = NULL
WHERE record_id = '003000000000001AAA';

-- Rejects hold raw bytes, so that a record id is not visible in them: remove those that are older than is needed for repair.
DELETE FROM delete_tracker_rejects WHERE loaded_at < DATEADD('day', -30, SYSDATE());

-- Which event files may hold it (their names are the UTC second in which they were begun, up to a run before ingested_at).
SELECT DISTINCT ingested_at FROM delete_tracker WHERE record_id = '003000000000001AAA';
