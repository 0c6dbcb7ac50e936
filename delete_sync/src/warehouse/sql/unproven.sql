SELECT
    d.object_name AS object_name,
    d.reason AS reason,
    MIN(d.day) AS first_day,
    MAX(d.day) AS last_day,
    COUNT(*) AS days
FROM {completeness} d
JOIN (SELECT DISTINCT object_name FROM {checks} WHERE checked_at >= %s) c
    ON c.object_name = d.object_name
WHERE d.verdict = 'unproven' AND d.day BETWEEN %s AND %s
    AND (
        d.reason = 'not covered' OR d.reason = 'sight unknown' OR d.reason = 'clock'
        OR d.reason = 'no rights' OR d.reason = 'check failed'
    )
GROUP BY d.object_name, d.reason
ORDER BY d.object_name, d.reason
