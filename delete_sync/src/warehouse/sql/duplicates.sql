SELECT t.event_id AS event_id
FROM {table} t
JOIN (
    SELECT DISTINCT v:event_id::VARCHAR AS event_id
    FROM {staging}
    WHERE v:kind::VARCHAR = 'delete'
) s
ON t.event_id = s.event_id{window}
GROUP BY t.event_id
HAVING COUNT(*) > 1
LIMIT 100
