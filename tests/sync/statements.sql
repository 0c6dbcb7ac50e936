-- acknowledge
INSERT INTO "DELETE_TRACKER_ACKNOWLEDGED" (kind, id, why, who, acknowledged_at)
SELECT
    r.kind AS kind,
    r.id AS id,
    r.why AS why,
    r.who AS who,
    SYSDATE() AS acknowledged_at
FROM (
    SELECT %s::VARCHAR AS kind, %s::VARCHAR AS id, %s::VARCHAR AS why, %s::VARCHAR AS who
) r
LEFT JOIN "DELETE_TRACKER_ACKNOWLEDGED" a ON a.kind = r.kind AND a.id = r.id
WHERE a.id IS NULL;

-- books
SELECT
    t.rows_there AS rows_there,
    l.rows_loaded AS rows_loaded,
    e.rows_removed AS rows_removed,
    l.newest_reader AS newest_reader
FROM (
    SELECT COUNT(*) AS rows_there
    FROM "DELETE_TRACKER"
    WHERE COALESCE(topic, '') <> 'check'
) t
CROSS JOIN (
    SELECT COALESCE(SUM(rows_inserted), 0) AS rows_loaded, MAX(reader) AS newest_reader
    FROM "DELETE_TRACKER_LOADS"
) l
CROSS JOIN (SELECT COALESCE(SUM(rows_removed), 0) AS rows_removed FROM "DELETE_TRACKER_ERASED") e;

-- clear_column
UPDATE "DELETE_TRACKER_LISTED" SET topic = NULL
FROM (
    SELECT
        q.short_id AS short_id, q.upper_id AS upper_id, q.lower_id AS lower_id,
        q.reject_id AS reject_id
    FROM (
    SELECT
        LEFT(v:long_id::VARCHAR, 15) AS short_id,
        UPPER(v:long_id::VARCHAR) AS upper_id,
        LOWER(v:long_id::VARCHAR) AS lower_id,
        v:record_sha256::VARCHAR AS record_sha256,
        v:reject_id::VARCHAR AS reject_id
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR IN ('record', 'reject')
    ) q
    JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
) r
WHERE r.id = %s;

-- clear_payload
UPDATE "DELETE_TRACKER_LISTED" SET payload = p.cleared
FROM (
    SELECT s.v:found::VARCHAR AS found, s.v:payload AS cleared
    FROM "DELETE_TRACKER_STAGING" s
    JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
    WHERE s.v:kind::VARCHAR = 'payload'
) p
WHERE "DELETE_TRACKER_LISTED".payload::VARCHAR = p.found;

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

-- copy_acknowledged
INSERT INTO "DELETE_TRACKER_ACKNOWLEDGED" (
    kind, id, why, who, acknowledged_at
)
SELECT
    o.kind AS kind,
    o.id AS id,
    o.why AS why,
    o.who AS who,
    o.acknowledged_at AS acknowledged_at
FROM "AUDIT"."OLD"."DELETE_TRACKER_ACKNOWLEDGED" o
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN (
    SELECT kind, id, TRUE AS is_there
    FROM "DELETE_TRACKER_ACKNOWLEDGED"
) t
    ON COALESCE(t.kind, '')
        = COALESCE(o.kind, '')
    AND COALESCE(t.id, '')
        = COALESCE(o.id, '')
WHERE t.is_there IS NULL;

-- copy_checks
INSERT INTO "DELETE_TRACKER_CHECKS" (
    check_id, event_file, org_id, writer, object_name, window_from, window_to, listed, outcome,
    sight, api_version, checked_at, error, loaded_at, compared_at
)
SELECT
    o.check_id AS check_id,
    o.event_file AS event_file,
    o.org_id AS org_id,
    o.writer AS writer,
    o.object_name AS object_name,
    o.window_from AS window_from,
    o.window_to AS window_to,
    o.listed AS listed,
    o.outcome AS outcome,
    o.sight AS sight,
    o.api_version AS api_version,
    o.checked_at AS checked_at,
    o.error AS error,
    o.loaded_at AS loaded_at,
    o.compared_at AS compared_at
FROM "AUDIT"."OLD"."DELETE_TRACKER_CHECKS" o
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN (
    SELECT check_id, TRUE AS is_there
    FROM "DELETE_TRACKER_CHECKS"
) t
    ON COALESCE(t.check_id, '')
        = COALESCE(o.check_id, '')
WHERE t.is_there IS NULL;

-- copy_erased
INSERT INTO "DELETE_TRACKER_ERASED" (
    record_sha256, erased_at, rows_removed
)
SELECT
    o.record_sha256 AS record_sha256,
    o.erased_at AS erased_at,
    o.rows_removed AS rows_removed
FROM "AUDIT"."OLD"."DELETE_TRACKER_ERASED" o
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN (
    SELECT record_sha256, erased_at, TRUE AS is_there
    FROM "DELETE_TRACKER_ERASED"
) t
    ON COALESCE(t.record_sha256, '')
        = COALESCE(o.record_sha256, '')
    AND COALESCE(t.erased_at, '0001-01-01'::TIMESTAMP_NTZ)
        = COALESCE(o.erased_at, '0001-01-01'::TIMESTAMP_NTZ)
WHERE t.is_there IS NULL;

-- copy_gaps
INSERT INTO "DELETE_TRACKER_GAPS" (
    gap_id, event_file, topic, reason, object_name, from_replay_id, from_time, to_time,
    detected_at, loaded_at
)
SELECT
    o.gap_id AS gap_id,
    o.event_file AS event_file,
    o.topic AS topic,
    o.reason AS reason,
    o.object_name AS object_name,
    o.from_replay_id AS from_replay_id,
    o.from_time AS from_time,
    o.to_time AS to_time,
    o.detected_at AS detected_at,
    o.loaded_at AS loaded_at
FROM "AUDIT"."OLD"."DELETE_TRACKER_GAPS" o
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN (
    SELECT gap_id, TRUE AS is_there
    FROM "DELETE_TRACKER_GAPS"
) t
    ON COALESCE(t.gap_id, '')
        = COALESCE(o.gap_id, '')
WHERE t.is_there IS NULL;

-- copy_listed
INSERT INTO "DELETE_TRACKER_LISTED" (
    check_id, event_file, object_name, record_id, deleted_date, deleted_by, owner_id,
    merged_into, listed_by, state, payload, loaded_at
)
SELECT
    o.check_id AS check_id,
    o.event_file AS event_file,
    o.object_name AS object_name,
    o.record_id AS record_id,
    o.deleted_date AS deleted_date,
    o.deleted_by AS deleted_by,
    o.owner_id AS owner_id,
    o.merged_into AS merged_into,
    o.listed_by AS listed_by,
    o.state AS state,
    o.payload AS payload,
    o.loaded_at AS loaded_at
FROM "AUDIT"."OLD"."DELETE_TRACKER_LISTED" o
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN (
    SELECT check_id, record_id, deleted_date, TRUE AS is_there
    FROM "DELETE_TRACKER_LISTED"
) t
    ON COALESCE(t.check_id, '')
        = COALESCE(o.check_id, '')
    AND COALESCE(t.record_id, '')
        = COALESCE(o.record_id, '')
    AND COALESCE(t.deleted_date, '0001-01-01'::TIMESTAMP_NTZ)
        = COALESCE(o.deleted_date, '0001-01-01'::TIMESTAMP_NTZ)
LEFT JOIN (
    SELECT record_sha256 FROM "DELETE_TRACKER_ERASED"
    UNION
    SELECT record_sha256 FROM "AUDIT"."OLD"."DELETE_TRACKER_ERASED"
) e ON e.record_sha256 = SHA2(o.record_id, 256)
WHERE t.is_there IS NULL AND e.record_sha256 IS NULL;

-- copy_loads
INSERT INTO "DELETE_TRACKER_LOADS" (
    event_file, sha256, length, etag, sweep_id, token, reader, rows_read, rows_inserted,
    rows_rejected, gaps, first_event_at, last_event_at, error, loaded_at
)
SELECT
    o.event_file AS event_file,
    o.sha256 AS sha256,
    o.length AS length,
    o.etag AS etag,
    o.sweep_id AS sweep_id,
    o.token AS token,
    o.reader AS reader,
    o.rows_read AS rows_read,
    o.rows_inserted AS rows_inserted,
    o.rows_rejected AS rows_rejected,
    o.gaps AS gaps,
    o.first_event_at AS first_event_at,
    o.last_event_at AS last_event_at,
    o.error AS error,
    o.loaded_at AS loaded_at
FROM "AUDIT"."OLD"."DELETE_TRACKER_LOADS" o
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN (
    SELECT event_file, sha256, TRUE AS is_there
    FROM "DELETE_TRACKER_LOADS"
) t
    ON COALESCE(t.event_file, '')
        = COALESCE(o.event_file, '')
    AND COALESCE(t.sha256, '')
        = COALESCE(o.sha256, '')
WHERE t.is_there IS NULL;

