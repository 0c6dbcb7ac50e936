-- Erase a person's data, here of the record 003000000000001AAA. The fact of the delete stays.
-- Do not remove the row. A sweep never changes a row that is in the table. So the row's key keeps
-- an event file from bringing the payload back.
UPDATE delete_tracker
SET payload = NULL, owner_id = NULL, deleted_by = NULL
WHERE record_id = '003000000000001AAA';

-- Rejects hold raw bytes, so you cannot search them for a record id.
-- Remove the rejects that you no longer need for a repair, here those older than 30 days.
-- A full sweep brings a reject back if its event file is still in the container.
DELETE FROM delete_tracker_rejects WHERE loaded_at < DATEADD('day', -30, SYSDATE());

-- Find the loaded event files that may contain the record: the time of the delete is between the
-- first and the last delete of the file. Remove these files. The list has no pending file.
SELECT DISTINCT l.event_file
FROM delete_tracker t
JOIN delete_tracker_loads l
    ON t.deleted_date >= l.first_event_at AND t.deleted_date <= l.last_event_at
WHERE t.record_id = '003000000000001AAA' AND l.error IS NULL
ORDER BY l.event_file;
