SELECT
    'delete' AS what,
    event_id AS id,
    object_name AS object_name,
    deleted_date AS happened_at,
    topic AS told_by,
    NULL::VARCHAR AS event_file
FROM {table}
WHERE record_id = %s OR record_id = %s
UNION ALL
SELECT 'restore', restore_id, object_name, restored_date, topic, event_file
FROM {restores}
WHERE record_id = %s OR record_id = %s
UNION ALL
SELECT 'listed delete', check_id, object_name, deleted_date, listed_by, event_file
FROM {listed}
WHERE record_id = %s OR record_id = %s
ORDER BY 4, 1, 2
