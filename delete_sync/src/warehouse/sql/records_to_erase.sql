SELECT s.v:short_id::VARCHAR AS short_id, s.v:record_sha256::VARCHAR AS record_sha256
    FROM {staging} s
    WHERE s.v:kind::VARCHAR = 'record'
