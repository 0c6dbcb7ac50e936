INSERT INTO {gaps} (
    gap_id, event_file, topic, reason, object_name, from_replay_id, from_time, to_time,
    detected_at, loaded_at
)
SELECT
    s.gap_id AS gap_id,
    s.event_file AS event_file,
    s.topic AS topic,
    s.reason AS reason,
    s.object_name AS object_name,
    s.from_replay_id AS from_replay_id,
    s.from_time AS from_time,
    s.to_time AS to_time,
    s.detected_at AS detected_at,
    SYSDATE() AS loaded_at
FROM (
    SELECT
        v:gap_id::VARCHAR AS gap_id,
        v:event_file::VARCHAR AS event_file,
        v:topic::VARCHAR AS topic,
        v:reason::VARCHAR AS reason,
        v:object_name::VARCHAR AS object_name,
        v:from_replay_id::VARCHAR AS from_replay_id,
        TO_TIMESTAMP_NTZ(v:from_time::VARCHAR) AS from_time,
        TO_TIMESTAMP_NTZ(v:to_time::VARCHAR) AS to_time,
        TO_TIMESTAMP_NTZ(v:detected_at::VARCHAR) AS detected_at
    FROM {staging}
    WHERE v:kind::VARCHAR = 'gap'
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY v:gap_id::VARCHAR
        ORDER BY v:detected_at::VARCHAR, v:event_file::VARCHAR
    ) = 1
) s
JOIN {lock} g ON g.token = %s
LEFT JOIN {gaps} t ON t.gap_id = s.gap_id
WHERE t.gap_id IS NULL
