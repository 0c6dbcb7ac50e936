UPDATE {erasable} SET {column} =
    REPLACE({erasable}.{column}, f.replaced, f.sha256)
FROM (
    SELECT s.v:replaced::VARCHAR AS replaced, s.v:sha256::VARCHAR AS sha256
    FROM {staging} s
    JOIN {lock} g ON g.token = %s
    WHERE s.v:kind::VARCHAR = 'replacement'
) f
WHERE {end}({erasable}.{column}, 64) = f.replaced
