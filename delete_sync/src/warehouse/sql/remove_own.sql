DELETE FROM {erasable}
USING (
    SELECT s.v:short_id::VARCHAR AS short_id
    FROM {staging} s
    JOIN {lock} g ON g.token = %s
    WHERE s.v:kind::VARCHAR = 'record'
) r
WHERE LEFT({erasable}.record_id, 15) = r.short_id
