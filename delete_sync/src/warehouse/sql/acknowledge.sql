INSERT INTO {acknowledged} (kind, id, why, who, acknowledged_at)
SELECT
    r.kind AS kind,
    r.id AS id,
    r.why AS why,
    r.who AS who,
    SYSDATE() AS acknowledged_at
FROM (
    SELECT %s::VARCHAR AS kind, %s::VARCHAR AS id, %s::VARCHAR AS why, %s::VARCHAR AS who
) r
LEFT JOIN {acknowledged} a ON a.kind = r.kind AND a.id = r.id
WHERE a.id IS NULL
