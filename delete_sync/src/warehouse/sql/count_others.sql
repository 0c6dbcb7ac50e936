SELECT COUNT(*) AS found
FROM (
    SELECT DISTINCT {key}
    FROM {erasable}
    JOIN (
    {records}
    ) r ON {condition}
) d
LEFT JOIN (
    {records}
) o ON o.short_id = LEFT(d.{owner}, 15)
WHERE o.short_id IS NULL