-- copy_polls
INSERT INTO "DELETE_TRACKER_POLLS" (
    poll_id, event_file, org_id, writer, topic, began_at, ended_at, objects, ended, read_until,
    received, deletes, restores, skipped, rejected, gaps, error, loaded_at
)
SELECT
    o.poll_id AS poll_id,
    o.event_file AS event_file,
    o.org_id AS org_id,
    o.writer AS writer,
    o.topic AS topic,
    o.began_at AS began_at,
    o.ended_at AS ended_at,
    o.objects AS objects,
    o.ended AS ended,
    o.read_until AS read_until,
    o.received AS received,
    o.deletes AS deletes,
    o.restores AS restores,
    o.skipped AS skipped,
    o.rejected AS rejected,
    o.gaps AS gaps,
    o.error AS error,
    o.loaded_at AS loaded_at
FROM "AUDIT"."OLD"."DELETE_TRACKER_POLLS" o
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN (
    SELECT poll_id, TRUE AS is_there
    FROM "DELETE_TRACKER_POLLS"
) t
    ON COALESCE(t.poll_id, '')
        = COALESCE(o.poll_id, '')
WHERE t.is_there IS NULL;

-- copy_rejects
INSERT INTO "DELETE_TRACKER_REJECTS" (
    reject_id, refused_by, event_file, topic, event_id, replay_id, schema_id, payload, error,
    received_at, loaded_at
)
SELECT
    o.reject_id AS reject_id,
    o.refused_by AS refused_by,
    o.event_file AS event_file,
    o.topic AS topic,
    o.event_id AS event_id,
    o.replay_id AS replay_id,
    o.schema_id AS schema_id,
    o.payload AS payload,
    o.error AS error,
    o.received_at AS received_at,
    o.loaded_at AS loaded_at
FROM "AUDIT"."OLD"."DELETE_TRACKER_REJECTS" o
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN (
    SELECT reject_id, TRUE AS is_there
    FROM "DELETE_TRACKER_REJECTS"
) t
    ON COALESCE(t.reject_id, '')
        = COALESCE(o.reject_id, '')
WHERE t.is_there IS NULL;

-- copy_restores
INSERT INTO "DELETE_TRACKER_RESTORES" (
    restore_id, event_file, topic, object_name, record_id, restored_by, restored_date, found_by,
    ingested_at, loaded_at
)
SELECT
    o.restore_id AS restore_id,
    o.event_file AS event_file,
    o.topic AS topic,
    o.object_name AS object_name,
    o.record_id AS record_id,
    o.restored_by AS restored_by,
    o.restored_date AS restored_date,
    o.found_by AS found_by,
    o.ingested_at AS ingested_at,
    o.loaded_at AS loaded_at
FROM "AUDIT"."OLD"."DELETE_TRACKER_RESTORES" o
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN (
    SELECT restore_id, TRUE AS is_there
    FROM "DELETE_TRACKER_RESTORES"
) t
    ON COALESCE(t.restore_id, '')
        = COALESCE(o.restore_id, '')
LEFT JOIN (
    SELECT record_sha256 FROM "DELETE_TRACKER_ERASED"
    UNION
    SELECT record_sha256 FROM "AUDIT"."OLD"."DELETE_TRACKER_ERASED"
) e ON e.record_sha256 = SHA2(o.record_id, 256)
WHERE t.is_there IS NULL AND e.record_sha256 IS NULL;

-- copy_table
INSERT INTO "DELETE_TRACKER" (
    event_id, topic, object_name, record_id, deleted_by, deleted_date, owner_id, payload,
    ingested_at
)
SELECT
    o.event_id AS event_id,
    o.topic AS topic,
    o.object_name AS object_name,
    o.record_id AS record_id,
    o.deleted_by AS deleted_by,
    o.deleted_date AS deleted_date,
    o.owner_id AS owner_id,
    o.payload AS payload,
    o.ingested_at AS ingested_at
FROM "AUDIT"."OLD"."DELETE_TRACKER" o
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN (
    SELECT event_id, TRUE AS is_there
    FROM "DELETE_TRACKER"
) t
    ON COALESCE(t.event_id, '')
        = COALESCE(o.event_id, '')
LEFT JOIN (
    SELECT record_sha256 FROM "DELETE_TRACKER_ERASED"
    UNION
    SELECT record_sha256 FROM "AUDIT"."OLD"."DELETE_TRACKER_ERASED"
) e ON e.record_sha256 = SHA2(o.record_id, 256)
WHERE t.is_there IS NULL AND e.record_sha256 IS NULL;

-- count_erased
SELECT r.rows_erased AS rows_erased, n.records_erased AS records_erased
FROM (
    SELECT COUNT(*) AS rows_erased
    FROM "DELETE_TRACKER_STAGING" s
    JOIN (SELECT DISTINCT record_sha256 FROM "DELETE_TRACKER_ERASED") e
    ON e.record_sha256 = SHA2(s.v:record_id::VARCHAR, 256)
    WHERE s.v:kind::VARCHAR <> 'file'
) r
CROSS JOIN (SELECT COUNT(DISTINCT record_sha256) AS records_erased FROM "DELETE_TRACKER_ERASED") n;

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

-- count_others
SELECT COUNT(*) AS found
FROM (
    SELECT DISTINCT check_id
    FROM "DELETE_TRACKER_LISTED"
    JOIN (
    SELECT
        LEFT(v:long_id::VARCHAR, 15) AS short_id,
        UPPER(v:long_id::VARCHAR) AS upper_id,
        LOWER(v:long_id::VARCHAR) AS lower_id,
        v:record_sha256::VARCHAR AS record_sha256,
        v:reject_id::VARCHAR AS reject_id
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR IN ('record', 'reject')
    ) r ON r.id = %s
) d
LEFT JOIN (
    SELECT
        LEFT(v:long_id::VARCHAR, 15) AS short_id,
        UPPER(v:long_id::VARCHAR) AS upper_id,
        LOWER(v:long_id::VARCHAR) AS lower_id,
        v:record_sha256::VARCHAR AS record_sha256,
        v:reject_id::VARCHAR AS reject_id
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR IN ('record', 'reject')
) r ON (CONTAINS("DELETE_TRACKER_LISTED".record_id, r.short_id)
    OR CONTAINS("DELETE_TRACKER_LISTED".record_id, r.upper_id)
    OR CONTAINS("DELETE_TRACKER_LISTED".record_id, r.lower_id))
WHERE r.short_id IS NULL;

-- count_own
SELECT COUNT(*) AS found
FROM "DELETE_TRACKER_LISTED"
JOIN (
    SELECT
        LEFT(v:long_id::VARCHAR, 15) AS short_id,
        UPPER(v:long_id::VARCHAR) AS upper_id,
        LOWER(v:long_id::VARCHAR) AS lower_id,
        v:record_sha256::VARCHAR AS record_sha256,
        v:reject_id::VARCHAR AS reject_id
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR IN ('record', 'reject')
) r ON (CONTAINS("DELETE_TRACKER_LISTED".record_id, r.short_id)
    OR CONTAINS("DELETE_TRACKER_LISTED".record_id, r.upper_id)
    OR CONTAINS("DELETE_TRACKER_LISTED".record_id, r.lower_id));

