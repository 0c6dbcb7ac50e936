-- Check recent events
SELECT * FROM delete_tracker
ORDER BY ingested_at DESC
LIMIT 10;

-- Count by object type
SELECT object_name, COUNT(*)
FROM delete_tracker
GROUP BY object_name;

-- Events by day
SELECT DATE(ingested_at) as date, COUNT(*)
FROM delete_tracker
GROUP BY DATE(ingested_at)
ORDER BY date DESC;

-- Deletes by the day on which they happened. The query above counts by the day on which the
-- collector received them. There, the first poll puts up to 72 hours of deletes on one day.
-- The view counts a delete once, also if several topics or checks told of it.
SELECT DATE(deleted_date) AS day, COUNT(*) AS deletes
FROM delete_tracker_deletes
GROUP BY DATE(deleted_date)
ORDER BY day DESC;

-- Is the collector running? When each topic was last read to its end, and up to when.
SELECT topic, MAX(ended_at) AS last_good_poll, MAX(read_until) AS read_until
FROM delete_tracker_polls
WHERE ended = 'caught_up' OR ended = 'idle'
GROUP BY topic
ORDER BY topic;

-- Proven until: up to when each object is proven or repaired without a hole, and what is not.
SELECT topic, object_name, proven_until
FROM delete_tracker_freshness
ORDER BY proven_until NULLS FIRST, topic, object_name;
SELECT object_name, reason, COUNT(*) AS days, MIN(day) AS first_day, MAX(day) AS last_day
FROM delete_tracker_completeness
WHERE verdict = 'unproven' AND day >= DATEADD('day', -15, SYSDATE()::DATE)
GROUP BY object_name, reason
ORDER BY object_name, days DESC;

-- Is the sweep running? Hours since the last one that loaded something.
SELECT DATEDIFF('hour', MAX(loaded_at), SYSDATE()) AS hours_since_last_load
FROM delete_tracker_loads;

-- How long does a delete take to reach the collector, in seconds? The sweep comes after that.
-- Recovered deletes, of which only a check told, are left out.
SELECT
    t.object_name,
    COUNT(*) AS deletes,
    AVG(DATEDIFF('second', t.deleted_date, t.ingested_at)) AS average_seconds_to_collector,
    MAX(DATEDIFF('second', t.deleted_date, t.ingested_at)) AS longest_seconds_to_collector
FROM delete_tracker t
WHERE t.ingested_at > DATEADD('day', -7, SYSDATE()) AND t.topic <> 'check'
GROUP BY t.object_name;

-- Is it complete?
SELECT * FROM delete_tracker_gaps ORDER BY detected_at DESC;
SELECT refused_by, error, COUNT(*) FROM delete_tracker_rejects GROUP BY refused_by, error;
SELECT event_file, error, loaded_at FROM delete_tracker_loads
WHERE error IS NOT NULL
ORDER BY loaded_at DESC;

-- Does the table have a key twice? Only if somebody else has written to it.
SELECT event_id, COUNT(*) FROM delete_tracker GROUP BY event_id HAVING COUNT(*) > 1;
