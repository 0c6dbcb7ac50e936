INSERT INTO {rejects} (
    reject_id, refused_by, event_file, topic, event_id, replay_id, schema_id, payload, error,
    received_at, loaded_at
)
SELECT
    s.reject_id AS reject_id,
    s.refused_by AS refused_by,
    s.event_file AS event_file,
    s.topic AS topic,
    s.event_id AS event_id,
    s.replay_id AS replay_id,
    s.schema_id AS schema_id,
    s.payload AS payload,
    s.error AS error,
    s.received_at AS received_at,
    SYSDATE() AS loaded_at
FROM (
    SELECT
        v:reject_id::VARCHAR AS reject_id,
        v:refused_by::VARCHAR AS refused_by,
        v:event_file::VARCHAR AS event_file,
        v:topic::VARCHAR AS topic,
        v:event_id::VARCHAR AS event_id,
        v:replay_id::VARCHAR AS replay_id,
        v:schema_id::VARCHAR AS schema_id,
        v:payload::VARCHAR AS payload,
        v:error::VARCHAR AS error,
        v:received_at::VARCHAR AS received_at
    FROM {staging}
    WHERE v:kind::VARCHAR = 'reject'
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY v:reject_id::VARCHAR
        ORDER BY v:received_at::VARCHAR, v:event_file::VARCHAR
    ) = 1
) s
JOIN {lock} g ON g.token = %s
LEFT JOIN {rejects} t ON t.reject_id = s.reject_id
WHERE t.reject_id IS NULL
