CREATE TABLE IF NOT EXISTS {loads} (
    event_file VARCHAR(255),
    sha256 VARCHAR(64),
    sweep_id VARCHAR(64),
    rows_read INTEGER,
    rows_inserted INTEGER,
    rows_rejected INTEGER,
    gaps INTEGER,
    first_event_at TIMESTAMP_NTZ,
    last_event_at TIMESTAMP_NTZ,
    error VARCHAR,
    loaded_at TIMESTAMP_NTZ
)