-- count_recovered
SELECT COUNT(*) AS recovered FROM (SELECT
    s.event_id AS event_id,
    s.object_name AS object_name,
    s.record_id AS record_id,
    s.deleted_date AS deleted_date,
    s.first_at AS first_at
FROM (SELECT
    object_name AS object_name,
    record_id AS record_id,
    deleted_date AS deleted_date,
    'check:' || record_id || ':' || TO_VARCHAR(deleted_date, 'YYYY-MM-DD') || 'T'
        || TO_VARCHAR(deleted_date, 'HH24:MI:SS.FF3') || 'Z' AS event_id,
    first_at AS first_at,
    last_at AS last_at,
    CASE
        WHEN COUNT(CASE WHEN kind = 'event' AND relation = 'same' THEN 1 END) > 0 THEN 'tracked'
        WHEN COUNT(CASE WHEN relation = 'same' OR relation = 'unclear' THEN 1 END) = 0
            THEN 'recovered'
        WHEN COUNT(CASE WHEN relation = 'same' THEN 1 END) > 0 THEN 'repeated'
        ELSE 'unclear'
    END AS status
FROM (WITH entries AS (
    SELECT
        l.check_id AS check_id,
        l.object_name AS object_name,
        l.record_id AS record_id,
        HEX_ENCODE(LEFT(l.record_id, 15)) AS short_id,
        l.deleted_date AS deleted_date,
        l.listed_by AS listed_by,
        c.checked_at AS checked_at
    FROM "DELETE_TRACKER_LISTED" l
    JOIN "DELETE_TRACKER_CHECKS" c ON c.check_id = l.check_id
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(l.record_id, 256)
    WHERE (c.compared_at IS NOT NULL OR c.event_file <= %s) AND e.record_sha256 IS NULL
        AND l.record_id IS NOT NULL AND l.deleted_date IS NOT NULL
),
listed AS (
    SELECT
        record_id AS record_id,
        short_id AS short_id,
        deleted_date AS deleted_date,
        MIN(object_name) AS object_name,
        MIN(checked_at) AS first_at,
        MAX(checked_at) AS last_at
    FROM entries
    GROUP BY record_id, short_id, deleted_date
),
answers AS (
    SELECT DISTINCT
        a.record_id AS record_id,
        a.deleted_date AS deleted_date,
        b.deleted_date AS other_date
    FROM entries a
    JOIN entries b ON b.check_id = a.check_id AND b.record_id = a.record_id
    WHERE a.deleted_date <> b.deleted_date
        AND a.listed_by <> 'queryAll' AND b.listed_by <> 'queryAll'
),
told AS (
    SELECT
        t.event_id AS event_id,
        HEX_ENCODE(LEFT(t.record_id, 15)) AS short_id,
        t.deleted_date AS deleted_date,
        t.ingested_at AS ingested_at,
        t.payload:_tracker.deleted_date_from::VARCHAR IS NULL AS is_plain
    FROM "DELETE_TRACKER" t
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(t.record_id, 256)
    WHERE COALESCE(t.topic, '') <> 'check' AND RIGHT(t.record_id, 1) <> '*'
        AND e.record_sha256 IS NULL
),
others AS (
    SELECT
        'event' AS kind,
        event_id AS event_id,
        short_id AS short_id,
        deleted_date AS happened_at,
        deleted_date AS not_before,
        NULL::TIMESTAMP_NTZ AS first_at
    FROM told
    WHERE is_plain
    UNION ALL
    SELECT
        'event',
        t.event_id,
        t.short_id,
        CASE
            WHEN MIN(l.deleted_date) = MAX(l.deleted_date) AND MIN(l.first_at) >= t.ingested_at
                AND COUNT(c.check_id) > 0 AND COUNT(r.restored_date) = 0
                THEN MAX(l.deleted_date)
        END,
        DATEADD('day', -4, t.ingested_at),
        NULL::TIMESTAMP_NTZ
    FROM told t
    LEFT JOIN listed l ON l.short_id = t.short_id
        AND l.deleted_date <= t.ingested_at
        AND l.deleted_date >= DATEADD('day', -4, t.ingested_at)
    LEFT JOIN "DELETE_TRACKER_CHECKS" c ON c.object_name = l.object_name
        AND c.window_from <= t.ingested_at AND c.window_to > t.ingested_at
        AND c.outcome = 'listed' AND (c.compared_at IS NOT NULL OR c.event_file <= %s)
    LEFT JOIN "DELETE_TRACKER_RESTORES" r ON HEX_ENCODE(LEFT(r.record_id, 15)) = t.short_id
        AND r.restored_date <= t.ingested_at
        AND r.restored_date >= DATEADD('day', -4, t.ingested_at)
    WHERE NOT t.is_plain
    GROUP BY t.event_id, t.short_id, t.ingested_at
    UNION ALL
    SELECT
        'listed',
        NULL::VARCHAR,
        short_id,
        deleted_date,
        NULL::TIMESTAMP_NTZ,
        first_at
    FROM listed
)
SELECT
    l.object_name AS object_name,
    l.record_id AS record_id,
    l.deleted_date AS deleted_date,
    l.first_at AS first_at,
    l.last_at AS last_at,
    o.kind AS kind,
    o.event_id AS event_id,
    o.happened_at AS happened_at,
    CASE
        WHEN o.kind IS NULL THEN 'none'
        WHEN o.happened_at BETWEEN DATEADD('minute', -10, l.deleted_date)
            AND DATEADD('minute', 10, l.deleted_date) THEN 'same'
        WHEN o.not_before > l.first_at THEN 'different'
        WHEN COUNT(r.restored_date) > 0 OR COUNT(a.other_date) > 0 THEN 'different'
        ELSE 'unclear'
    END AS relation
FROM listed l
LEFT JOIN others o ON o.short_id = l.short_id
    AND (
        o.kind = 'event' OR o.first_at < l.first_at
        OR (o.first_at = l.first_at AND o.happened_at < l.deleted_date)
    )
LEFT JOIN "DELETE_TRACKER_RESTORES" r ON HEX_ENCODE(LEFT(r.record_id, 15)) = l.short_id
    AND r.restored_date > LEAST(l.deleted_date, o.happened_at)
    AND r.restored_date < GREATEST(l.deleted_date, o.happened_at)
LEFT JOIN answers a ON a.record_id = l.record_id AND a.deleted_date = l.deleted_date
    AND a.other_date BETWEEN DATEADD('minute', -10, o.happened_at)
    AND DATEADD('minute', 10, o.happened_at)
WHERE l.last_at >= TO_TIMESTAMP_NTZ(%s)
GROUP BY
    l.object_name, l.record_id, l.deleted_date, l.first_at, l.last_at,
    o.kind, o.event_id, o.happened_at, o.not_before)
GROUP BY object_name, record_id, deleted_date, first_at, last_at) s
LEFT JOIN "DELETE_TRACKER" t ON t.event_id = s.event_id
WHERE s.status = 'recovered' AND t.event_id IS NULL) r;

-- count_unmoved_acknowledged
SELECT
    r.rows_old AS rows_old,
    n.rows_new AS rows_new,
    u.rows_unmoved AS rows_unmoved
FROM (SELECT COUNT(*) AS rows_old FROM "AUDIT"."OLD"."DELETE_TRACKER_ACKNOWLEDGED") r
CROSS JOIN (SELECT COUNT(*) AS rows_new FROM "DELETE_TRACKER_ACKNOWLEDGED") n
CROSS JOIN (
    SELECT COUNT(*) AS rows_unmoved
    FROM "AUDIT"."OLD"."DELETE_TRACKER_ACKNOWLEDGED" o
    LEFT JOIN (
    SELECT kind, id, TRUE AS is_there
    FROM "DELETE_TRACKER_ACKNOWLEDGED"
) t
    ON COALESCE(t.kind, '')
        = COALESCE(o.kind, '')
    AND COALESCE(t.id, '')
        = COALESCE(o.id, '')
WHERE t.is_there IS NULL
) u;

-- count_unmoved_checks
SELECT
    r.rows_old AS rows_old,
    n.rows_new AS rows_new,
    u.rows_unmoved AS rows_unmoved
FROM (SELECT COUNT(*) AS rows_old FROM "AUDIT"."OLD"."DELETE_TRACKER_CHECKS") r
CROSS JOIN (SELECT COUNT(*) AS rows_new FROM "DELETE_TRACKER_CHECKS") n
CROSS JOIN (
    SELECT COUNT(*) AS rows_unmoved
    FROM "AUDIT"."OLD"."DELETE_TRACKER_CHECKS" o
    LEFT JOIN (
    SELECT check_id, TRUE AS is_there
    FROM "DELETE_TRACKER_CHECKS"
) t
    ON COALESCE(t.check_id, '')
        = COALESCE(o.check_id, '')
WHERE t.is_there IS NULL
) u;

-- count_unmoved_erased
SELECT
    r.rows_old AS rows_old,
    n.rows_new AS rows_new,
    u.rows_unmoved AS rows_unmoved
FROM (SELECT COUNT(*) AS rows_old FROM "AUDIT"."OLD"."DELETE_TRACKER_ERASED") r
CROSS JOIN (SELECT COUNT(*) AS rows_new FROM "DELETE_TRACKER_ERASED") n
CROSS JOIN (
    SELECT COUNT(*) AS rows_unmoved
    FROM "AUDIT"."OLD"."DELETE_TRACKER_ERASED" o
    LEFT JOIN (
    SELECT record_sha256, erased_at, TRUE AS is_there
    FROM "DELETE_TRACKER_ERASED"
) t
    ON COALESCE(t.record_sha256, '')
        = COALESCE(o.record_sha256, '')
    AND COALESCE(t.erased_at, '0001-01-01'::TIMESTAMP_NTZ)
        = COALESCE(o.erased_at, '0001-01-01'::TIMESTAMP_NTZ)
WHERE t.is_there IS NULL
) u;

-- count_unmoved_gaps
SELECT
    r.rows_old AS rows_old,
    n.rows_new AS rows_new,
    u.rows_unmoved AS rows_unmoved
FROM (SELECT COUNT(*) AS rows_old FROM "AUDIT"."OLD"."DELETE_TRACKER_GAPS") r
CROSS JOIN (SELECT COUNT(*) AS rows_new FROM "DELETE_TRACKER_GAPS") n
CROSS JOIN (
    SELECT COUNT(*) AS rows_unmoved
    FROM "AUDIT"."OLD"."DELETE_TRACKER_GAPS" o
    LEFT JOIN (
    SELECT gap_id, TRUE AS is_there
    FROM "DELETE_TRACKER_GAPS"
) t
    ON COALESCE(t.gap_id, '')
        = COALESCE(o.gap_id, '')
WHERE t.is_there IS NULL
) u;

-- count_unmoved_listed
SELECT
    r.rows_old AS rows_old,
    n.rows_new AS rows_new,
    u.rows_unmoved AS rows_unmoved
