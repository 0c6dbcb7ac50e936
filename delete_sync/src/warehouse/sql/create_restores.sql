CREATE TABLE IF NOT EXISTS {restores} (
    restore_id VARCHAR(255),
    event_file VARCHAR(255),
    topic VARCHAR(255),
    object_name VARCHAR(255),
    record_id VARCHAR(255),
    restored_by VARCHAR(255),
    restored_date TIMESTAMP_NTZ,
    found_by VARCHAR(16),
    ingested_at TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_NTZ
)
