SELECT
    l.event_file AS event_file,
    l.sha256 AS sha256,
    l.length AS length,
    l.etag AS etag,
    l.reader AS reader,
    l.error AS error,
    l.token AS token
FROM {loads} l
JOIN (
    SELECT v:event_file::VARCHAR AS event_file
    FROM {staging}
    WHERE v:kind::VARCHAR = 'file'
) f ON f.event_file = l.event_file
