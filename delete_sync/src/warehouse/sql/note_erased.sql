INSERT INTO {erased} (record_sha256, erased_at, rows_removed)
SELECT r.record_sha256 AS record_sha256, SYSDATE() AS erased_at, 0 AS rows_removed
FROM (
    {records}
) r
JOIN {lock} g ON g.token = %s
LEFT JOIN {erased} e ON e.record_sha256 = r.record_sha256
WHERE e.record_sha256 IS NULL AND r.record_sha256 IS NOT NULL
