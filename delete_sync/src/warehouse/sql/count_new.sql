SELECT s.event_file AS event_file, COUNT(*) AS rows_new
FROM (
    SELECT
        v:event_id::VARCHAR AS event_id,
        v:record_id::VARCHAR AS record_id,
        v:event_file::VARCHAR AS event_file
    FROM {staging}
    WHERE v:kind::VARCHAR = 'delete'
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY v:event_id::VARCHAR
        ORDER BY v:ingested_at::VARCHAR, v:topic::VARCHAR, v:event_file::VARCHAR
    ) = 1
) s
LEFT JOIN {table} t ON t.event_id = s.event_id
LEFT JOIN {erased} e ON e.record_sha256 = SHA2(s.record_id, 256)
WHERE t.event_id IS NULL AND e.record_sha256 IS NULL
GROUP BY s.event_file
