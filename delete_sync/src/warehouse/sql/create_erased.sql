CREATE TABLE IF NOT EXISTS {erased} (
    record_sha256 VARCHAR(64),
    erased_at TIMESTAMP_NTZ,
    rows_removed INTEGER
)
