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
FROM {listed} l
JOIN {checks} c ON c.check_id = l.check_id
LEFT JOIN {erased} e ON e.record_sha256 = SHA2(l.record_id, 256)
WHERE e.record_sha256 IS NULL
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY l.record_id, l.deleted_date
    ORDER BY c.checked_at, c.check_id
) = 1
