SELECT
    r.rows_old AS rows_old,
    n.rows_new AS rows_new,
    u.rows_unmoved AS rows_unmoved
FROM (SELECT COUNT(*) AS rows_old FROM {origin}) r
CROSS JOIN (SELECT COUNT(*) AS rows_new FROM {to}) n
CROSS JOIN (
    SELECT COUNT(*) AS rows_unmoved
    FROM {origin} o
    {unmoved}
) u