FROM (SELECT COUNT(*) AS rows_old FROM "AUDIT"."OLD"."DELETE_TRACKER_LISTED") r
CROSS JOIN (SELECT COUNT(*) AS rows_new FROM "DELETE_TRACKER_LISTED") n
CROSS JOIN (
    SELECT COUNT(*) AS rows_unmoved
    FROM "AUDIT"."OLD"."DELETE_TRACKER_LISTED" o
    LEFT JOIN (
    SELECT check_id, record_id, deleted_date, TRUE AS is_there
    FROM "DELETE_TRACKER_LISTED"
) t
    ON COALESCE(t.check_id, '')
        = COALESCE(o.check_id, '')
    AND COALESCE(t.record_id, '')
        = COALESCE(o.record_id, '')
    AND COALESCE(t.deleted_date, '0001-01-01'::TIMESTAMP_NTZ)
        = COALESCE(o.deleted_date, '0001-01-01'::TIMESTAMP_NTZ)
LEFT JOIN (
    SELECT record_sha256 FROM "DELETE_TRACKER_ERASED"
    UNION
    SELECT record_sha256 FROM "AUDIT"."OLD"."DELETE_TRACKER_ERASED"
) e ON e.record_sha256 = SHA2(o.record_id, 256)
WHERE t.is_there IS NULL AND e.record_sha256 IS NULL
) u;

-- count_unmoved_loads
SELECT
    r.rows_old AS rows_old,
    n.rows_new AS rows_new,
    u.rows_unmoved AS rows_unmoved
FROM (SELECT COUNT(*) AS rows_old FROM "AUDIT"."OLD"."DELETE_TRACKER_LOADS") r
CROSS JOIN (SELECT COUNT(*) AS rows_new FROM "DELETE_TRACKER_LOADS") n
CROSS JOIN (
    SELECT COUNT(*) AS rows_unmoved
    FROM "AUDIT"."OLD"."DELETE_TRACKER_LOADS" o
    LEFT JOIN (
    SELECT event_file, sha256, TRUE AS is_there
    FROM "DELETE_TRACKER_LOADS"
) t
    ON COALESCE(t.event_file, '')
        = COALESCE(o.event_file, '')
    AND COALESCE(t.sha256, '')
        = COALESCE(o.sha256, '')
WHERE t.is_there IS NULL
) u;

-- count_unmoved_polls
SELECT
    r.rows_old AS rows_old,
    n.rows_new AS rows_new,
    u.rows_unmoved AS rows_unmoved
FROM (SELECT COUNT(*) AS rows_old FROM "AUDIT"."OLD"."DELETE_TRACKER_POLLS") r
CROSS JOIN (SELECT COUNT(*) AS rows_new FROM "DELETE_TRACKER_POLLS") n
CROSS JOIN (
    SELECT COUNT(*) AS rows_unmoved
    FROM "AUDIT"."OLD"."DELETE_TRACKER_POLLS" o
    LEFT JOIN (
    SELECT poll_id, TRUE AS is_there
    FROM "DELETE_TRACKER_POLLS"
) t
    ON COALESCE(t.poll_id, '')
        = COALESCE(o.poll_id, '')
WHERE t.is_there IS NULL
) u;

-- count_unmoved_rejects
SELECT
    r.rows_old AS rows_old,
    n.rows_new AS rows_new,
    u.rows_unmoved AS rows_unmoved
FROM (SELECT COUNT(*) AS rows_old FROM "AUDIT"."OLD"."DELETE_TRACKER_REJECTS") r
CROSS JOIN (SELECT COUNT(*) AS rows_new FROM "DELETE_TRACKER_REJECTS") n
CROSS JOIN (
    SELECT COUNT(*) AS rows_unmoved
    FROM "AUDIT"."OLD"."DELETE_TRACKER_REJECTS" o
    LEFT JOIN (
    SELECT reject_id, TRUE AS is_there
    FROM "DELETE_TRACKER_REJECTS"
) t
    ON COALESCE(t.reject_id, '')
        = COALESCE(o.reject_id, '')
WHERE t.is_there IS NULL
) u;

-- count_unmoved_restores
SELECT
    r.rows_old AS rows_old,
    n.rows_new AS rows_new,
    u.rows_unmoved AS rows_unmoved
FROM (SELECT COUNT(*) AS rows_old FROM "AUDIT"."OLD"."DELETE_TRACKER_RESTORES") r
CROSS JOIN (SELECT COUNT(*) AS rows_new FROM "DELETE_TRACKER_RESTORES") n
CROSS JOIN (
    SELECT COUNT(*) AS rows_unmoved
    FROM "AUDIT"."OLD"."DELETE_TRACKER_RESTORES" o
    LEFT JOIN (
    SELECT restore_id, TRUE AS is_there
    FROM "DELETE_TRACKER_RESTORES"
) t
    ON COALESCE(t.restore_id, '')
        = COALESCE(o.restore_id, '')
LEFT JOIN (
    SELECT record_sha256 FROM "DELETE_TRACKER_ERASED"
    UNION
    SELECT record_sha256 FROM "AUDIT"."OLD"."DELETE_TRACKER_ERASED"
) e ON e.record_sha256 = SHA2(o.record_id, 256)
WHERE t.is_there IS NULL AND e.record_sha256 IS NULL
) u;

-- count_unmoved_table
SELECT
    r.rows_old AS rows_old,
    n.rows_new AS rows_new,
    u.rows_unmoved AS rows_unmoved
FROM (SELECT COUNT(*) AS rows_old FROM "AUDIT"."OLD"."DELETE_TRACKER") r
CROSS JOIN (SELECT COUNT(*) AS rows_new FROM "DELETE_TRACKER") n
CROSS JOIN (
    SELECT COUNT(*) AS rows_unmoved
    FROM "AUDIT"."OLD"."DELETE_TRACKER" o
    LEFT JOIN (
    SELECT event_id, TRUE AS is_there
    FROM "DELETE_TRACKER"
) t
    ON COALESCE(t.event_id, '')
        = COALESCE(o.event_id, '')
LEFT JOIN (
    SELECT record_sha256 FROM "DELETE_TRACKER_ERASED"
    UNION
    SELECT record_sha256 FROM "AUDIT"."OLD"."DELETE_TRACKER_ERASED"
) e ON e.record_sha256 = SHA2(o.record_id, 256)
WHERE t.is_there IS NULL AND e.record_sha256 IS NULL
) u;

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
    erased_at TIMESTAMP_NTZ,
    rows_removed INTEGER
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

-- empty_stage
REMOVE @"DELETE_TRACKER_STAGE";

-- erased_at
SELECT MAX(erased_at) AS erased_at
FROM "DELETE_TRACKER_ERASED"
WHERE record_sha256 = SHA2(%s, 256);

-- erased_digests
SELECT DISTINCT record_sha256 AS record_sha256 FROM "DELETE_TRACKER_ERASED";

-- fresh
SELECT
    topic AS topic,
    object_name AS object_name,
    last_poll_at AS last_poll_at,
    read_until AS read_until,
    proven_until AS proven_until,
    last_error AS last_error
FROM "DELETE_TRACKER_FRESHNESS"
ORDER BY topic, object_name;

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

-- insert_recovered
INSERT INTO "DELETE_TRACKER" (
    id, event_id, topic, object_name, record_id, deleted_by, deleted_date, owner_id, payload,
    ingested_at
)
SELECT
    41 + ROW_NUMBER() OVER (ORDER BY d.event_id) AS id,
        r.event_id AS event_id,
    'check' AS topic,
    r.object_name AS object_name,
    r.record_id AS record_id,
    d.deleted_by AS deleted_by,
    r.deleted_date AS deleted_date,
    d.owner_id AS owner_id,
    d.payload AS payload,
    r.first_at AS ingested_at
