SELECT
    c.ready AS ready,
    c.waiting AS waiting,
    c.oldest_check AS oldest_check,
    MIN(r.restored_date) AS oldest_restore
FROM (
    SELECT
        COUNT(CASE WHEN compared_at IS NULL AND event_file <= %s THEN 1 END) AS ready,
        COUNT(CASE WHEN compared_at IS NULL AND event_file > %s THEN 1 END) AS waiting,
        MIN(
            CASE WHEN compared_at IS NULL AND event_file <= %s THEN checked_at END
        ) AS oldest_check,
        MAX(compared_at) AS last_comparison
    FROM {checks}
) c
LEFT JOIN {restores} r ON r.loaded_at >= c.last_comparison
GROUP BY c.ready, c.waiting, c.oldest_check
