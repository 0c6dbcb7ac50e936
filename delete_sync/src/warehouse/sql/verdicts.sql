SELECT
    object_name AS object_name,
    verdict AS verdict,
    COALESCE(reason, '') AS reason,
    MIN(day) AS first_day,
    MAX(day) AS last_day,
    COUNT(*) AS days
FROM {completeness}
GROUP BY object_name, verdict, COALESCE(reason, '')
ORDER BY object_name, MAX(day) DESC, verdict