FROM (SELECT
    s.event_id AS event_id,
    s.object_name AS object_name,
    s.record_id AS record_id,
    s.deleted_date AS deleted_date,
    s.first_at AS first_at
FROM (SELECT
    object_name AS object_name,
    record_id AS record_id,
    deleted_date AS deleted_date,
    'check:' || record_id || ':' || TO_VARCHAR(deleted_date, 'YYYY-MM-DD') || 'T'
        || TO_VARCHAR(deleted_date, 'HH24:MI:SS.FF3') || 'Z' AS event_id,
    first_at AS first_at,
    last_at AS last_at,
    CASE
        WHEN COUNT(CASE WHEN kind = 'event' AND relation = 'same' THEN 1 END) > 0 THEN 'tracked'
        WHEN COUNT(CASE WHEN relation = 'same' OR relation = 'unclear' THEN 1 END) = 0
            THEN 'recovered'
        WHEN COUNT(CASE WHEN relation = 'same' THEN 1 END) > 0 THEN 'repeated'
        ELSE 'unclear'
    END AS status
FROM (WITH entries AS (
    SELECT
        l.check_id AS check_id,
        l.object_name AS object_name,
        l.record_id AS record_id,
        HEX_ENCODE(LEFT(l.record_id, 15)) AS short_id,
        l.deleted_date AS deleted_date,
        l.listed_by AS listed_by,
        c.checked_at AS checked_at
    FROM "DELETE_TRACKER_LISTED" l
    JOIN "DELETE_TRACKER_CHECKS" c ON c.check_id = l.check_id
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(l.record_id, 256)
    WHERE (c.compared_at IS NOT NULL OR c.event_file <= %s) AND e.record_sha256 IS NULL
        AND l.record_id IS NOT NULL AND l.deleted_date IS NOT NULL
),
listed AS (
    SELECT
        record_id AS record_id,
        short_id AS short_id,
        deleted_date AS deleted_date,
        MIN(object_name) AS object_name,
        MIN(checked_at) AS first_at,
        MAX(checked_at) AS last_at
    FROM entries
    GROUP BY record_id, short_id, deleted_date
),
answers AS (
    SELECT DISTINCT
        a.record_id AS record_id,
        a.deleted_date AS deleted_date,
        b.deleted_date AS other_date
    FROM entries a
    JOIN entries b ON b.check_id = a.check_id AND b.record_id = a.record_id
    WHERE a.deleted_date <> b.deleted_date
        AND a.listed_by <> 'queryAll' AND b.listed_by <> 'queryAll'
),
told AS (
    SELECT
        t.event_id AS event_id,
        HEX_ENCODE(LEFT(t.record_id, 15)) AS short_id,
        t.deleted_date AS deleted_date,
        t.ingested_at AS ingested_at,
        t.payload:_tracker.deleted_date_from::VARCHAR IS NULL AS is_plain
    FROM "DELETE_TRACKER" t
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(t.record_id, 256)
    WHERE COALESCE(t.topic, '') <> 'check' AND RIGHT(t.record_id, 1) <> '*'
        AND e.record_sha256 IS NULL
),
others AS (
    SELECT
        'event' AS kind,
        event_id AS event_id,
        short_id AS short_id,
        deleted_date AS happened_at,
        deleted_date AS not_before,
        NULL::TIMESTAMP_NTZ AS first_at
    FROM told
    WHERE is_plain
    UNION ALL
    SELECT
        'event',
        t.event_id,
        t.short_id,
        CASE
            WHEN MIN(l.deleted_date) = MAX(l.deleted_date) AND MIN(l.first_at) >= t.ingested_at
                AND COUNT(c.check_id) > 0 AND COUNT(r.restored_date) = 0
                THEN MAX(l.deleted_date)
        END,
        DATEADD('day', -4, t.ingested_at),
        NULL::TIMESTAMP_NTZ
    FROM told t
    LEFT JOIN listed l ON l.short_id = t.short_id
        AND l.deleted_date <= t.ingested_at
        AND l.deleted_date >= DATEADD('day', -4, t.ingested_at)
    LEFT JOIN "DELETE_TRACKER_CHECKS" c ON c.object_name = l.object_name
        AND c.window_from <= t.ingested_at AND c.window_to > t.ingested_at
        AND c.outcome = 'listed' AND (c.compared_at IS NOT NULL OR c.event_file <= %s)
    LEFT JOIN "DELETE_TRACKER_RESTORES" r ON HEX_ENCODE(LEFT(r.record_id, 15)) = t.short_id
        AND r.restored_date <= t.ingested_at
        AND r.restored_date >= DATEADD('day', -4, t.ingested_at)
    WHERE NOT t.is_plain
    GROUP BY t.event_id, t.short_id, t.ingested_at
    UNION ALL
    SELECT
        'listed',
        NULL::VARCHAR,
        short_id,
        deleted_date,
        NULL::TIMESTAMP_NTZ,
        first_at
    FROM listed
)
SELECT
    l.object_name AS object_name,
    l.record_id AS record_id,
    l.deleted_date AS deleted_date,
    l.first_at AS first_at,
    l.last_at AS last_at,
    o.kind AS kind,
    o.event_id AS event_id,
    o.happened_at AS happened_at,
    CASE
        WHEN o.kind IS NULL THEN 'none'
        WHEN o.happened_at BETWEEN DATEADD('minute', -10, l.deleted_date)
            AND DATEADD('minute', 10, l.deleted_date) THEN 'same'
        WHEN o.not_before > l.first_at THEN 'different'
        WHEN COUNT(r.restored_date) > 0 OR COUNT(a.other_date) > 0 THEN 'different'
        ELSE 'unclear'
    END AS relation
FROM listed l
LEFT JOIN others o ON o.short_id = l.short_id
    AND (
        o.kind = 'event' OR o.first_at < l.first_at
        OR (o.first_at = l.first_at AND o.happened_at < l.deleted_date)
    )
LEFT JOIN "DELETE_TRACKER_RESTORES" r ON HEX_ENCODE(LEFT(r.record_id, 15)) = l.short_id
    AND r.restored_date > LEAST(l.deleted_date, o.happened_at)
    AND r.restored_date < GREATEST(l.deleted_date, o.happened_at)
LEFT JOIN answers a ON a.record_id = l.record_id AND a.deleted_date = l.deleted_date
    AND a.other_date BETWEEN DATEADD('minute', -10, o.happened_at)
    AND DATEADD('minute', 10, o.happened_at)
WHERE l.last_at >= TO_TIMESTAMP_NTZ(%s)
GROUP BY
    l.object_name, l.record_id, l.deleted_date, l.first_at, l.last_at,
    o.kind, o.event_id, o.happened_at, o.not_before)
GROUP BY object_name, record_id, deleted_date, first_at, last_at) s
LEFT JOIN "DELETE_TRACKER" t ON t.event_id = s.event_id
WHERE s.status = 'recovered' AND t.event_id IS NULL) r
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
JOIN (SELECT
    l.object_name AS object_name,
    l.record_id AS record_id,
    l.deleted_date AS deleted_date,
    COALESCE(
        l.deleted_by, MAX(l.deleted_by) OVER (PARTITION BY l.record_id, l.deleted_date)
    ) AS deleted_by,
    COALESCE(
        l.owner_id, MAX(l.owner_id) OVER (PARTITION BY l.record_id, l.deleted_date)
    ) AS owner_id,
    l.payload AS payload
FROM "DELETE_TRACKER_LISTED" l
JOIN "DELETE_TRACKER_CHECKS" c ON c.check_id = l.check_id
LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(l.record_id, 256)
WHERE e.record_sha256 IS NULL
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY l.record_id, l.deleted_date
    ORDER BY c.checked_at, c.check_id
) = 1) d ON d.record_id = r.record_id AND d.deleted_date = r.deleted_date;

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

-- last_sweeps
SELECT
    sweep_id AS sweep_id,
    MAX(loaded_at) AS loaded_at,
    COUNT(*) AS files,
    SUM(rows_inserted) AS rows_inserted,
    COUNT(error) AS files_refused
FROM "DELETE_TRACKER_LOADS"
GROUP BY sweep_id
ORDER BY MAX(loaded_at) DESC, sweep_id DESC
LIMIT 5;

-- list
LIST @"DELETE_TRACKER_STAGE"/path/;

-- list_stage
LIST @"DELETE_TRACKER_STAGE";

-- listed_once
SELECT
    l.object_name AS object_name,
    l.record_id AS record_id,
    l.deleted_date AS deleted_date,
    COALESCE(
        l.deleted_by, MAX(l.deleted_by) OVER (PARTITION BY l.record_id, l.deleted_date)
    ) AS deleted_by,
    COALESCE(
        l.owner_id, MAX(l.owner_id) OVER (PARTITION BY l.record_id, l.deleted_date)
    ) AS owner_id,
    l.payload AS payload
FROM "DELETE_TRACKER_LISTED" l
JOIN "DELETE_TRACKER_CHECKS" c ON c.check_id = l.check_id
LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(l.record_id, 256)
WHERE e.record_sha256 IS NULL
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY l.record_id, l.deleted_date
    ORDER BY c.checked_at, c.check_id
) = 1;

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

-- named_payloads
SELECT DISTINCT "DELETE_TRACKER_LISTED".payload::VARCHAR AS payload
FROM "DELETE_TRACKER_LISTED"
JOIN (
    SELECT
        LEFT(v:long_id::VARCHAR, 15) AS short_id,
        UPPER(v:long_id::VARCHAR) AS upper_id,
        LOWER(v:long_id::VARCHAR) AS lower_id,
        v:record_sha256::VARCHAR AS record_sha256,
        v:reject_id::VARCHAR AS reject_id
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR IN ('record', 'reject')
) r ON r.id = %s
LIMIT 10;

-- new_recovered
SELECT
    s.event_id AS event_id,
    s.object_name AS object_name,
    s.record_id AS record_id,
    s.deleted_date AS deleted_date,
    s.first_at AS first_at
