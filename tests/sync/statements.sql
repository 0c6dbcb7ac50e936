-- autocommit_off
ALTER SESSION SET AUTOCOMMIT = FALSE;

-- autocommit_on
ALTER SESSION SET AUTOCOMMIT = TRUE;

-- columns
SELECT
    table_name AS table_name,
    column_name AS column_name,
    data_type AS data_type,
    column_default AS column_default,
    is_identity AS is_identity
FROM information_schema.columns
WHERE table_schema = CURRENT_SCHEMA() AND table_name IN (%s, %s, %s, %s, %s);

-- copy
COPY INTO "DELETE_TRACKER_STAGING"
FROM @"DELETE_TRACKER_STAGE"/sweep/batch
FILE_FORMAT=(TYPE=JSON) ON_ERROR=ABORT_STATEMENT PURGE=TRUE;

-- count_new
SELECT s.event_file AS event_file, COUNT(*) AS rows_new
FROM (
    SELECT v:event_id::VARCHAR AS event_id, v:event_file::VARCHAR AS event_file
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR = 'delete'
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY v:event_id::VARCHAR
        ORDER BY v:ingested_at::VARCHAR, v:topic::VARCHAR, v:event_file::VARCHAR
    ) = 1
) s
LEFT JOIN "DELETE_TRACKER" t ON t.event_id = s.event_id
    AND t.deleted_date BETWEEN TO_TIMESTAMP_NTZ(%s) AND TO_TIMESTAMP_NTZ(%s)
WHERE t.event_id IS NULL
GROUP BY s.event_file;

-- create_gaps
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_GAPS" (
    gap_id VARCHAR(64),
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

-- create_loads
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_LOADS" (
    event_file VARCHAR(255),
    sha256 VARCHAR(64),
    sweep_id VARCHAR(64),
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
CREATE TABLE IF NOT EXISTS "DELETE_TRACKER_LOCK" (
    id INTEGER,
    sweep_id VARCHAR(64),
    taken_at TIMESTAMP_NTZ
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
DELETE FROM "DELETE_TRACKER_STAGING" WHERE v:event_file::VARCHAR IN (%s);

-- duplicates
SELECT t.event_id AS event_id
FROM "DELETE_TRACKER" t
JOIN (
    SELECT DISTINCT v:event_id::VARCHAR AS event_id
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR = 'delete'
) s
ON t.event_id = s.event_id
    AND t.deleted_date BETWEEN TO_TIMESTAMP_NTZ(%s) AND TO_TIMESTAMP_NTZ(%s)
GROUP BY t.event_id
HAVING COUNT(*) > 1
LIMIT 100;

-- fill_lock
INSERT INTO "DELETE_TRACKER_LOCK" (id, sweep_id, taken_at)
SELECT 1 AS id, 'none' AS sweep_id, SYSDATE() AS taken_at
WHERE NOT EXISTS (SELECT 1 AS present FROM "DELETE_TRACKER_LOCK" l);

-- find_stage
SHOW STAGES;

-- forget_refusals
DELETE FROM "DELETE_TRACKER_LOADS" WHERE error IS NOT NULL AND (event_file, sha256) IN ((%s, %s));

-- insert_gaps
INSERT INTO "DELETE_TRACKER_GAPS" (
    gap_id, event_file, topic, reason, object_name, from_replay_id, from_time, to_time,
    detected_at, loaded_at
)
SELECT
    s.gap_id AS gap_id,
    s.event_file AS event_file,
    s.topic AS topic,
    s.reason AS reason,
    s.object_name AS object_name,
    s.from_replay_id AS from_replay_id,
    s.from_time AS from_time,
    s.to_time AS to_time,
    s.detected_at AS detected_at,
    SYSDATE() AS loaded_at
FROM (
    SELECT
        v:gap_id::VARCHAR AS gap_id,
        v:event_file::VARCHAR AS event_file,
        v:topic::VARCHAR AS topic,
        v:reason::VARCHAR AS reason,
        v:object_name::VARCHAR AS object_name,
        v:from_replay_id::VARCHAR AS from_replay_id,
        TO_TIMESTAMP_NTZ(v:from_time::VARCHAR) AS from_time,
        TO_TIMESTAMP_NTZ(v:to_time::VARCHAR) AS to_time,
        TO_TIMESTAMP_NTZ(v:detected_at::VARCHAR) AS detected_at
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR = 'gap'
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY v:gap_id::VARCHAR
        ORDER BY v:detected_at::VARCHAR, v:event_file::VARCHAR
    ) = 1
) s
LEFT JOIN "DELETE_TRACKER_GAPS" t ON t.gap_id = s.gap_id
WHERE t.gap_id IS NULL;

