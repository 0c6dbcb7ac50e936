-- columns
SELECT
    table_name AS table_name,
    column_name AS column_name,
    data_type AS data_type,
    character_maximum_length AS character_maximum_length,
    numeric_precision AS numeric_precision,
    numeric_scale AS numeric_scale,
    is_nullable AS is_nullable,
    column_default AS column_default,
    is_identity AS is_identity
FROM information_schema.columns
WHERE table_schema = CURRENT_SCHEMA() AND (table_name = %s);

-- copy
COPY INTO "DELETE_TRACKER_STAGING"
FROM @"DELETE_TRACKER_STAGE"/path/
FILE_FORMAT=(TYPE=JSON) ON_ERROR=ABORT_STATEMENT PURGE=TRUE;

-- count_erased
SELECT COUNT(*) AS rows_erased
FROM "DELETE_TRACKER_STAGING" s
JOIN (SELECT DISTINCT record_sha256 FROM "DELETE_TRACKER_ERASED") e
ON e.record_sha256 = SHA2(s.v:record_id::VARCHAR, 256)
WHERE s.v:kind::VARCHAR <> 'file';

-- count_new
SELECT s.event_file AS event_file, COUNT(*) AS rows_new
FROM (
    SELECT
        v:event_id::VARCHAR AS event_id,
        v:record_id::VARCHAR AS record_id,
        v:event_file::VARCHAR AS event_file
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR = 'delete'
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY v:event_id::VARCHAR
        ORDER BY v:ingested_at::VARCHAR, v:topic::VARCHAR, v:event_file::VARCHAR
    ) = 1
) s
LEFT JOIN "DELETE_TRACKER" t ON t.event_id = s.event_id
LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(s.record_id, 256)
WHERE t.event_id IS NULL AND e.record_sha256 IS NULL
GROUP BY s.event_file;

-- create_acknowledged
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_ACKNOWLEDGED" (
    kind VARCHAR(32),
    id VARCHAR(255),
    why VARCHAR,
    who VARCHAR(255),
    acknowledged_at TIMESTAMP_NTZ
);

-- create_checks
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_CHECKS" (
    check_id VARCHAR(128),
    event_file VARCHAR(255),
    org_id VARCHAR(18),
    writer VARCHAR(64),
    object_name VARCHAR(255),
    window_from TIMESTAMP_NTZ,
    window_to TIMESTAMP_NTZ,
    listed INTEGER,
    outcome VARCHAR(32),
    sight VARCHAR(16),
    api_version VARCHAR(16),
    checked_at TIMESTAMP_NTZ,
    error VARCHAR,
    loaded_at TIMESTAMP_NTZ,
    compared_at TIMESTAMP_NTZ
);

-- create_erased
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_ERASED" (
    record_sha256 VARCHAR(64),
    erased_at TIMESTAMP_NTZ
);

-- create_gaps
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_GAPS" (
    gap_id VARCHAR(128),
    event_file VARCHAR(255),
    topic VARCHAR(255),
    reason VARCHAR(255),
    object_name VARCHAR(255),
    from_replay_id VARCHAR,
    from_time TIMESTAMP_NTZ,
    to_time TIMESTAMP_NTZ,
    detected_at TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_NTZ
);

-- create_listed
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_LISTED" (
    check_id VARCHAR(128),
    event_file VARCHAR(255),
    object_name VARCHAR(255),
    record_id VARCHAR(18),
    deleted_date TIMESTAMP_NTZ,
    deleted_by VARCHAR(255),
    owner_id VARCHAR(255),
    merged_into VARCHAR(18),
    listed_by VARCHAR(16),
    state VARCHAR(16),
    payload VARIANT,
    loaded_at TIMESTAMP_NTZ
);

-- create_loads
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_LOADS" (
    event_file VARCHAR(255),
    sha256 VARCHAR(64),
    length INTEGER,
    etag VARCHAR(255),
    sweep_id VARCHAR(64),
    token VARCHAR(64),
    reader INTEGER,
    rows_read INTEGER,
    rows_inserted INTEGER,
    rows_rejected INTEGER,
    gaps INTEGER,
    first_event_at TIMESTAMP_NTZ,
    last_event_at TIMESTAMP_NTZ,
    error VARCHAR,
    loaded_at TIMESTAMP_NTZ
);

