SELECT
    t.rows_there AS rows_there,
    l.rows_loaded AS rows_loaded,
    e.rows_removed AS rows_removed,
    l.newest_reader AS newest_reader
FROM (
    SELECT COUNT(*) AS rows_there
    FROM {table}
    WHERE COALESCE(topic, '') <> 'check'
) t
CROSS JOIN (
    SELECT COALESCE(SUM(rows_inserted), 0) AS rows_loaded, MAX(reader) AS newest_reader
    FROM {loads}
) l
CROSS JOIN (SELECT COALESCE(SUM(rows_removed), 0) AS rows_removed FROM {erased}) e
