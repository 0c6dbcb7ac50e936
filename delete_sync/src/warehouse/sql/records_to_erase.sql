SELECT
    v:short_id::VARCHAR AS short_id,
    v:record_sha256::VARCHAR AS record_sha256
FROM {staging}
WHERE v:kind::VARCHAR = 'record'
