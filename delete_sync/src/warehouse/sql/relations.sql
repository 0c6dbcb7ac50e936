WITH entries AS (
    SELECT
        l.check_id AS check_id,
        l.object_name AS object_name,
        l.record_id AS record_id,
        HEX_ENCODE(LEFT(l.record_id, 15)) AS short_id,
        l.deleted_date AS deleted_date,
        l.listed_by AS listed_by,
        c.checked_at AS checked_at
    FROM {listed} l
    JOIN {checks} c ON c.check_id = l.check_id
    LEFT JOIN {erased} e ON e.record_sha256 = SHA2(l.record_id, 256)
    WHERE {comparable} AND e.record_sha256 IS NULL
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
    FROM {table} t
    LEFT JOIN {erased} e ON e.record_sha256 = SHA2(t.record_id, 256)
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
    LEFT JOIN {checks} c ON c.object_name = l.object_name
        AND c.window_from <= t.ingested_at AND c.window_to > t.ingested_at
        AND c.outcome = 'listed' AND {comparable}
    LEFT JOIN {restores} r ON HEX_ENCODE(LEFT(r.record_id, 15)) = t.short_id
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
LEFT JOIN {restores} r ON HEX_ENCODE(LEFT(r.record_id, 15)) = l.short_id
    AND r.restored_date > LEAST(l.deleted_date, o.happened_at)
    AND r.restored_date < GREATEST(l.deleted_date, o.happened_at)
LEFT JOIN answers a ON a.record_id = l.record_id AND a.deleted_date = l.deleted_date
    AND a.other_date BETWEEN DATEADD('minute', -10, o.happened_at)
    AND DATEADD('minute', 10, o.happened_at)
{scope}GROUP BY
    l.object_name, l.record_id, l.deleted_date, l.first_at, l.last_at,
    o.kind, o.event_id, o.happened_at, o.not_before
