CREATE TABLE IF NOT EXISTS {acknowledged} (
    kind VARCHAR(32),
    id VARCHAR(255),
    why VARCHAR,
    who VARCHAR(255),
    acknowledged_at TIMESTAMP_NTZ
)
