DELETE FROM {erasable}
USING (
    SELECT r.short_id AS short_id
    FROM (
    {records}
    ) r
    JOIN {lock} g ON g.token = %s
) r
WHERE LEFT({erasable}.record_id, 15) = r.short_id
