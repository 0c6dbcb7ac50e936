CREATE TABLE IF NOT EXISTS {gaps} (
    gap_id VARCHAR(128),
    event_file VARCHAR(255),
    topic VARCHAR(255),
    reason VARCHAR(255),
    object_name VARCHAR(255),
    from_replay_id VARCHAR,
    from_time TIMESTAMP_NTZ,
    to_time TIMESTAMP_NTZ,
    detected_at TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_NTZ
)
