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
FROM {relations}
GROUP BY object_name, record_id, deleted_date, first_at, last_at
