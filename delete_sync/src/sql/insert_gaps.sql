INSERT INTO {gaps}
    (gap_id, event_file, topic, reason, object_name, from_replay_id, from_time, to_time, detected_at, loaded_at)
SELECT
    s.v:gap_id::VARCHAR AS gap_id,
    s.v:event_file::VARCHAR AS event_file,
    s.v:topic::VARCHAR AS topic,
    s.v:reason::VARCHAR AS reason,
    s.v:object_name::VARCHAR AS object_name,
    s.v:from_replay_id::VARCHAR AS from_replay_id,
    TO_TIMESTAMP_NTZ(s.v:from_time::VARCHAR) AS from_time,
    TO_TIMESTAMP_NTZ(s.v:to_time::VARCHAR) AS to_time,
    TO_TIMESTAMP_NTZ(s.v:detected_at::VARCHAR) AS detected_at,
    SYSDATE() AS loaded_at
FROM {staging} s
WHERE s.v:kind::VARCHAR = 'gap'
    AND NOT EXISTS (SELECT 1 AS present FROM {gaps} t WHERE t.gap_id = s.v:gap_id::VARCHAR)
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY s.v:gap_id::VARCHAR
    ORDER BY s.v:detected_at::VARCHAR, s.v:event_file::VARCHAR
) = 1
