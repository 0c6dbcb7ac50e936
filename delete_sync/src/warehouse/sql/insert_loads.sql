INSERT INTO {loads} (
    event_file, sha256, sweep_id, rows_read, rows_inserted, rows_rejected, gaps,
    first_event_at, last_event_at, error, loaded_at
)
SELECT
    s.event_file AS event_file,
    s.sha256 AS sha256,
    s.sweep_id AS sweep_id,
    s.rows_read AS rows_read,
    s.rows_inserted AS rows_inserted,
    s.rows_rejected AS rows_rejected,
    s.gaps AS gaps,
    TO_TIMESTAMP_NTZ(s.first_event_at) AS first_event_at,
    TO_TIMESTAMP_NTZ(s.last_event_at) AS last_event_at,
    s.error AS error,
    SYSDATE() AS loaded_at
FROM (
    SELECT
        column1::VARCHAR AS event_file,
        column2::VARCHAR AS sha256,
        column3::VARCHAR AS sweep_id,
        column4::INTEGER AS rows_read,
        column5::INTEGER AS rows_inserted,
        column6::INTEGER AS rows_rejected,
        column7::INTEGER AS gaps,
        column8::VARCHAR AS first_event_at,
        column9::VARCHAR AS last_event_at,
        column10::VARCHAR AS error
    FROM VALUES {rows}
) s
LEFT JOIN {loads} l ON l.event_file = s.event_file AND l.sha256 = s.sha256
WHERE l.event_file IS NULL
