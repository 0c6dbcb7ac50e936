SELECT
    LEFT(v:long_id::VARCHAR, 15) AS short_id,
    UPPER(v:long_id::VARCHAR) AS upper_id,
    LOWER(v:long_id::VARCHAR) AS lower_id,
    v:record_sha256::VARCHAR AS record_sha256,
    v:reject_id::VARCHAR AS reject_id
FROM {staging}
WHERE v:kind::VARCHAR IN ('record', 'reject')
