-- Views for the questions that analysts ask first.
-- Run this file in the schema of delete_tracker, as its owner.
USE ROLE SYSADMIN;
USE SCHEMA audit.salesforce;

-- One row for each delete, whatever told of it.
-- Rows of different topics for one record are one delete if they are at most ten minutes apart, for
-- example those of a trigger and of Change Data Capture. Two rows of one topic are two deletes.
-- A wildcard such as 001* is not a delete but a gap.
CREATE OR REPLACE VIEW delete_tracker_deletes AS
WITH
told AS (
    SELECT
        id,
        event_id,
        topic,
        object_name,
        record_id,
        deleted_by,
        deleted_date,
        owner_id,
        payload,
        ingested_at,
        IFF(topic = 'check', 'check', 'event') AS source,
        COALESCE(record_id, event_id) AS record
    FROM delete_tracker
    WHERE COALESCE(record_id, '') NOT LIKE '%*'
),

-- Is a row more than ten minutes later than the record's row before it?
of_events AS (
    SELECT
        *,
        IFF(
            deleted_date <= DATEADD('minute', 10, LAG(deleted_date) OVER (
                PARTITION BY record ORDER BY deleted_date, event_id
            )),
            0,
            1
        ) AS is_later
    FROM told
    WHERE source = 'event'
),

-- Number the stretches of rows that are close together.
close_together AS (
    SELECT
        *,
        SUM(is_later) OVER (
            PARTITION BY record ORDER BY deleted_date, event_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stretch
    FROM of_events
),

-- The first rows of all topics are one delete, the second rows are another one, and so on.
numbered AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY record, stretch, topic ORDER BY deleted_date, event_id
        ) AS number_in_topic
    FROM close_together
),

counted AS (
    SELECT *
    FROM numbered
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY record, stretch, number_in_topic ORDER BY deleted_date, event_id
    ) = 1
)

SELECT
    id,
    event_id,
    topic,
    object_name,
    record_id,
    deleted_by,
    deleted_date,
    owner_id,
    payload,
    ingested_at,
    source
FROM counted
UNION ALL
SELECT
    id,
    event_id,
    topic,
    object_name,
    record_id,
    deleted_by,
    deleted_date,
    owner_id,
    payload,
    ingested_at,
    source
FROM told
WHERE source = 'check';

-- The last delete of each record, and what became of the record since.
-- merged_into is the record that is left if the record was merged, also over several merges.
CREATE OR REPLACE VIEW delete_tracker_latest AS
WITH RECURSIVE
last_deletes AS (
    SELECT *
    FROM delete_tracker_deletes
    WHERE record_id IS NOT NULL
    QUALIFY ROW_NUMBER() OVER (PARTITION BY record_id ORDER BY deleted_date DESC, event_id DESC) = 1
),

-- If a delete and a restore have the same time, the delete came first.
restored AS (
    SELECT d.record_id, MIN(r.restored_date) AS restored_date
    FROM last_deletes d
    JOIN delete_tracker_restores r
        ON r.record_id = d.record_id AND r.restored_date >= d.deleted_date
    GROUP BY d.record_id
),

-- Only queryAll tells of merges. Of the checks after the delete, the newest one counts.
merges AS (
    SELECT l.record_id, l.merged_into
    FROM delete_tracker_listed l
    JOIN delete_tracker_checks c ON c.check_id = l.check_id
    JOIN last_deletes d ON d.record_id = l.record_id AND d.deleted_date <= c.checked_at
    LEFT JOIN restored r ON r.record_id = l.record_id
    WHERE l.listed_by <> 'getDeleted' AND r.record_id IS NULL
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY l.record_id ORDER BY c.checked_at DESC, l.deleted_date DESC, l.check_id DESC
    ) = 1
),

-- The record that is left may have been merged too. The number of steps ends a circle.
chain (record_id, merged_into, steps) AS (
    SELECT m.record_id, m.merged_into, 1
    FROM merges m
    WHERE m.merged_into IS NOT NULL
    UNION ALL
    SELECT c.record_id, m.merged_into, c.steps + 1
    FROM chain c
    JOIN merges m ON m.record_id = c.merged_into
    WHERE m.merged_into <> c.record_id AND c.steps < 50
),

winners AS (
    SELECT record_id, merged_into
    FROM chain
    QUALIFY ROW_NUMBER() OVER (PARTITION BY record_id ORDER BY steps DESC) = 1
)

SELECT
    d.object_name,
    d.record_id,
    d.deleted_date,
    d.deleted_by,
    d.owner_id,
    d.topic,
    d.event_id,
    d.payload,
    d.ingested_at,
    d.source,
    r.restored_date,
    w.merged_into,
    IFF(r.restored_date IS NULL, 'yes', 'no') AS deleted_now,
    NULL::TIMESTAMP_NTZ AS confirmed_at
