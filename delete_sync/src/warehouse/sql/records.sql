SELECT
    event_file AS event_file,
    sha256 AS sha256,
    length AS length,
    etag AS etag,
    reader AS reader,
    error AS error,
    token AS token
FROM {loads}
WHERE event_file BETWEEN %s AND %s
