SELECT json_object(
    'kind', 'reject',
    'refused_by', 'collector',
    'reject_id', reject_id,
    'event_file', :name,
    'topic', {text_255[topic]},
    'event_id', {text_1000[event_id]},
    'replay_id', {hex[replay_id]},
    'schema_id', {text_255[schema_id]},
    'error', {text_4000[error]},
    'received_at', {text_255[received_at]},
    'payload', {hex[payload]}
)
FROM rejected_events NOT INDEXED
