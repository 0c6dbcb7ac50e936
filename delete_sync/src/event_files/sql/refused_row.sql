SELECT json_object(
    'kind', 'reject',
    'refused_by', 'sync',
    'reject_id', :sha256 || ':' || id,
    'event_file', :name,
    'topic', {text_255[topic]},
    'event_id', {text_1000[event_id]},
    'replay_id', {hex[replay_id]},
    'schema_id', {text_255[schema_id]},
    'error', {problem},
    'received_at', {text_255[ingested_at]},
    'payload', {hex[payload]}
)
FROM events NOT INDEXED
WHERE {problem} IS NOT NULL
