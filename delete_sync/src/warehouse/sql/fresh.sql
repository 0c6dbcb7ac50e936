SELECT
    topic AS topic,
    object_name AS object_name,
    last_poll_at AS last_poll_at,
    read_until AS read_until,
    proven_until AS proven_until,
    last_error AS last_error
FROM {freshness}
ORDER BY topic, object_name
