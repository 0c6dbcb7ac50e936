-- Views for the questions that analysts ask first.
-- Run this file in the schema of delete_tracker, as its owner.
USE ROLE SYSADMIN;
USE SCHEMA audit.salesforce;

-- The latest delete of each record.
-- A record that was restored and deleted again has several deletes in delete_tracker.
CREATE OR REPLACE VIEW delete_tracker_latest AS
SELECT
    object_name,
    record_id,
    deleted_date,
    deleted_by,
    owner_id,
    topic,
    event_id,
    payload,
    ingested_at
FROM delete_tracker
WHERE record_id NOT LIKE '%*'
QUALIFY ROW_NUMBER() OVER (PARTITION BY record_id ORDER BY deleted_date DESC, event_id DESC) = 1;

-- Deletes by day, object and user.
CREATE OR REPLACE VIEW delete_tracker_daily AS
SELECT
    deleted_date::DATE AS day,
    object_name,
    deleted_by,
    COUNT(*) AS deletes,
    COUNT(DISTINCT record_id) AS records
FROM delete_tracker
GROUP BY deleted_date::DATE, object_name, deleted_by;

-- Reasons why the table may be incomplete: gaps, refused files, rejects. No row is good.
CREATE OR REPLACE VIEW delete_tracker_incomplete AS
SELECT 'gap' AS what, topic AS source, reason AS why, from_time, to_time, detected_at AS known_since
FROM delete_tracker_gaps
UNION ALL
SELECT 'refused file', event_file, error, first_event_at, last_event_at, loaded_at
FROM delete_tracker_loads
WHERE error IS NOT NULL
UNION ALL
SELECT 'reject', topic, error, NULL, TRY_CAST(received_at AS TIMESTAMP_NTZ), loaded_at
FROM delete_tracker_rejects;

-- Each sweep: its number of files and rows, and how far the table reaches.
-- A file counts only for the sweep that loaded it last. After a full sweep, that is the full sweep.
CREATE OR REPLACE VIEW delete_tracker_sweeps AS
SELECT
    sweep_id,
    MAX(loaded_at) AS loaded_at,
    COUNT(*) AS files,
    SUM(rows_read) AS rows_read,
    SUM(rows_inserted) AS rows_inserted,
    SUM(rows_rejected) AS rows_rejected,
    SUM(gaps) AS gaps,
    COUNT(error) AS files_refused,
    MIN(first_event_at) AS first_event_at,
    MAX(last_event_at) AS last_event_at
FROM delete_tracker_loads
GROUP BY sweep_id;
