SELECT event_file AS event_file
FROM {loads}
GROUP BY event_file
ORDER BY MIN(loaded_at), event_file