FROM (SELECT
    object_name AS object_name,
    record_id AS record_id,
    deleted_date AS deleted_date,
    'check:' || record_id || ':' || TO_VARCHAR(deleted_date, 'YYYY-MM-DD') || 'T'
        || TO_VARCHAR(deleted_date, 'HH24:MI:SS.FF3') || 'Z' AS event_id,
    first_at AS first_at,
    last_at AS last_at,
    CASE
        WHEN COUNT(CASE WHEN kind = 'event' AND relation = 'same' THEN 1 END) > 0 THEN 'tracked'
        WHEN COUNT(CASE WHEN relation = 'same' OR relation = 'unclear' THEN 1 END) = 0
            THEN 'recovered'
        WHEN COUNT(CASE WHEN relation = 'same' THEN 1 END) > 0 THEN 'repeated'
        ELSE 'unclear'
    END AS status
FROM (WITH entries AS (
    SELECT
        l.check_id AS check_id,
        l.object_name AS object_name,
        l.record_id AS record_id,
        HEX_ENCODE(LEFT(l.record_id, 15)) AS short_id,
        l.deleted_date AS deleted_date,
        l.listed_by AS listed_by,
        c.checked_at AS checked_at
    FROM "DELETE_TRACKER_LISTED" l
    JOIN "DELETE_TRACKER_CHECKS" c ON c.check_id = l.check_id
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(l.record_id, 256)
    WHERE (c.compared_at IS NOT NULL OR c.event_file <= %s) AND e.record_sha256 IS NULL
        AND l.record_id IS NOT NULL AND l.deleted_date IS NOT NULL
),
listed AS (
    SELECT
        record_id AS record_id,
        short_id AS short_id,
        deleted_date AS deleted_date,
        MIN(object_name) AS object_name,
        MIN(checked_at) AS first_at,
        MAX(checked_at) AS last_at
    FROM entries
    GROUP BY record_id, short_id, deleted_date
),
answers AS (
    SELECT DISTINCT
        a.record_id AS record_id,
        a.deleted_date AS deleted_date,
        b.deleted_date AS other_date
    FROM entries a
    JOIN entries b ON b.check_id = a.check_id AND b.record_id = a.record_id
    WHERE a.deleted_date <> b.deleted_date
        AND a.listed_by <> 'queryAll' AND b.listed_by <> 'queryAll'
),
told AS (
    SELECT
        t.event_id AS event_id,
        HEX_ENCODE(LEFT(t.record_id, 15)) AS short_id,
        t.deleted_date AS deleted_date,
        t.ingested_at AS ingested_at,
        t.payload:_tracker.deleted_date_from::VARCHAR IS NULL AS is_plain
    FROM "DELETE_TRACKER" t
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(t.record_id, 256)
    WHERE COALESCE(t.topic, '') <> 'check' AND RIGHT(t.record_id, 1) <> '*'
        AND e.record_sha256 IS NULL
),
others AS (
    SELECT
        'event' AS kind,
        event_id AS event_id,
        short_id AS short_id,
        deleted_date AS happened_at,
        deleted_date AS not_before,
        NULL::TIMESTAMP_NTZ AS first_at
    FROM told
    WHERE is_plain
    UNION ALL
    SELECT
        'event',
        t.event_id,
        t.short_id,
        CASE
            WHEN MIN(l.deleted_date) = MAX(l.deleted_date) AND MIN(l.first_at) >= t.ingested_at
                AND COUNT(c.check_id) > 0 AND COUNT(r.restored_date) = 0
                THEN MAX(l.deleted_date)
        END,
        DATEADD('day', -4, t.ingested_at),
        NULL::TIMESTAMP_NTZ
    FROM told t
    LEFT JOIN listed l ON l.short_id = t.short_id
        AND l.deleted_date <= t.ingested_at
        AND l.deleted_date >= DATEADD('day', -4, t.ingested_at)
    LEFT JOIN "DELETE_TRACKER_CHECKS" c ON c.object_name = l.object_name
        AND c.window_from <= t.ingested_at AND c.window_to > t.ingested_at
        AND c.outcome = 'listed' AND (c.compared_at IS NOT NULL OR c.event_file <= %s)
    LEFT JOIN "DELETE_TRACKER_RESTORES" r ON HEX_ENCODE(LEFT(r.record_id, 15)) = t.short_id
        AND r.restored_date <= t.ingested_at
        AND r.restored_date >= DATEADD('day', -4, t.ingested_at)
    WHERE NOT t.is_plain
    GROUP BY t.event_id, t.short_id, t.ingested_at
    UNION ALL
    SELECT
        'listed',
        NULL::VARCHAR,
        short_id,
        deleted_date,
        NULL::TIMESTAMP_NTZ,
        first_at
    FROM listed
)
SELECT
    l.object_name AS object_name,
    l.record_id AS record_id,
    l.deleted_date AS deleted_date,
    l.first_at AS first_at,
    l.last_at AS last_at,
    o.kind AS kind,
    o.event_id AS event_id,
    o.happened_at AS happened_at,
    CASE
        WHEN o.kind IS NULL THEN 'none'
        WHEN o.happened_at BETWEEN DATEADD('minute', -10, l.deleted_date)
            AND DATEADD('minute', 10, l.deleted_date) THEN 'same'
        WHEN o.not_before > l.first_at THEN 'different'
        WHEN COUNT(r.restored_date) > 0 OR COUNT(a.other_date) > 0 THEN 'different'
        ELSE 'unclear'
    END AS relation
FROM listed l
LEFT JOIN others o ON o.short_id = l.short_id
    AND (
        o.kind = 'event' OR o.first_at < l.first_at
        OR (o.first_at = l.first_at AND o.happened_at < l.deleted_date)
    )
LEFT JOIN "DELETE_TRACKER_RESTORES" r ON HEX_ENCODE(LEFT(r.record_id, 15)) = l.short_id
    AND r.restored_date > LEAST(l.deleted_date, o.happened_at)
    AND r.restored_date < GREATEST(l.deleted_date, o.happened_at)
LEFT JOIN answers a ON a.record_id = l.record_id AND a.deleted_date = l.deleted_date
    AND a.other_date BETWEEN DATEADD('minute', -10, o.happened_at)
    AND DATEADD('minute', 10, o.happened_at)
WHERE l.last_at >= TO_TIMESTAMP_NTZ(%s)
GROUP BY
    l.object_name, l.record_id, l.deleted_date, l.first_at, l.last_at,
    o.kind, o.event_id, o.happened_at, o.not_before)
GROUP BY object_name, record_id, deleted_date, first_at, last_at) s
LEFT JOIN "DELETE_TRACKER" t ON t.event_id = s.event_id
WHERE s.status = 'recovered' AND t.event_id IS NULL;

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

-- note_erased
INSERT INTO "DELETE_TRACKER_ERASED" (record_sha256, erased_at, rows_removed)
SELECT r.record_sha256 AS record_sha256, SYSDATE() AS erased_at, 0 AS rows_removed
FROM (
    SELECT
        LEFT(v:long_id::VARCHAR, 15) AS short_id,
        UPPER(v:long_id::VARCHAR) AS upper_id,
        LOWER(v:long_id::VARCHAR) AS lower_id,
        v:record_sha256::VARCHAR AS record_sha256,
        v:reject_id::VARCHAR AS reject_id
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR IN ('record', 'reject')
) r
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = r.record_sha256
WHERE e.record_sha256 IS NULL AND r.record_sha256 IS NOT NULL;

-- note_removed
INSERT INTO "DELETE_TRACKER_ERASED" (record_sha256, erased_at, rows_removed)
SELECT r.record_sha256 AS record_sha256, SYSDATE() AS erased_at, COUNT(*) AS rows_removed
FROM "DELETE_TRACKER"
JOIN (
    SELECT
        LEFT(v:long_id::VARCHAR, 15) AS short_id,
        UPPER(v:long_id::VARCHAR) AS upper_id,
        LOWER(v:long_id::VARCHAR) AS lower_id,
        v:record_sha256::VARCHAR AS record_sha256,
        v:reject_id::VARCHAR AS reject_id
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR IN ('record', 'reject')
) r ON (CONTAINS("DELETE_TRACKER_LISTED".record_id, r.short_id)
    OR CONTAINS("DELETE_TRACKER_LISTED".record_id, r.upper_id)
    OR CONTAINS("DELETE_TRACKER_LISTED".record_id, r.lower_id))
JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
WHERE COALESCE("DELETE_TRACKER".topic, '') <> 'check'
GROUP BY r.record_sha256;

-- oldest_first
SELECT event_file AS event_file
FROM "DELETE_TRACKER_LOADS"
GROUP BY event_file
ORDER BY MIN(loaded_at), event_file;

-- open_reasons
SELECT
    what AS what,
    id AS id,
    source AS source,
    why AS why,
    known_since AS known_since,
    state AS state,
    COUNT(*) OVER () AS total
FROM "DELETE_TRACKER_INCOMPLETE"
ORDER BY known_since, what, id
LIMIT 1000;

-- previous_token
SELECT previous AS previous FROM "DELETE_TRACKER_LOCK" WHERE token = %s;

-- probe_delete
DELETE FROM "DELETE_TRACKER_GAPS" WHERE FALSE;

-- probe_insert
INSERT INTO "DELETE_TRACKER_GAPS" (topic) SELECT NULL AS probed WHERE FALSE;

-- probe_select
SELECT topic AS probed FROM "DELETE_TRACKER_GAPS" WHERE FALSE;

-- probe_update
UPDATE "DELETE_TRACKER_GAPS" SET topic = topic WHERE FALSE;

-- put
PUT 'file:///tmp/rows_*.gz' @"DELETE_TRACKER_STAGE"/path/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE;

-- reasons
SELECT
    r.what AS what,
    r.id AS id,
    r.source AS source,
    r.why AS why,
    r.known_since AS known_since,
    a.why AS acknowledged_why,
    a.who AS acknowledged_who,
    a.acknowledged_at AS acknowledged_at,
    COUNT(*) OVER () AS total
