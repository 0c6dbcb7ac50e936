SELECT json_object(
    'kind', 'poll',
    'event_file', :name,
    'poll_id', poll_id,
    'org_id', {text_255[org_id]},
    'writer', {text_255[writer]},
    'topic', {text_255[topic]},
    'began_at', {time[began_at]},
    'ended_at', {time[ended_at]},
    'objects', CASE WHEN json_valid(objects) THEN json(objects) END,
    'ended', {text_255[ended]},
    'read_until', {time[read_until]},
    'received', CASE WHEN typeof(received) = 'integer' THEN received END,
    'deletes', CASE WHEN typeof(deletes) = 'integer' THEN deletes END,
    'restores', CASE WHEN typeof(restores) = 'integer' THEN restores END,
    'skipped', CASE WHEN typeof(skipped) = 'integer' THEN skipped END,
    'rejected', CASE WHEN typeof(rejected) = 'integer' THEN rejected END,
    'gaps', CASE WHEN typeof(gaps) = 'integer' THEN gaps END,
    'error', {text_4000[error]}
)
FROM polls NOT INDEXED
