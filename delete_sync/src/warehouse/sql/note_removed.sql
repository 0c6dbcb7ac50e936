INSERT INTO {erased} (record_sha256, erased_at, rows_removed)
SELECT r.record_sha256 AS record_sha256, SYSDATE() AS erased_at, COUNT(*) AS rows_removed
FROM {table}
JOIN (
    {records}
) r ON {own}
JOIN {lock} g ON g.token = %s
WHERE COALESCE({table}.topic, '') <> 'check'
GROUP BY r.record_sha256