FROM last_deletes d
LEFT JOIN restored r ON r.record_id = d.record_id
LEFT JOIN winners w ON w.record_id = d.record_id;

-- Deletes by the day on which they happened, object and user.
CREATE OR REPLACE VIEW delete_tracker_daily AS
SELECT
    deleted_date::DATE AS day,
    object_name,
    deleted_by,
    COUNT(*) AS deletes,
    COUNT(DISTINCT record_id) AS records
FROM delete_tracker_deletes
GROUP BY deleted_date::DATE, object_name, deleted_by;

-- Each topic and object: when the collector last asked, and up to when it has read everything.
-- last_error is why the last poll of the topic failed. If the objects of a topic are not known,
-- object_name is NULL.
CREATE OR REPLACE VIEW delete_tracker_freshness AS
WITH
topics AS (
    SELECT topic, MAX(ended_at) AS last_poll_at, MAX(read_until) AS read_until
    FROM delete_tracker_polls
    GROUP BY topic
),

last_polls AS (
    SELECT topic, error
    FROM delete_tracker_polls
    QUALIFY ROW_NUMBER() OVER (PARTITION BY topic ORDER BY began_at DESC, ended_at DESC) = 1
),

-- A poll that failed may not know the objects.
last_objects AS (
    SELECT topic, objects
    FROM delete_tracker_polls
    WHERE objects IS NOT NULL
    QUALIFY ROW_NUMBER() OVER (PARTITION BY topic ORDER BY began_at DESC, ended_at DESC) = 1
),

objects_of_topics AS (
    SELECT l.topic, f.value::VARCHAR AS object_name
    FROM last_objects l, LATERAL FLATTEN(INPUT => PARSE_JSON(l.objects)) f
)

SELECT
    t.topic,
    o.object_name,
    t.last_poll_at,
    t.read_until,
    NULL::TIMESTAMP_NTZ AS proven_until,
    p.error AS last_error
FROM topics t
JOIN last_polls p ON p.topic = t.topic
LEFT JOIN objects_of_topics o ON o.topic = t.topic;

-- Reasons why the table may be incomplete: gaps, refused files, rejects. No row is good.
-- If something needs no more attention, insert its what and id into delete_tracker_acknowledged,
-- as kind and id. The sync does so for a reject that was decoded again.
CREATE OR REPLACE VIEW delete_tracker_incomplete AS
WITH reasons AS (
    SELECT
        'gap' AS what,
        gap_id AS id,
        topic AS source,
        reason AS why,
        from_time,
        to_time,
        detected_at AS known_since
    FROM delete_tracker_gaps
    UNION ALL
    SELECT
        'refused file',
        event_file || ':' || COALESCE(sha256, ''),
        event_file,
        error,
        first_event_at,
        last_event_at,
        loaded_at
    FROM delete_tracker_loads
    WHERE error IS NOT NULL
    UNION ALL
    SELECT
        'reject',
        reject_id,
        topic,
        error,
        NULL,
        TRY_CAST(received_at AS TIMESTAMP_NTZ),
        loaded_at
    FROM delete_tracker_rejects
)

SELECT r.what, r.id, r.source, r.why, r.from_time, r.to_time, r.known_since
FROM reasons r
WHERE NOT EXISTS (
    SELECT 1
    FROM delete_tracker_acknowledged a
    WHERE a.kind = r.what AND a.id = r.id
);

-- The deletes of one transaction: what one user deleted, and what was deleted with it.
-- Salesforce numbers the changes of a transaction. first_object_name and first_record_id are the
-- delete with the smallest number, and deletes is how many there are.
-- Only change events name their transaction.
CREATE OR REPLACE VIEW delete_tracker_transactions AS
WITH changes AS (
    SELECT
        payload:ChangeEventHeader:transactionKey::VARCHAR AS transaction_key,
        payload:ChangeEventHeader:sequenceNumber::INTEGER AS sequence_number,
        deleted_by,
        deleted_date,
        object_name,
        record_id,
        event_id
    FROM delete_tracker
    WHERE COALESCE(record_id, '') NOT LIKE '%*'
)

SELECT
    transaction_key,
    deleted_by,
    deleted_date,
    sequence_number,
    object_name,
    record_id,
    event_id,
    FIRST_VALUE(object_name) OVER (
        PARTITION BY transaction_key ORDER BY sequence_number, event_id
    ) AS first_object_name,
    FIRST_VALUE(record_id) OVER (
        PARTITION BY transaction_key ORDER BY sequence_number, event_id
    ) AS first_record_id,
    COUNT(*) OVER (PARTITION BY transaction_key) AS deletes
FROM changes
WHERE transaction_key IS NOT NULL;

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
