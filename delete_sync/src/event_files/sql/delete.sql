SELECT json_object(
    'kind', 'delete',
    'event_file', :name,
    'event_id', event_id,
    'topic', topic,
    'object_name', object_name,
    'record_id', record_id,
    'deleted_by', deleted_by,
    'deleted_date', substr(deleted_date, 1, 23),
    'owner_id', owner_id,
    'payload', json(payload),
    'ingested_at', substr(ingested_at, 1, 23)
)
FROM events NOT INDEXED
WHERE {problem} IS NULL
