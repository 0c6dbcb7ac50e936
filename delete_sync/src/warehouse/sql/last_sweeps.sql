SELECT
    sweep_id AS sweep_id,
    MAX(loaded_at) AS loaded_at,
    COUNT(*) AS files,
    SUM(rows_inserted) AS rows_inserted,
    COUNT(error) AS files_refused
FROM {loads}
GROUP BY sweep_id
ORDER BY MAX(loaded_at) DESC, sweep_id DESC
LIMIT 5