-- create_lock
CREATE TABLE "DELETE_TRACKER_LOCK" (
    id INTEGER,
    token VARCHAR(64),
    previous VARCHAR(64),
    taken_at TIMESTAMP_NTZ
)
AS SELECT 1, 'none', NULL, SYSDATE();

-- create_polls
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_POLLS" (
    poll_id VARCHAR(128),
    event_file VARCHAR(255),
    org_id VARCHAR(18),
    writer VARCHAR(64),
    topic VARCHAR(255),
    began_at TIMESTAMP_NTZ,
    ended_at TIMESTAMP_NTZ,
    objects VARCHAR,
    ended VARCHAR(16),
    read_until TIMESTAMP_NTZ,
    received INTEGER,
    deletes INTEGER,
    restores INTEGER,
    skipped INTEGER,
    rejected INTEGER,
    gaps INTEGER,
    error VARCHAR,
    loaded_at TIMESTAMP_NTZ
);

-- create_rejects
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_REJECTS" (
    reject_id VARCHAR(128),
    refused_by VARCHAR(16),
    event_file VARCHAR(255),
    topic VARCHAR,
    event_id VARCHAR,
    replay_id VARCHAR,
    schema_id VARCHAR,
    payload VARCHAR,
    error VARCHAR,
    received_at VARCHAR,
    loaded_at TIMESTAMP_NTZ
);

-- create_restores
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_RESTORES" (
    restore_id VARCHAR(255),
    event_file VARCHAR(255),
    topic VARCHAR(255),
    object_name VARCHAR(255),
    record_id VARCHAR(255),
    restored_by VARCHAR(255),
    restored_date TIMESTAMP_NTZ,
    found_by VARCHAR(16),
    ingested_at TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_NTZ
);

-- create_stage
CREATE STAGE IF NOT EXISTS "DELETE_TRACKER_STAGE";

-- create_staging
CREATE OR REPLACE TEMPORARY TABLE "DELETE_TRACKER_STAGING" (v VARIANT);

-- create_table
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER" (
    id INTEGER AUTOINCREMENT PRIMARY KEY,
    event_id VARCHAR(255) UNIQUE,
    topic VARCHAR(255),
    object_name VARCHAR(255),
    record_id VARCHAR(255),
    deleted_by VARCHAR(255),
    deleted_date TIMESTAMP_NTZ,
    owner_id VARCHAR(255),
    payload VARIANT,
    ingested_at TIMESTAMP_NTZ
);

-- current_schema
SELECT CURRENT_DATABASE() AS database_name, CURRENT_SCHEMA() AS schema_name;

-- drop_unwanted
DELETE FROM "DELETE_TRACKER_STAGING"
USING (SELECT column1 AS event_file FROM VALUES (%s)) u
WHERE v:event_file::VARCHAR = u.event_file AND v:kind::VARCHAR <> 'file';

-- duplicates
SELECT event_id AS event_id
FROM "DELETE_TRACKER"
GROUP BY event_id
HAVING COUNT(*) > 1
ORDER BY event_id
LIMIT 100;

-- insert_acknowledged
INSERT INTO "DELETE_TRACKER_ACKNOWLEDGED" (
    kind, id, why, who, acknowledged_at
)
SELECT
    'reject' AS kind,
    s.v:id::VARCHAR AS id,
    s.v:why::VARCHAR AS why,
    s.v:who::VARCHAR AS who,
    TO_TIMESTAMP_NTZ(s.v:acknowledged_at::VARCHAR) AS acknowledged_at
FROM "DELETE_TRACKER_STAGING" s
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN "DELETE_TRACKER_ACKNOWLEDGED" t
    ON t.id = s.v:id::VARCHAR
    AND t.kind = 'reject'
WHERE s.v:kind::VARCHAR = 'resolved' AND t.id IS NULL
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY s.v:id::VARCHAR
    ORDER BY s.v:acknowledged_at::VARCHAR, s.v:event_file::VARCHAR
) = 1;

