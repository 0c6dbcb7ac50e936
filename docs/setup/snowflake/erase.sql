-- Erase a person's data from Snowflake alone, here of the record 003000000000001AAA.
-- The command erase of the sync does this too, and also changes the event files. Use this file only
-- if you cannot run the command. Write the id with its 18 characters, also in each statement that
-- compares only the first 15.
-- Stop the app of the sync first: a sweep that runs meanwhile may bring rows back. Later sweeps do
-- not, because of the first statement.
INSERT INTO delete_tracker_erased (record_sha256, erased_at, rows_removed)
SELECT SHA2('003000000000001AAA', 256), SYSDATE(), COUNT(*)
FROM delete_tracker
WHERE LEFT(record_id, 15) = LEFT('003000000000001AAA', 15) AND COALESCE(topic, '') <> 'check';

-- The rows of the record.
DELETE FROM delete_tracker WHERE LEFT(record_id, 15) = LEFT('003000000000001AAA', 15);
DELETE FROM delete_tracker_listed WHERE LEFT(record_id, 15) = LEFT('003000000000001AAA', 15);
DELETE FROM delete_tracker_restores WHERE LEFT(record_id, 15) = LEFT('003000000000001AAA', 15);

-- The rows of other records that name it. The fact of their deletes stays.
UPDATE delete_tracker SET deleted_by = NULL
WHERE LEFT(deleted_by, 15) = LEFT('003000000000001AAA', 15);
UPDATE delete_tracker SET owner_id = NULL
WHERE LEFT(owner_id, 15) = LEFT('003000000000001AAA', 15);
UPDATE delete_tracker SET payload = PARSE_JSON(
    '{"_tracker": ' || payload:_tracker::VARCHAR || '}'
)
WHERE CONTAINS(payload::VARCHAR, LEFT('003000000000001AAA', 15));
UPDATE delete_tracker_listed SET deleted_by = NULL
WHERE LEFT(deleted_by, 15) = LEFT('003000000000001AAA', 15);
UPDATE delete_tracker_listed SET owner_id = NULL
WHERE LEFT(owner_id, 15) = LEFT('003000000000001AAA', 15);
UPDATE delete_tracker_listed SET merged_into = NULL
WHERE LEFT(merged_into, 15) = LEFT('003000000000001AAA', 15);
UPDATE delete_tracker_listed SET payload = PARSE_JSON(
    '{"_tracker": ' || payload:_tracker::VARCHAR || '}'
)
WHERE CONTAINS(payload::VARCHAR, LEFT('003000000000001AAA', 15));
UPDATE delete_tracker_restores SET restored_by = NULL
WHERE LEFT(restored_by, 15) = LEFT('003000000000001AAA', 15);

-- Rejects have their bytes as hexadecimal text, in which a record id stands letter by letter.
UPDATE delete_tracker_rejects SET payload = ''
WHERE CONTAINS(payload, HEX_ENCODE(LEFT('003000000000001AAA', 15)));
UPDATE delete_tracker_rejects SET payload = '', event_id = 'erased'
WHERE CONTAINS(event_id, LEFT('003000000000001AAA', 15));

-- What is left of a sweep that was killed. A sweep that runs now uploads its files again.
REMOVE @delete_tracker_stage;

-- This file leaves the data in these places:
-- - the event files in the container. Sweeps insert nothing of them that names the record.
-- - the reasons of refusals, the errors of polls and checks, and the notes of acknowledgements
-- - Time Travel, for DATA_RETENTION_TIME_IN_DAYS, and Fail-safe, for seven more days
-- - the history of queries, because these statements have the id: for 14 days in Snowsight, and for
--   365 days in ACCOUNT_USAGE
-- Find the loaded event files that may contain the record: the time of the delete is between their
-- first and last delete. Write that time, which the first statements have removed from the table.
-- Files of checks, and files that have only restores or rejects, have no such times.
SELECT DISTINCT event_file
FROM delete_tracker_loads
WHERE '2026-02-01 00:00:00'::TIMESTAMP_NTZ BETWEEN first_event_at AND last_event_at
    AND error IS NULL
ORDER BY event_file;
