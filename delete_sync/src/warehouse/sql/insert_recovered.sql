INSERT INTO {table} (
    {id}event_id, topic, object_name, record_id, deleted_by, deleted_date, owner_id, payload,
    ingested_at
)
SELECT
    {number}r.event_id AS event_id,
    'check' AS topic,
    r.object_name AS object_name,
    r.record_id AS record_id,
    d.deleted_by AS deleted_by,
    r.deleted_date AS deleted_date,
    d.owner_id AS owner_id,
    d.payload AS payload,
    r.first_at AS ingested_at
FROM ({new_recovered}) r
JOIN {lock} g ON g.token = %s
JOIN ({listed_once}) d ON d.record_id = r.record_id AND d.deleted_date = r.deleted_date