-- insert_checks
INSERT INTO "DELETE_TRACKER_CHECKS" (
    check_id, event_file, org_id, writer, object_name, window_from, window_to, listed, outcome,
    sight, api_version, checked_at, error, loaded_at
)
SELECT
    s.v:check_id::VARCHAR AS check_id,
    s.v:event_file::VARCHAR AS event_file,
    s.v:org_id::VARCHAR AS org_id,
    s.v:writer::VARCHAR AS writer,
    s.v:object_name::VARCHAR AS object_name,
    TO_TIMESTAMP_NTZ(s.v:window_from::VARCHAR) AS window_from,
    TO_TIMESTAMP_NTZ(s.v:window_to::VARCHAR) AS window_to,
    s.v:listed::INTEGER AS listed,
    s.v:outcome::VARCHAR AS outcome,
    s.v:sight::VARCHAR AS sight,
    s.v:api_version::VARCHAR AS api_version,
    TO_TIMESTAMP_NTZ(s.v:checked_at::VARCHAR) AS checked_at,
    s.v:error::VARCHAR AS error,
    SYSDATE() AS loaded_at
FROM "DELETE_TRACKER_STAGING" s
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN "DELETE_TRACKER_CHECKS" t
    ON t.check_id = s.v:check_id::VARCHAR
WHERE s.v:kind::VARCHAR = 'check' AND t.check_id IS NULL
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY s.v:check_id::VARCHAR
    ORDER BY s.v:event_file::VARCHAR
) = 1;

-- insert_gaps
INSERT INTO "DELETE_TRACKER_GAPS" (
    gap_id, event_file, topic, reason, object_name, from_replay_id, from_time, to_time,
    detected_at, loaded_at
)
SELECT
    s.v:gap_id::VARCHAR AS gap_id,
    s.v:event_file::VARCHAR AS event_file,
    s.v:topic::VARCHAR AS topic,
    s.v:reason::VARCHAR AS reason,
    s.v:object_name::VARCHAR AS object_name,
    s.v:from_replay_id::VARCHAR AS from_replay_id,
    TO_TIMESTAMP_NTZ(s.v:from_time::VARCHAR) AS from_time,
    TO_TIMESTAMP_NTZ(s.v:to_time::VARCHAR) AS to_time,
    TO_TIMESTAMP_NTZ(s.v:detected_at::VARCHAR) AS detected_at,
    SYSDATE() AS loaded_at
FROM "DELETE_TRACKER_STAGING" s
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN "DELETE_TRACKER_GAPS" t
    ON t.gap_id = s.v:gap_id::VARCHAR
WHERE s.v:kind::VARCHAR = 'gap' AND t.gap_id IS NULL
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY s.v:gap_id::VARCHAR
    ORDER BY s.v:detected_at::VARCHAR, s.v:event_file::VARCHAR
) = 1;

-- insert_listed
INSERT INTO "DELETE_TRACKER_LISTED" (
    check_id, event_file, object_name, record_id, deleted_date, deleted_by, owner_id,
    merged_into, listed_by, state, payload, loaded_at
)
SELECT
    s.v:check_id::VARCHAR AS check_id,
    s.v:event_file::VARCHAR AS event_file,
    s.v:object_name::VARCHAR AS object_name,
    s.v:record_id::VARCHAR AS record_id,
    TO_TIMESTAMP_NTZ(s.v:deleted_date::VARCHAR) AS deleted_date,
    s.v:deleted_by::VARCHAR AS deleted_by,
    s.v:owner_id::VARCHAR AS owner_id,
    s.v:merged_into::VARCHAR AS merged_into,
    s.v:listed_by::VARCHAR AS listed_by,
    s.v:state::VARCHAR AS state,
    s.v:payload AS payload,
    SYSDATE() AS loaded_at
