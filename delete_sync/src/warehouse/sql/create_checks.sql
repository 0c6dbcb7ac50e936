CREATE TABLE IF NOT EXISTS {checks} (
    check_id VARCHAR(128),
    event_file VARCHAR(255),
    org_id VARCHAR(18),
    writer VARCHAR(64),
    object_name VARCHAR(255),
    window_from TIMESTAMP_NTZ,
    window_to TIMESTAMP_NTZ,
    listed INTEGER,
    outcome VARCHAR(32),
    sight VARCHAR(16),
    api_version VARCHAR(16),
    checked_at TIMESTAMP_NTZ,
    error VARCHAR,
    loaded_at TIMESTAMP_NTZ,
    compared_at TIMESTAMP_NTZ
)
