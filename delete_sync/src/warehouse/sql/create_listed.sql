CREATE TABLE IF NOT EXISTS {listed} (
    check_id VARCHAR(128),
    event_file VARCHAR(255),
    object_name VARCHAR(255),
    record_id VARCHAR(18),
    deleted_date TIMESTAMP_NTZ,
    deleted_by VARCHAR(255),
    owner_id VARCHAR(255),
    merged_into VARCHAR(18),
    listed_by VARCHAR(16),
    state VARCHAR(16),
    payload VARIANT,
    loaded_at TIMESTAMP_NTZ
)
