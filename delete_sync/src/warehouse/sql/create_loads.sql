CREATE TABLE IF NOT EXISTS {loads} (
    event_file VARCHAR(255),
    sha256 VARCHAR(64),
    length INTEGER,
    etag VARCHAR(255),
    sweep_id VARCHAR(64),
    token VARCHAR(64),
    reader INTEGER,
    rows_read INTEGER,
    rows_inserted INTEGER,
    rows_rejected INTEGER,
    gaps INTEGER,
    first_event_at TIMESTAMP_NTZ,
    last_event_at TIMESTAMP_NTZ,
    error VARCHAR,
    loaded_at TIMESTAMP_NTZ
)
