DELETE FROM {erasable}
USING (
    SELECT q.short_id AS short_id, q.upper_id AS upper_id, q.lower_id AS lower_id
    FROM (
    {records}
    ) q
    JOIN {lock} g ON g.token = %s
) r
WHERE {own}