FROM "DELETE_TRACKER_STAGING" s
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN "DELETE_TRACKER_LISTED" t
    ON t.check_id = s.v:check_id::VARCHAR
    AND COALESCE(t.record_id, '')
        = COALESCE(s.v:record_id::VARCHAR, '')
    AND COALESCE(t.deleted_date, '0001-01-01'::TIMESTAMP_NTZ)
        = COALESCE(TO_TIMESTAMP_NTZ(s.v:deleted_date::VARCHAR), '0001-01-01'::TIMESTAMP_NTZ)
LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(s.v:record_id::VARCHAR, 256)
WHERE s.v:kind::VARCHAR = 'listed' AND t.check_id IS NULL AND e.record_sha256 IS NULL
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY s.v:check_id::VARCHAR, s.v:record_id::VARCHAR, s.v:deleted_date::VARCHAR
    ORDER BY s.v:event_file::VARCHAR
) = 1;

-- insert_loads
INSERT INTO "DELETE_TRACKER_LOADS" (
    event_file, sha256, length, etag, sweep_id, token, reader, rows_read, rows_inserted,
    rows_rejected, gaps, first_event_at, last_event_at, error, loaded_at
)
SELECT
    f.event_file AS event_file,
    f.sha256 AS sha256,
    f.length AS length,
    f.etag AS etag,
    f.sweep_id AS sweep_id,
    g.token AS token,
    f.reader AS reader,
    f.rows_read AS rows_read,
    n.rows_new + COALESCE(o.rows_inserted, 0) AS rows_inserted,
    f.rows_rejected AS rows_rejected,
    f.gaps AS gaps,
    f.first_event_at AS first_event_at,
    f.last_event_at AS last_event_at,
    f.error AS error,
    SYSDATE() AS loaded_at
