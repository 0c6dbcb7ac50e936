UPDATE {erasable} SET {column} = {value}
FROM (
    SELECT r.short_id AS short_id
    FROM (
    {records}
    ) r
    JOIN {lock} g ON g.token = %s
) r
WHERE {condition}
