UPDATE {loads} SET sha256 = f.sha256, length = f.length, etag = f.etag
FROM (
    SELECT
        s.v:event_file::VARCHAR AS event_file,
        s.v:replaced::VARCHAR AS replaced,
        s.v:sha256::VARCHAR AS sha256,
        s.v:length::INTEGER AS length,
        s.v:etag::VARCHAR AS etag
    FROM {staging} s
    JOIN {lock} g ON g.token = %s
    WHERE s.v:kind::VARCHAR = 'replacement'
) f
WHERE {loads}.event_file = f.event_file
    AND {loads}.sha256 = f.replaced
