INSERT INTO {rejects}
    (reject_id, refused_by, event_file, topic, event_id, replay_id, schema_id, payload, error, received_at, loaded_at)
SELECT
    s.v:reject_id::VARCHAR AS reject_id,
    s.v:refused_by::VARCHAR AS refused_by,
    s.v:event_file::VARCHAR AS event_file,
    s.v:topic::VARCHAR AS topic,
    s.v:event_id::VARCHAR AS event_id,
    s.v:replay_id::VARCHAR AS replay_id,
    s.v:schema_id::VARCHAR AS schema_id,
    s.v:payload::VARCHAR AS payload,
    s.v:error::VARCHAR AS error,
    s.v:received_at::VARCHAR AS received_at,
    SYSDATE() AS loaded_at
FROM {staging} s
WHERE s.v:kind::VARCHAR = 'reject'
    AND NOT EXISTS (SELECT 1 AS present FROM {rejects} t WHERE t.reject_id = s.v:reject_id::VARCHAR)
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY s.v:reject_id::VARCHAR
    ORDER BY s.v:received_at::VARCHAR, s.v:event_file::VARCHAR
) = 1
