SELECT
    count(*),
    count({problem}),
    min(deleted_date) FILTER (WHERE {problem} IS NULL),
    max(deleted_date) FILTER (WHERE {problem} IS NULL),
    (SELECT count(*) FROM rejected_events NOT INDEXED),
    (SELECT count(*) FROM gaps NOT INDEXED)
FROM events NOT INDEXED
