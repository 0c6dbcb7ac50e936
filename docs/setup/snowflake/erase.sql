-- Erase a person's data from Snowflake alone, here of the record 003000000000001AAA.
-- The command erase of the sync does this too, and also changes the event files. Use this file only
-- if you cannot run the command. Write the id with its 18 characters, also in each statement that
-- compares only the first 15. Run it as delete_tracker_eraser, all statements in one session.
-- The second statement takes the lock that each transaction of the sync takes. So a sweep that runs
-- waits until COMMIT. Then it ends, because it has read event files without knowing of this record.
-- Later sweeps know it from the third statement.
BEGIN TRANSACTION;
UPDATE delete_tracker_lock SET previous = token, token = UUID_STRING(), taken_at = SYSDATE();
INSERT INTO delete_tracker_erased (record_sha256, erased_at, rows_removed)
SELECT SHA2('003000000000001AAA', 256), SYSDATE(), COUNT(*)
FROM delete_tracker
WHERE (
    LEFT(record_id, 15) = LEFT('003000000000001AAA', 15)
    OR UPPER(record_id) = UPPER('003000000000001AAA')
) AND COALESCE(topic, '') <> 'check';

-- The rows of the record. A system may have changed the case of all 18 characters of an id.
DELETE FROM delete_tracker
WHERE LEFT(record_id, 15) = LEFT('003000000000001AAA', 15)
    OR UPPER(record_id) = UPPER('003000000000001AAA');
DELETE FROM delete_tracker_listed
WHERE LEFT(record_id, 15) = LEFT('003000000000001AAA', 15)
    OR UPPER(record_id) = UPPER('003000000000001AAA');
DELETE FROM delete_tracker_restores
WHERE LEFT(record_id, 15) = LEFT('003000000000001AAA', 15)
    OR UPPER(record_id) = UPPER('003000000000001AAA');

-- The rows of other records that name it. The fact of their deletes stays.
UPDATE delete_tracker SET deleted_by = NULL
WHERE LEFT(deleted_by, 15) = LEFT('003000000000001AAA', 15)
    OR UPPER(deleted_by) = UPPER('003000000000001AAA');
UPDATE delete_tracker SET owner_id = NULL
WHERE LEFT(owner_id, 15) = LEFT('003000000000001AAA', 15)
    OR UPPER(owner_id) = UPPER('003000000000001AAA');
UPDATE delete_tracker SET payload = PARSE_JSON(
    '{"_tracker": ' || payload:_tracker::VARCHAR || '}'
)
WHERE CONTAINS(payload::VARCHAR, LEFT('003000000000001AAA', 15))
    OR CONTAINS(UPPER(payload::VARCHAR), UPPER('003000000000001AAA'));
UPDATE delete_tracker_listed SET deleted_by = NULL
WHERE LEFT(deleted_by, 15) = LEFT('003000000000001AAA', 15)
    OR UPPER(deleted_by) = UPPER('003000000000001AAA');
UPDATE delete_tracker_listed SET owner_id = NULL
WHERE LEFT(owner_id, 15) = LEFT('003000000000001AAA', 15)
    OR UPPER(owner_id) = UPPER('003000000000001AAA');
UPDATE delete_tracker_listed SET merged_into = NULL
WHERE LEFT(merged_into, 15) = LEFT('003000000000001AAA', 15)
    OR UPPER(merged_into) = UPPER('003000000000001AAA');
UPDATE delete_tracker_listed SET payload = PARSE_JSON(
    '{"_tracker": ' || payload:_tracker::VARCHAR || '}'
)
WHERE CONTAINS(payload::VARCHAR, LEFT('003000000000001AAA', 15))
    OR CONTAINS(UPPER(payload::VARCHAR), UPPER('003000000000001AAA'));
UPDATE delete_tracker_restores SET restored_by = NULL
WHERE LEFT(restored_by, 15) = LEFT('003000000000001AAA', 15)
    OR UPPER(restored_by) = UPPER('003000000000001AAA');

-- Rejects have their bytes as hexadecimal text, in which a record id stands letter by letter.
UPDATE delete_tracker_rejects SET payload = ''
WHERE CONTAINS(payload, HEX_ENCODE(LEFT('003000000000001AAA', 15)))
    OR CONTAINS(payload, HEX_ENCODE(UPPER('003000000000001AAA')))
    OR CONTAINS(payload, HEX_ENCODE(LOWER('003000000000001AAA')));
UPDATE delete_tracker_rejects SET payload = '', event_id = 'erased'
WHERE CONTAINS(event_id, LEFT('003000000000001AAA', 15))
    OR CONTAINS(UPPER(event_id), UPPER('003000000000001AAA'));
COMMIT;

-- What is left of a sweep that was killed. A sweep that runs now uploads its files again.
REMOVE @delete_tracker_stage;

-- Run this in a new session. If noted is 0, or left_rows is not, the transaction was ended from
-- outside, or did not see the rows of a sweep before it: run this file again.
SELECT
    (
        SELECT COUNT(*) FROM delete_tracker_erased
        WHERE record_sha256 = SHA2('003000000000001AAA', 256)
    ) AS noted,
    (
        SELECT COUNT(*) FROM delete_tracker
        WHERE LEFT(record_id, 15) = LEFT('003000000000001AAA', 15)
            OR UPPER(record_id) = UPPER('003000000000001AAA')
    ) AS left_rows;

-- This file leaves the data in these places:
-- - the event files in the container. Sweeps insert nothing of them that names the record.
-- - notes in the key _tracker of payloads
-- - rejected events that name the person without an id, until somebody clears them
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