FROM (
    SELECT
        v:event_file::VARCHAR AS event_file,
        v:sha256::VARCHAR AS sha256,
        v:length::INTEGER AS length,
        v:etag::VARCHAR AS etag,
        v:sweep_id::VARCHAR AS sweep_id,
        v:reader::INTEGER AS reader,
        v:rows_read::INTEGER AS rows_read,
        v:rows_staged::INTEGER AS rows_staged,
        v:rows_rejected::INTEGER AS rows_rejected,
        v:gaps::INTEGER AS gaps,
        TO_TIMESTAMP_NTZ(v:first_event_at::VARCHAR) AS first_event_at,
        TO_TIMESTAMP_NTZ(v:last_event_at::VARCHAR) AS last_event_at,
        v:error::VARCHAR AS error
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR = 'file'
) f
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
JOIN (
    SELECT column1::VARCHAR AS event_file, column2::INTEGER AS rows_new FROM VALUES (%s, %s)
) n ON n.event_file = f.event_file
LEFT JOIN (
    SELECT event_file AS event_file, sha256 AS sha256, SUM(rows_inserted) AS rows_inserted
    FROM "DELETE_TRACKER_LOADS"
    GROUP BY event_file, sha256
) o ON o.event_file = f.event_file AND o.sha256 = f.sha256
LEFT JOIN (
    SELECT v:event_file::VARCHAR AS event_file, COUNT(*) AS rows_staged
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR <> 'file'
    GROUP BY v:event_file::VARCHAR
) c ON c.event_file = f.event_file
LEFT JOIN (
    SELECT s.v:event_file::VARCHAR AS event_file
    FROM "DELETE_TRACKER_STAGING" s
    LEFT JOIN "DELETE_TRACKER" t
        ON t.event_id = s.v:event_id::VARCHAR
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(s.v:record_id::VARCHAR, 256)
    WHERE s.v:kind::VARCHAR = 'delete' AND t.event_id IS NULL AND e.record_sha256 IS NULL
    UNION
    SELECT s.v:event_file::VARCHAR AS event_file
    FROM "DELETE_TRACKER_STAGING" s
    LEFT JOIN "DELETE_TRACKER_GAPS" t
        ON t.gap_id = s.v:gap_id::VARCHAR
    WHERE s.v:kind::VARCHAR = 'gap' AND t.gap_id IS NULL
    UNION
    SELECT s.v:event_file::VARCHAR AS event_file
    FROM "DELETE_TRACKER_STAGING" s
    LEFT JOIN "DELETE_TRACKER_REJECTS" t
        ON t.reject_id = s.v:reject_id::VARCHAR
    WHERE s.v:kind::VARCHAR = 'reject' AND t.reject_id IS NULL
    UNION
    SELECT s.v:event_file::VARCHAR AS event_file
    FROM "DELETE_TRACKER_STAGING" s
    LEFT JOIN "DELETE_TRACKER_POLLS" t
        ON t.poll_id = s.v:poll_id::VARCHAR
    WHERE s.v:kind::VARCHAR = 'poll' AND t.poll_id IS NULL
    UNION
    SELECT s.v:event_file::VARCHAR AS event_file
    FROM "DELETE_TRACKER_STAGING" s
    LEFT JOIN "DELETE_TRACKER_RESTORES" t
        ON t.restore_id = s.v:restore_id::VARCHAR
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(s.v:record_id::VARCHAR, 256)
    WHERE s.v:kind::VARCHAR = 'restore' AND t.restore_id IS NULL AND e.record_sha256 IS NULL
    UNION
    SELECT s.v:event_file::VARCHAR AS event_file
    FROM "DELETE_TRACKER_STAGING" s
    LEFT JOIN "DELETE_TRACKER_CHECKS" t
        ON t.check_id = s.v:check_id::VARCHAR
    WHERE s.v:kind::VARCHAR = 'check' AND t.check_id IS NULL
    UNION
    SELECT s.v:event_file::VARCHAR AS event_file
    FROM "DELETE_TRACKER_STAGING" s
    LEFT JOIN "DELETE_TRACKER_LISTED" t
        ON t.check_id = s.v:check_id::VARCHAR
        AND COALESCE(t.record_id, '')
            = COALESCE(s.v:record_id::VARCHAR, '')
        AND COALESCE(t.deleted_date, '0001-01-01'::TIMESTAMP_NTZ)
            = COALESCE(TO_TIMESTAMP_NTZ(s.v:deleted_date::VARCHAR), '0001-01-01'::TIMESTAMP_NTZ)
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(s.v:record_id::VARCHAR, 256)
    WHERE s.v:kind::VARCHAR = 'listed' AND t.check_id IS NULL AND e.record_sha256 IS NULL
    UNION
    SELECT s.v:event_file::VARCHAR AS event_file
    FROM "DELETE_TRACKER_STAGING" s
    LEFT JOIN "DELETE_TRACKER_ACKNOWLEDGED" t
        ON t.id = s.v:id::VARCHAR
        AND t.kind = 'reject'
    WHERE s.v:kind::VARCHAR = 'resolved' AND t.id IS NULL
) m ON m.event_file = f.event_file
WHERE COALESCE(c.rows_staged, 0) = f.rows_staged AND m.event_file IS NULL;

-- insert_polls
INSERT INTO "DELETE_TRACKER_POLLS" (
    poll_id, event_file, org_id, writer, topic, began_at, ended_at, objects, ended, read_until,
    received, deletes, restores, skipped, rejected, gaps, error, loaded_at
)
SELECT
    s.v:poll_id::VARCHAR AS poll_id,
    s.v:event_file::VARCHAR AS event_file,
    s.v:org_id::VARCHAR AS org_id,
    s.v:writer::VARCHAR AS writer,
    s.v:topic::VARCHAR AS topic,
    TO_TIMESTAMP_NTZ(s.v:began_at::VARCHAR) AS began_at,
    TO_TIMESTAMP_NTZ(s.v:ended_at::VARCHAR) AS ended_at,
    s.v:objects::VARCHAR AS objects,
    s.v:ended::VARCHAR AS ended,
    TO_TIMESTAMP_NTZ(s.v:read_until::VARCHAR) AS read_until,
    s.v:received::INTEGER AS received,
    s.v:deletes::INTEGER AS deletes,
    s.v:restores::INTEGER AS restores,
    s.v:skipped::INTEGER AS skipped,
    s.v:rejected::INTEGER AS rejected,
    s.v:gaps::INTEGER AS gaps,
    s.v:error::VARCHAR AS error,
    SYSDATE() AS loaded_at
