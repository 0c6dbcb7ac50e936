INSERT INTO {lock} (id, sweep_id, taken_at)
SELECT 1 AS id, 'none' AS sweep_id, SYSDATE() AS taken_at
WHERE NOT EXISTS (SELECT 1 AS present FROM {lock} l)