FROM (
    SELECT
        'gap' AS what,
        gap_id AS id,
        topic AS source,
        reason AS why,
        detected_at AS known_since
    FROM "DELETE_TRACKER_GAPS"
    UNION ALL
    SELECT 'refused file', event_file || ':' || COALESCE(sha256, ''), event_file, error, loaded_at
    FROM "DELETE_TRACKER_LOADS"
    WHERE error IS NOT NULL
    UNION ALL
    SELECT 'reject', reject_id, topic, error, loaded_at
    FROM "DELETE_TRACKER_REJECTS"
) r
LEFT JOIN "DELETE_TRACKER_ACKNOWLEDGED" a ON a.kind = r.what AND a.id = r.id
WHERE r.id = %s
ORDER BY r.known_since, r.what, r.id
LIMIT 1000;

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

-- records_to_erase
SELECT
    LEFT(v:long_id::VARCHAR, 15) AS short_id,
    UPPER(v:long_id::VARCHAR) AS upper_id,
    LOWER(v:long_id::VARCHAR) AS lower_id,
    v:record_sha256::VARCHAR AS record_sha256,
    v:reject_id::VARCHAR AS reject_id
FROM "DELETE_TRACKER_STAGING"
WHERE v:kind::VARCHAR IN ('record', 'reject');

-- rejects_with_bytes
SELECT COUNT(*) AS found
FROM "DELETE_TRACKER_REJECTS"
WHERE payload <> '';

-- relations
WITH entries AS (
    SELECT
        l.check_id AS check_id,
        l.object_name AS object_name,
        l.record_id AS record_id,
        HEX_ENCODE(LEFT(l.record_id, 15)) AS short_id,
        l.deleted_date AS deleted_date,
        l.listed_by AS listed_by,
        c.checked_at AS checked_at
    FROM "DELETE_TRACKER_LISTED" l
    JOIN "DELETE_TRACKER_CHECKS" c ON c.check_id = l.check_id
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(l.record_id, 256)
    WHERE (c.compared_at IS NOT NULL OR c.event_file <= %s) AND e.record_sha256 IS NULL
        AND l.record_id IS NOT NULL AND l.deleted_date IS NOT NULL
),
listed AS (
    SELECT
        record_id AS record_id,
        short_id AS short_id,
        deleted_date AS deleted_date,
        MIN(object_name) AS object_name,
        MIN(checked_at) AS first_at,
        MAX(checked_at) AS last_at
    FROM entries
    GROUP BY record_id, short_id, deleted_date
),
answers AS (
    SELECT DISTINCT
        a.record_id AS record_id,
        a.deleted_date AS deleted_date,
        b.deleted_date AS other_date
    FROM entries a
    JOIN entries b ON b.check_id = a.check_id AND b.record_id = a.record_id
    WHERE a.deleted_date <> b.deleted_date
        AND a.listed_by <> 'queryAll' AND b.listed_by <> 'queryAll'
),
told AS (
    SELECT
        t.event_id AS event_id,
        HEX_ENCODE(LEFT(t.record_id, 15)) AS short_id,
        t.deleted_date AS deleted_date,
        t.ingested_at AS ingested_at,
        t.payload:_tracker.deleted_date_from::VARCHAR IS NULL AS is_plain
    FROM "DELETE_TRACKER" t
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(t.record_id, 256)
    WHERE COALESCE(t.topic, '') <> 'check' AND RIGHT(t.record_id, 1) <> '*'
        AND e.record_sha256 IS NULL
),
others AS (
    SELECT
        'event' AS kind,
        event_id AS event_id,
        short_id AS short_id,
        deleted_date AS happened_at,
        deleted_date AS not_before,
        NULL::TIMESTAMP_NTZ AS first_at
    FROM told
    WHERE is_plain
    UNION ALL
    SELECT
        'event',
        t.event_id,
        t.short_id,
        CASE
            WHEN MIN(l.deleted_date) = MAX(l.deleted_date) AND MIN(l.first_at) >= t.ingested_at
                AND COUNT(c.check_id) > 0 AND COUNT(r.restored_date) = 0
                THEN MAX(l.deleted_date)
        END,
        DATEADD('day', -4, t.ingested_at),
        NULL::TIMESTAMP_NTZ
    FROM told t
    LEFT JOIN listed l ON l.short_id = t.short_id
        AND l.deleted_date <= t.ingested_at
        AND l.deleted_date >= DATEADD('day', -4, t.ingested_at)
    LEFT JOIN "DELETE_TRACKER_CHECKS" c ON c.object_name = l.object_name
        AND c.window_from <= t.ingested_at AND c.window_to > t.ingested_at
        AND c.outcome = 'listed' AND (c.compared_at IS NOT NULL OR c.event_file <= %s)
    LEFT JOIN "DELETE_TRACKER_RESTORES" r ON HEX_ENCODE(LEFT(r.record_id, 15)) = t.short_id
        AND r.restored_date <= t.ingested_at
        AND r.restored_date >= DATEADD('day', -4, t.ingested_at)
    WHERE NOT t.is_plain
    GROUP BY t.event_id, t.short_id, t.ingested_at
    UNION ALL
    SELECT
        'listed',
        NULL::VARCHAR,
        short_id,
        deleted_date,
        NULL::TIMESTAMP_NTZ,
        first_at
    FROM listed
)
SELECT
    l.object_name AS object_name,
    l.record_id AS record_id,
    l.deleted_date AS deleted_date,
    l.first_at AS first_at,
    l.last_at AS last_at,
    o.kind AS kind,
    o.event_id AS event_id,
    o.happened_at AS happened_at,
    CASE
        WHEN o.kind IS NULL THEN 'none'
        WHEN o.happened_at BETWEEN DATEADD('minute', -10, l.deleted_date)
            AND DATEADD('minute', 10, l.deleted_date) THEN 'same'
        WHEN o.not_before > l.first_at THEN 'different'
        WHEN COUNT(r.restored_date) > 0 OR COUNT(a.other_date) > 0 THEN 'different'
        ELSE 'unclear'
    END AS relation
FROM listed l
LEFT JOIN others o ON o.short_id = l.short_id
    AND (
        o.kind = 'event' OR o.first_at < l.first_at
        OR (o.first_at = l.first_at AND o.happened_at < l.deleted_date)
    )
LEFT JOIN "DELETE_TRACKER_RESTORES" r ON HEX_ENCODE(LEFT(r.record_id, 15)) = l.short_id
    AND r.restored_date > LEAST(l.deleted_date, o.happened_at)
    AND r.restored_date < GREATEST(l.deleted_date, o.happened_at)
LEFT JOIN answers a ON a.record_id = l.record_id AND a.deleted_date = l.deleted_date
    AND a.other_date BETWEEN DATEADD('minute', -10, o.happened_at)
    AND DATEADD('minute', 10, o.happened_at)
WHERE l.last_at >= TO_TIMESTAMP_NTZ(%s)
GROUP BY
    l.object_name, l.record_id, l.deleted_date, l.first_at, l.last_at,
    o.kind, o.event_id, o.happened_at, o.not_before;

-- remove
REMOVE @"DELETE_TRACKER_STAGE"/path/;

-- remove_own
DELETE FROM "DELETE_TRACKER_LISTED"
USING (
    SELECT q.short_id AS short_id, q.upper_id AS upper_id, q.lower_id AS lower_id
    FROM (
    SELECT
        LEFT(v:long_id::VARCHAR, 15) AS short_id,
        UPPER(v:long_id::VARCHAR) AS upper_id,
        LOWER(v:long_id::VARCHAR) AS lower_id,
        v:record_sha256::VARCHAR AS record_sha256,
        v:reject_id::VARCHAR AS reject_id
    FROM "DELETE_TRACKER_STAGING"
    WHERE v:kind::VARCHAR IN ('record', 'reject')
    ) q
    JOIN "DELETE_TRACKER_LOCK" g ON g.token = %s
) r
WHERE (CONTAINS("DELETE_TRACKER_LISTED".record_id, r.short_id)
    OR CONTAINS("DELETE_TRACKER_LISTED".record_id, r.upper_id)
    OR CONTAINS("DELETE_TRACKER_LISTED".record_id, r.lower_id));

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

-- rows_of_record
SELECT
    'delete' AS what,
    event_id AS id,
    object_name AS object_name,
    deleted_date AS happened_at,
    topic AS told_by,
    NULL::VARCHAR AS event_file
FROM "DELETE_TRACKER"
WHERE record_id = %s OR record_id = %s
UNION ALL
SELECT 'restore', restore_id, object_name, restored_date, topic, event_file
FROM "DELETE_TRACKER_RESTORES"
WHERE record_id = %s OR record_id = %s
UNION ALL
SELECT 'listed delete', check_id, object_name, deleted_date, listed_by, event_file
FROM "DELETE_TRACKER_LISTED"
WHERE record_id = %s OR record_id = %s
ORDER BY 4, 1, 2;

-- secondary_roles_off
USE SECONDARY ROLES NONE;

-- set_compared
UPDATE "DELETE_TRACKER_CHECKS" SET compared_at = SYSDATE()
FROM "DELETE_TRACKER_LOCK" g
WHERE g.token = %s
    AND "DELETE_TRACKER_CHECKS".compared_at IS NULL AND "DELETE_TRACKER_CHECKS".event_file <= %s;

