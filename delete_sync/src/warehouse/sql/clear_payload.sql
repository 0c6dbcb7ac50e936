UPDATE {erasable} SET payload = p.cleared
FROM (
    SELECT s.v:found::VARCHAR AS found, s.v:payload AS cleared
    FROM {staging} s
    JOIN {lock} g ON g.token = %s
    WHERE s.v:kind::VARCHAR = 'payload'
) p
WHERE {erasable}.payload::VARCHAR = p.found
