SELECT
    s.event_id AS event_id,
    s.object_name AS object_name,
    s.record_id AS record_id,
    s.deleted_date AS deleted_date,
    s.first_at AS first_at
FROM ({statuses}) s
LEFT JOIN {table} t ON t.event_id = s.event_id
WHERE s.status = 'recovered' AND t.event_id IS NULL
