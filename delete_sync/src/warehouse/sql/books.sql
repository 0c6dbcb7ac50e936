SELECT
    t.rows_there AS rows_there,
    l.rows_loaded AS rows_loaded,
    e.records_erased AS records_erased,
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
CROSS JOIN (SELECT COUNT(DISTINCT record_sha256) AS records_erased FROM {erased}) e
