SELECT r.rows_erased AS rows_erased, n.records_erased AS records_erased
FROM (
    SELECT COUNT(*) AS rows_erased
    FROM {staging} s
    JOIN (SELECT DISTINCT record_sha256 FROM {erased}) e
    ON e.record_sha256 = SHA2(s.v:record_id::VARCHAR, 256)
    WHERE s.v:kind::VARCHAR <> 'file'
) r
CROSS JOIN (SELECT COUNT(DISTINCT record_sha256) AS records_erased FROM {erased}) n
