UPDATE {erasable} SET {column} = {value}
FROM (
    SELECT
        q.short_id AS short_id, q.upper_id AS upper_id, q.lower_id AS lower_id,
        q.reject_id AS reject_id
    FROM (
    {records}
    ) q
    JOIN {lock} g ON g.token = %s
) r
WHERE {condition}
