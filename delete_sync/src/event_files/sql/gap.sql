SELECT json_object(
    'kind', 'gap',
    'event_file', :name,
    'gap_id', gap_id,
    'topic', {text_255[topic]},
    'reason', {text_255[reason]},
    'object_name', {text_255[object_name]},
    'from_replay_id', {hex[from_replay_id]},
    'from_time', {time[from_time]},
    'to_time', {time[to_time]},
    'detected_at', {time[detected_at]}
)
FROM gaps NOT INDEXED
