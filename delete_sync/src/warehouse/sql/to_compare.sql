SELECT
    (SELECT COUNT(*) FROM {checks} WHERE compared_at IS NULL AND event_file <= %s) AS ready,
    (SELECT COUNT(*) FROM {checks} WHERE compared_at IS NULL AND event_file > %s) AS waiting,
    (
        SELECT MIN(checked_at) FROM {checks} WHERE compared_at IS NULL AND event_file <= %s
    ) AS oldest_check,
    (
        SELECT MIN(r.restored_date)
        FROM {restores} r
        JOIN (SELECT MAX(compared_at) AS compared_at FROM {checks}) c
        ON r.loaded_at >= c.compared_at
    ) AS oldest_restore