FROM "DELETE_TRACKER_STAGING" s
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN "DELETE_TRACKER_POLLS" t
    ON t.poll_id = s.v:poll_id::VARCHAR
WHERE s.v:kind::VARCHAR = 'poll' AND t.poll_id IS NULL
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY s.v:poll_id::VARCHAR
    ORDER BY s.v:event_file::VARCHAR
) = 1;

-- insert_rejects
INSERT INTO "DELETE_TRACKER_REJECTS" (
    reject_id, refused_by, event_file, topic, event_id, replay_id, schema_id, payload, error,
    received_at, loaded_at
)
SELECT
    s.v:reject_id::VARCHAR AS reject_id,
    s.v:refused_by::VARCHAR AS refused_by,
    s.v:event_file::VARCHAR AS event_file,
    s.v:topic::VARCHAR AS topic,
    s.v:event_id::VARCHAR AS event_id,
    s.v:replay_id::VARCHAR AS replay_id,
    s.v:schema_id::VARCHAR AS schema_id,
    s.v:payload::VARCHAR AS payload,
    s.v:error::VARCHAR AS error,
    s.v:received_at::VARCHAR AS received_at,
    SYSDATE() AS loaded_at
FROM "DELETE_TRACKER_STAGING" s
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN "DELETE_TRACKER_REJECTS" t
    ON t.reject_id = s.v:reject_id::VARCHAR
WHERE s.v:kind::VARCHAR = 'reject' AND t.reject_id IS NULL
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY s.v:reject_id::VARCHAR
    ORDER BY s.v:received_at::VARCHAR, s.v:event_file::VARCHAR
) = 1;

-- insert_restores
INSERT INTO "DELETE_TRACKER_RESTORES" (
    restore_id, event_file, topic, object_name, record_id, restored_by, restored_date, found_by,
    ingested_at, loaded_at
)
SELECT
    s.v:restore_id::VARCHAR AS restore_id,
    s.v:event_file::VARCHAR AS event_file,
    s.v:topic::VARCHAR AS topic,
    s.v:object_name::VARCHAR AS object_name,
    s.v:record_id::VARCHAR AS record_id,
    s.v:restored_by::VARCHAR AS restored_by,
    TO_TIMESTAMP_NTZ(s.v:restored_date::VARCHAR) AS restored_date,
    s.v:found_by::VARCHAR AS found_by,
    TO_TIMESTAMP_NTZ(s.v:ingested_at::VARCHAR) AS ingested_at,
    SYSDATE() AS loaded_at
FROM "DELETE_TRACKER_STAGING" s
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN "DELETE_TRACKER_RESTORES" t
    ON t.restore_id = s.v:restore_id::VARCHAR
LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(s.v:record_id::VARCHAR, 256)
WHERE s.v:kind::VARCHAR = 'restore' AND t.restore_id IS NULL AND e.record_sha256 IS NULL
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY s.v:restore_id::VARCHAR
    ORDER BY s.v:ingested_at::VARCHAR, s.v:topic::VARCHAR, s.v:event_file::VARCHAR
) = 1;

-- last_id
SELECT COALESCE(MAX(id), 0) AS last_id FROM "DELETE_TRACKER";

-- lock_tokens
SELECT token AS token FROM "DELETE_TRACKER_LOCK";