-- stages
SHOW STAGES IN SCHEMA "AUDIT"."SALESFORCE";

-- statuses
SELECT
    object_name AS object_name,
    record_id AS record_id,
    deleted_date AS deleted_date,
    'check:' || record_id || ':' || TO_VARCHAR(deleted_date, 'YYYY-MM-DD') || 'T'
        || TO_VARCHAR(deleted_date, 'HH24:MI:SS.FF3') || 'Z' AS event_id,
    first_at AS first_at,
    last_at AS last_at,
    CASE
        WHEN COUNT(CASE WHEN kind = 'event' AND relation = 'same' THEN 1 END) > 0 THEN 'tracked'
        WHEN COUNT(CASE WHEN relation = 'same' OR relation = 'unclear' THEN 1 END) = 0
            THEN 'recovered'
        WHEN COUNT(CASE WHEN relation = 'same' THEN 1 END) > 0 THEN 'repeated'
        ELSE 'unclear'
    END AS status
FROM (WITH entries AS (
    SELECT
        l.check_id AS check_id,
        l.object_name AS object_name,
        l.record_id AS record_id,
        HEX_ENCODE(LEFT(l.record_id, 15)) AS short_id,
        l.deleted_date AS deleted_date,
        l.listed_by AS listed_by,
        c.checked_at AS checked_at
    FROM "DELETE_TRACKER_LISTED" l
    JOIN "DELETE_TRACKER_CHECKS" c ON c.check_id = l.check_id
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(l.record_id, 256)
    WHERE (c.compared_at IS NOT NULL OR c.event_file <= %s) AND e.record_sha256 IS NULL
        AND l.record_id IS NOT NULL AND l.deleted_date IS NOT NULL
),
listed AS (
    SELECT
        record_id AS record_id,
        short_id AS short_id,
        deleted_date AS deleted_date,
        MIN(object_name) AS object_name,
        MIN(checked_at) AS first_at,
        MAX(checked_at) AS last_at
    FROM entries
    GROUP BY record_id, short_id, deleted_date
),
answers AS (
    SELECT DISTINCT
        a.record_id AS record_id,
        a.deleted_date AS deleted_date,
        b.deleted_date AS other_date
    FROM entries a
    JOIN entries b ON b.check_id = a.check_id AND b.record_id = a.record_id
    WHERE a.deleted_date <> b.deleted_date
        AND a.listed_by <> 'queryAll' AND b.listed_by <> 'queryAll'
),
told AS (
    SELECT
        t.event_id AS event_id,
        HEX_ENCODE(LEFT(t.record_id, 15)) AS short_id,
        t.deleted_date AS deleted_date,
        t.ingested_at AS ingested_at,
        t.payload:_tracker.deleted_date_from::VARCHAR IS NULL AS is_plain
    FROM "DELETE_TRACKER" t
    LEFT JOIN "DELETE_TRACKER_ERASED" e ON e.record_sha256 = SHA2(t.record_id, 256)
    WHERE COALESCE(t.topic, '') <> 'check' AND RIGHT(t.record_id, 1) <> '*'
        AND e.record_sha256 IS NULL
),
others AS (
    SELECT
        'event' AS kind,
        event_id AS event_id,
        short_id AS short_id,
        deleted_date AS happened_at,
        deleted_date AS not_before,
        NULL::TIMESTAMP_NTZ AS first_at
    FROM told
    WHERE is_plain
    UNION ALL
    SELECT
        'event',
        t.event_id,
        t.short_id,
        CASE
            WHEN MIN(l.deleted_date) = MAX(l.deleted_date) AND MIN(l.first_at) >= t.ingested_at
                AND COUNT(c.check_id) > 0 AND COUNT(r.restored_date) = 0
                THEN MAX(l.deleted_date)
        END,
        DATEADD('day', -4, t.ingested_at),
        NULL::TIMESTAMP_NTZ
    FROM told t
    LEFT JOIN listed l ON l.short_id = t.short_id
        AND l.deleted_date <= t.ingested_at
        AND l.deleted_date >= DATEADD('day', -4, t.ingested_at)
    LEFT JOIN "DELETE_TRACKER_CHECKS" c ON c.object_name = l.object_name
        AND c.window_from <= t.ingested_at AND c.window_to > t.ingested_at
        AND c.outcome = 'listed' AND (c.compared_at IS NOT NULL OR c.event_file <= %s)
    LEFT JOIN "DELETE_TRACKER_RESTORES" r ON HEX_ENCODE(LEFT(r.record_id, 15)) = t.short_id
        AND r.restored_date <= t.ingested_at
        AND r.restored_date >= DATEADD('day', -4, t.ingested_at)
    WHERE NOT t.is_plain
    GROUP BY t.event_id, t.short_id, t.ingested_at
    UNION ALL
    SELECT
        'listed',
        NULL::VARCHAR,
        short_id,
        deleted_date,
        NULL::TIMESTAMP_NTZ,
        first_at
    FROM listed
)
SELECT
    l.object_name AS object_name,
    l.record_id AS record_id,
    l.deleted_date AS deleted_date,
    l.first_at AS first_at,
    l.last_at AS last_at,
    o.kind AS kind,
    o.event_id AS event_id,
    o.happened_at AS happened_at,
    CASE
        WHEN o.kind IS NULL THEN 'none'
        WHEN o.happened_at BETWEEN DATEADD('minute', -10, l.deleted_date)
            AND DATEADD('minute', 10, l.deleted_date) THEN 'same'
        WHEN o.not_before > l.first_at THEN 'different'
        WHEN COUNT(r.restored_date) > 0 OR COUNT(a.other_date) > 0 THEN 'different'
        ELSE 'unclear'
    END AS relation
FROM listed l
LEFT JOIN others o ON o.short_id = l.short_id
    AND (
        o.kind = 'event' OR o.first_at < l.first_at
        OR (o.first_at = l.first_at AND o.happened_at < l.deleted_date)
    )
LEFT JOIN "DELETE_TRACKER_RESTORES" r ON HEX_ENCODE(LEFT(r.record_id, 15)) = l.short_id
    AND r.restored_date > LEAST(l.deleted_date, o.happened_at)
    AND r.restored_date < GREATEST(l.deleted_date, o.happened_at)
LEFT JOIN answers a ON a.record_id = l.record_id AND a.deleted_date = l.deleted_date
    AND a.other_date BETWEEN DATEADD('minute', -10, o.happened_at)
    AND DATEADD('minute', 10, o.happened_at)
WHERE l.last_at >= TO_TIMESTAMP_NTZ(%s)
GROUP BY
    l.object_name, l.record_id, l.deleted_date, l.first_at, l.last_at,
    o.kind, o.event_id, o.happened_at, o.not_before)
GROUP BY object_name, record_id, deleted_date, first_at, last_at;

-- take_lock
UPDATE "DELETE_TRACKER_LOCK" SET previous = token, token = %s, taken_at = SYSDATE();

-- to_compare
SELECT
    c.ready AS ready,
    c.waiting AS waiting,
    c.oldest_check AS oldest_check,
    MIN(r.restored_date) AS oldest_restore
FROM (
    SELECT
        COUNT(CASE WHEN compared_at IS NULL AND event_file <= %s THEN 1 END) AS ready,
        COUNT(CASE WHEN compared_at IS NULL AND event_file > %s THEN 1 END) AS waiting,
        MIN(
            CASE WHEN compared_at IS NULL AND event_file <= %s THEN checked_at END
        ) AS oldest_check,
        MAX(compared_at) AS last_comparison
    FROM "DELETE_TRACKER_CHECKS"
) c
LEFT JOIN "DELETE_TRACKER_RESTORES" r ON r.loaded_at >= c.last_comparison
GROUP BY c.ready, c.waiting, c.oldest_check;

-- unproven
SELECT
    d.object_name AS object_name,
    d.reason AS reason,
    MIN(d.day) AS first_day,
    MAX(d.day) AS last_day,
    COUNT(*) AS days
FROM "DELETE_TRACKER_COMPLETENESS" d
JOIN (SELECT DISTINCT object_name FROM "DELETE_TRACKER_CHECKS" WHERE checked_at >= %s) c
    ON c.object_name = d.object_name
WHERE d.verdict = 'unproven' AND d.day BETWEEN %s AND %s
    AND (
        d.reason = 'not covered' OR d.reason = 'sight unknown' OR d.reason = 'clock'
        OR d.reason = 'no rights' OR d.reason = 'check failed'
    )
GROUP BY d.object_name, d.reason
ORDER BY d.object_name, d.reason;

-- verdicts
SELECT
    object_name AS object_name,
    verdict AS verdict,
    COALESCE(reason, '') AS reason,
    MIN(day) AS first_day,
    MAX(day) AS last_day,
    COUNT(*) AS days
FROM "DELETE_TRACKER_COMPLETENESS"
GROUP BY object_name, verdict, COALESCE(reason, '')
ORDER BY object_name, MAX(day) DESC, verdict;

-- who
SELECT
    CURRENT_USER() AS user_name,
    CURRENT_ROLE() AS role_name,
    CURRENT_WAREHOUSE() AS warehouse_name;
