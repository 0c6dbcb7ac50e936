SELECT
    what AS what,
    id AS id,
    source AS source,
    why AS why,
    known_since AS known_since,
    state AS state,
    COUNT(*) OVER () AS total
FROM {incomplete}
ORDER BY known_since, what, id
LIMIT 1000
