INSERT INTO {loads} (
    event_file, sha256, length, etag, sweep_id, token, reader, rows_read, rows_inserted,
    rows_rejected, gaps, first_event_at, last_event_at, error, loaded_at
)
SELECT
    f.event_file AS event_file,
    f.sha256 AS sha256,
    f.length AS length,
    f.etag AS etag,
    f.sweep_id AS sweep_id,
    g.token AS token,
    f.reader AS reader,
    f.rows_read AS rows_read,
    n.rows_new + COALESCE(o.rows_inserted, 0) AS rows_inserted,
    f.rows_rejected AS rows_rejected,
    f.gaps AS gaps,
    f.first_event_at AS first_event_at,
    f.last_event_at AS last_event_at,
    f.error AS error,
    SYSDATE() AS loaded_at
FROM (
    SELECT
        v:event_file::VARCHAR AS event_file,
        v:sha256::VARCHAR AS sha256,
        v:length::INTEGER AS length,
        v:etag::VARCHAR AS etag,
        v:sweep_id::VARCHAR AS sweep_id,
        v:reader::INTEGER AS reader,
        v:rows_read::INTEGER AS rows_read,
        v:rows_staged::INTEGER AS rows_staged,
        v:rows_rejected::INTEGER AS rows_rejected,
        v:gaps::INTEGER AS gaps,
        TO_TIMESTAMP_NTZ(v:first_event_at::VARCHAR) AS first_event_at,
        TO_TIMESTAMP_NTZ(v:last_event_at::VARCHAR) AS last_event_at,
        v:error::VARCHAR AS error
    FROM {staging}
    WHERE v:kind::VARCHAR = 'file'
) f
JOIN {lock} g ON g.token = %s
JOIN (
    SELECT column1::VARCHAR AS event_file, column2::INTEGER AS rows_new FROM VALUES {new}
) n ON n.event_file = f.event_file
LEFT JOIN (
    SELECT event_file AS event_file, sha256 AS sha256, SUM(rows_inserted) AS rows_inserted
    FROM {loads}
    GROUP BY event_file, sha256
) o ON o.event_file = f.event_file AND o.sha256 = f.sha256
LEFT JOIN (
    SELECT v:event_file::VARCHAR AS event_file, COUNT(*) AS rows_staged
    FROM {staging}
    WHERE v:kind::VARCHAR <> 'file'
    GROUP BY v:event_file::VARCHAR
) c ON c.event_file = f.event_file
LEFT JOIN (
    {missing}
) m ON m.event_file = f.event_file
WHERE COALESCE(c.rows_staged, 0) = f.rows_staged AND m.event_file IS NULL
