SELECT
    p.topic AS topic,
    MAX(CASE WHEN p.ended = 'caught_up' OR p.ended = 'idle' THEN p.ended_at END) AS last_good
FROM {polls} p
JOIN (
    SELECT DISTINCT q.topic AS topic
    FROM {polls} q
    JOIN (SELECT MAX(began_at) AS began_at FROM {polls}) newest
    ON newest.began_at = q.began_at
) n ON n.topic = p.topic
GROUP BY p.topic
ORDER BY p.topic
