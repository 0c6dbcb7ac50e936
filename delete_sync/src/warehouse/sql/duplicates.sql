SELECT event_id AS event_id
FROM {table}
GROUP BY event_id
HAVING COUNT(*) > 1
ORDER BY event_id
LIMIT 100