-- merge
MERGE INTO "DELETE_TRACKER" t
USING (
    SELECT
        41 + ROW_NUMBER() OVER (ORDER BY d.event_id) AS id,
        d.event_id AS event_id,
        d.topic AS topic,
        d.object_name AS object_name,
        d.record_id AS record_id,
        d.deleted_by AS deleted_by,
        d.deleted_date AS deleted_date,
        d.owner_id AS owner_id,
        d.payload AS payload,
        d.ingested_at AS ingested_at
    FROM (
        SELECT
            v:event_id::VARCHAR AS event_id,
            v:topic::VARCHAR AS topic,
            v:object_name::VARCHAR AS object_name,
            v:record_id::VARCHAR AS record_id,
            v:deleted_by::VARCHAR AS deleted_by,
            TO_TIMESTAMP_NTZ(v:deleted_date::VARCHAR) AS deleted_date,
            v:owner_id::VARCHAR AS owner_id,
            v:payload AS payload,
            TO_TIMESTAMP_NTZ(v:ingested_at::VARCHAR) AS ingested_at
        FROM "DELETE_TRACKER_STAGING"
        WHERE v:kind::VARCHAR = 'delete'
        QUALIFY ROW_NUMBER() OVER (
            PARTITION BY v:event_id::VARCHAR
            ORDER BY v:ingested_at::VARCHAR, v:topic::VARCHAR, v:event_file::VARCHAR
        ) = 1
    ) d
    JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(d.record_id, 256)
    WHERE e.record_sha256 IS NULL
) s
ON t.event_id = s.event_id
WHEN NOT MATCHED THEN INSERT (
    id, event_id, topic, object_name, record_id, deleted_by, deleted_date, owner_id, payload,
    ingested_at
) VALUES (
    s.id, s.event_id, s.topic, s.object_name, s.record_id, s.deleted_by, s.deleted_date,
    s.owner_id, s.payload, s.ingested_at
);

-- newest_file
SELECT MAX(event_file) AS event_file FROM "DELETE_TRACKER_LOADS";

-- newest_poll
SELECT
    p.topic AS topic,
    MAX(CASE WHEN p.ended = 'caught_up' OR p.ended = 'idle' THEN p.ended_at END) AS last_good
FROM "DELETE_TRACKER_POLLS" p
JOIN (
    SELECT DISTINCT q.topic AS topic
    FROM "DELETE_TRACKER_POLLS" q
    JOIN (SELECT MAX(began_at) AS began_at FROM "DELETE_TRACKER_POLLS") newest
    ON newest.began_at = q.began_at
) n ON n.topic = p.topic
GROUP BY p.topic
ORDER BY p.topic;

-- oldest_first
SELECT event_file AS event_file
FROM "DELETE_TRACKER_LOADS"
GROUP BY event_file
ORDER BY MIN(loaded_at), event_file;

-- previous_token
SELECT previous AS previous FROM "DELETE_TRACKER_LOCK" WHERE token = %s;

-- put
PUT 'file:///tmp/rows_*.gz' @"DELETE_TRACKER_STAGE"/path/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE;

-- records
SELECT
    event_file AS event_file,
    sha256 AS sha256,
    length AS length,
    etag AS etag,
    reader AS reader,
    error AS error,
    token AS token
FROM "DELETE_TRACKER_LOADS"
WHERE event_file BETWEEN %s AND %s;

-- records_of_batch
SELECT
    l.event_file AS event_file,
    l.sha256 AS sha256,
    l.length AS length,
    l.etag AS etag,
    l.reader AS reader,
    l.error AS error,
    l.token AS token
FROM "DELETE_TRACKER_LOADS" l
JOIN (
    SELECT v:event_file::VARCHAR AS event_file
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR = 'file'
) f ON f.event_file = l.event_file;

-- records_of_token
SELECT event_file AS event_file FROM "DELETE_TRACKER_LOADS" WHERE token = %s;

-- remove
REMOVE @"DELETE_TRACKER_STAGE"/path/;

-- replace_loads
DELETE FROM "DELETE_TRACKER_LOADS"
USING (
    SELECT l.event_file AS event_file, l.sha256 AS sha256, l.token AS token
    FROM "DELETE_TRACKER_LOADS" l
    JOIN "DELETE_TRACKER_LOCK" g ON g.token = l.token
    WHERE l.token = %s
) f
WHERE "DELETE_TRACKER_LOADS".event_file = f.event_file
    AND ("DELETE_TRACKER_LOADS".sha256 = f.sha256 OR "DELETE_TRACKER_LOADS".error IS NOT NULL)
    AND COALESCE("DELETE_TRACKER_LOADS".token, '') <> f.token;

-- stages
SHOW STAGES IN SCHEMA "AUDIT"."SALESFORCE";

-- take_lock
UPDATE "DELETE_TRACKER_LOCK" SET previous = token, token = %s, taken_at = SYSDATE();
