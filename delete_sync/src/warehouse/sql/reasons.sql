SELECT
    r.what AS what,
    r.id AS id,
    r.source AS source,
    r.why AS why,
    r.known_since AS known_since,
    a.why AS acknowledged_why,
    a.who AS acknowledged_who,
    a.acknowledged_at AS acknowledged_at,
    COUNT(*) OVER () AS total
FROM (
    SELECT
        'gap' AS what,
        gap_id AS id,
        topic AS source,
        reason AS why,
        detected_at AS known_since
    FROM {gaps}
    UNION ALL
    SELECT 'refused file', event_file || ':' || COALESCE(sha256, ''), event_file, error, loaded_at
    FROM {loads}
    WHERE error IS NOT NULL
    UNION ALL
    SELECT 'reject', reject_id, topic, error, loaded_at
    FROM {rejects}
) r
LEFT JOIN {acknowledged} a ON a.kind = r.what AND a.id = r.id
WHERE {condition}
ORDER BY r.known_since, r.what, r.id
LIMIT 1000
