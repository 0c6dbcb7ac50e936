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
) r ON {own}
WHERE r.short_id IS NULL
