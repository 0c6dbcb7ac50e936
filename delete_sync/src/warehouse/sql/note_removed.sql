INSERT INTO {erased} (record_sha256, erased_at, rows_removed)
SELECT r.record_sha256 AS record_sha256, SYSDATE() AS erased_at, COUNT(*) AS rows_removed
FROM {table} t
JOIN (
    {records}
) r ON r.short_id = LEFT(t.record_id, 15)
JOIN {lock} g ON g.token = %s
WHERE COALESCE(t.topic, '') <> 'check'
GROUP BY r.record_sha256
