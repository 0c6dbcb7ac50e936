CREATE TABLE IF NOT EXISTS {lock} (
    id INTEGER,
    sweep_id VARCHAR(64),
    taken_at TIMESTAMP_NTZ
)
