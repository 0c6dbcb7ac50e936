-- Questions that analysts ask first. Each query reads the views of 3_views.sql.
-- Run it as a role that may read them, such as delete_tracker_reader.
USE SCHEMA audit.salesforce;

-- Which accounts were deleted in the last seven days, and by whom?
SELECT deleted_date, record_id, deleted_by, source
FROM delete_tracker_deletes
WHERE object_name = 'Account' AND deleted_date >= DATEADD('day', -7, SYSDATE())
ORDER BY deleted_date, record_id;

-- Which of them are back?
SELECT record_id, deleted_date, restored_date
FROM delete_tracker_latest
WHERE object_name = 'Account' AND deleted_date >= DATEADD('day', -7, SYSDATE())
    AND deleted_now = 'no'
ORDER BY record_id;

-- Which of them were merged, and which record is left?
SELECT record_id, deleted_date, merged_into
FROM delete_tracker_latest
WHERE object_name = 'Account' AND deleted_date >= DATEADD('day', -7, SYSDATE())
    AND merged_into IS NOT NULL
ORDER BY record_id;

-- Is each of the last seven days complete, and if not, why?
SELECT object_name, day, verdict, reason, listed, tracked, recovered
FROM delete_tracker_completeness
WHERE day >= DATEADD('day', -7, SYSDATE())::DATE
ORDER BY object_name, day;

-- How fresh is the table?
SELECT topic, object_name, last_poll_at, read_until, proven_until, last_error
FROM delete_tracker_freshness
ORDER BY topic, object_name;

-- What was deleted together with this account?
SELECT t.object_name, t.record_id, t.deleted_by, t.deleted_date
FROM delete_tracker_transactions a
JOIN delete_tracker_transactions t ON t.transaction_key = a.transaction_key
WHERE a.record_id = '<the account>' AND t.record_id <> a.record_id
ORDER BY t.sequence_number, t.record_id;
