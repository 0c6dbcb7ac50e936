UPDATE {erasable} SET {column} = {value}
FROM (
    SELECT s.v:short_id::VARCHAR AS short_id
    FROM {staging} s
    JOIN {lock} g ON g.token = %s
    WHERE s.v:kind::VARCHAR = 'record'
) r
WHERE {condition}
