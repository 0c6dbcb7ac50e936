CREATE TABLE {lock} (
    id INTEGER,
    token VARCHAR(64),
    previous VARCHAR(64),
    taken_at TIMESTAMP_NTZ
)
AS SELECT 1, 'none', NULL, SYSDATE()