-- insert_loads
INSERT INTO "DELETE_TRACKER_LOADS" (
    event_file, sha256, sweep_id, rows_read, rows_inserted, rows_rejected, gaps,
    first_event_at, last_event_at, error, loaded_at
)
SELECT
    s.event_file AS event_file,
    s.sha256 AS sha256,
    s.sweep_id AS sweep_id,
    s.rows_read AS rows_read,
    s.rows_inserted AS rows_inserted,
    s.rows_rejected AS rows_rejected,
    s.gaps AS gaps,
    TO_TIMESTAMP_NTZ(s.first_event_at) AS first_event_at,
    TO_TIMESTAMP_NTZ(s.last_event_at) AS last_event_at,
    s.error AS error,
    SYSDATE() AS loaded_at
FROM (
    SELECT
        column1::VARCHAR AS event_file,
        column2::VARCHAR AS sha256,
        column3::VARCHAR AS sweep_id,
        column4::INTEGER AS rows_read,
        column5::INTEGER AS rows_inserted,
        column6::INTEGER AS rows_rejected,
        column7::INTEGER AS gaps,
        column8::VARCHAR AS first_event_at,
        column9::VARCHAR AS last_event_at,
        column10::VARCHAR AS error
    FROM VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
) s
LEFT JOIN "DELETE_TRACKER_LOADS" l ON l.event_file = s.event_file AND l.sha256 = s.sha256
WHERE l.event_file IS NULL;

-- insert_rejects
INSERT INTO "DELETE_TRACKER_REJECTS" (
    reject_id, refused_by, event_file, topic, event_id, replay_id, schema_id, payload, error,
    received_at, loaded_at
)
SELECT
    s.reject_id AS reject_id,
    s.refused_by AS refused_by,
    s.event_file AS event_file,
    s.topic AS topic,
    s.event_id AS event_id,
    s.replay_id AS replay_id,
    s.schema_id AS schema_id,
    s.payload AS payload,
    s.error AS error,
    s.received_at AS received_at,
    SYSDATE() AS loaded_at
FROM (
    SELECT
        v:reject_id::VARCHAR AS reject_id,
        v:refused_by::VARCHAR AS refused_by,
        v:event_file::VARCHAR AS event_file,
        v:topic::VARCHAR AS topic,
        v:event_id::VARCHAR AS event_id,
        v:replay_id::VARCHAR AS replay_id,
        v:schema_id::VARCHAR AS schema_id,
        v:payload::VARCHAR AS payload,
        v:error::VARCHAR AS error,
        v:received_at::VARCHAR AS received_at
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR = 'reject'
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY v:reject_id::VARCHAR
        ORDER BY v:received_at::VARCHAR, v:event_file::VARCHAR
    ) = 1
) s
LEFT JOIN "DELETE_TRACKER_REJECTS" t ON t.reject_id = s.reject_id
WHERE t.reject_id IS NULL;

-- last_id
SELECT COALESCE(MAX(id), 0) AS last_id FROM "DELETE_TRACKER";

-- merge
MERGE INTO "DELETE_TRACKER" t
USING (
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
) s
ON t.event_id = s.event_id
    AND t.deleted_date BETWEEN TO_TIMESTAMP_NTZ(%s) AND TO_TIMESTAMP_NTZ(%s)
WHEN NOT MATCHED THEN INSERT (
    event_id, topic, object_name, record_id, deleted_by, deleted_date, owner_id, payload,
    ingested_at
) VALUES (
    s.event_id, s.topic, s.object_name, s.record_id, s.deleted_by, s.deleted_date, s.owner_id,
    s.payload, s.ingested_at
);

-- merge_numbered
MERGE INTO "DELETE_TRACKER" t
USING (
    SELECT
        41 + ROW_NUMBER() OVER (ORDER BY v:event_id::VARCHAR) AS id,
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
) s
ON t.event_id = s.event_id
    AND t.deleted_date BETWEEN TO_TIMESTAMP_NTZ(%s) AND TO_TIMESTAMP_NTZ(%s)
WHEN NOT MATCHED THEN INSERT (
    id, event_id, topic, object_name, record_id, deleted_by, deleted_date, owner_id, payload,
    ingested_at
) VALUES (
    s.id, s.event_id, s.topic, s.object_name, s.record_id, s.deleted_by, s.deleted_date, s.owner_id,
    s.payload, s.ingested_at
);

-- put
PUT file:///tmp/rows_*.gz @"DELETE_TRACKER_STAGE"/sweep/batch AUTO_COMPRESS=FALSE OVERWRITE=TRUE;

-- take_lock
UPDATE "DELETE_TRACKER_LOCK" SET sweep_id = %s, taken_at = SYSDATE() WHERE id = 1;
