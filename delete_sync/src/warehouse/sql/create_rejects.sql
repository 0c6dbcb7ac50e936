CREATE TABLE IF NOT EXISTS {rejects} (
    reject_id VARCHAR(128),
    refused_by VARCHAR(16),
    event_file VARCHAR(255),
    topic VARCHAR,
    event_id VARCHAR,
    replay_id VARCHAR,
    schema_id VARCHAR,
    payload VARCHAR,
    error VARCHAR,
    received_at VARCHAR,
    loaded_at TIMESTAMP_NTZ
)
