INSERT INTO {polls} (
    poll_id, event_file, org_id, writer, topic, began_at, ended_at, objects, ended, read_until,
    received, deletes, restores, skipped, rejected, gaps, error, loaded_at
)
SELECT
    s.poll_id AS poll_id,
    s.event_file AS event_file,
    s.org_id AS org_id,
    s.writer AS writer,
    s.topic AS topic,
    s.began_at AS began_at,
    s.ended_at AS ended_at,
    s.objects AS objects,
    s.ended AS ended,
    s.read_until AS read_until,
    s.received AS received,
    s.deletes AS deletes,
    s.restores AS restores,
    s.skipped AS skipped,
    s.rejected AS rejected,
    s.gaps AS gaps,
    s.error AS error,
    SYSDATE() AS loaded_at
FROM (
    SELECT
        v:poll_id::VARCHAR AS poll_id,
        v:event_file::VARCHAR AS event_file,
        v:org_id::VARCHAR AS org_id,
        v:writer::VARCHAR AS writer,
        v:topic::VARCHAR AS topic,
        TO_TIMESTAMP_NTZ(v:began_at::VARCHAR) AS began_at,
        TO_TIMESTAMP_NTZ(v:ended_at::VARCHAR) AS ended_at,
        v:objects::VARCHAR AS objects,
        v:ended::VARCHAR AS ended,
        TO_TIMESTAMP_NTZ(v:read_until::VARCHAR) AS read_until,
        v:received::INTEGER AS received,
        v:deletes::INTEGER AS deletes,
        v:restores::INTEGER AS restores,
        v:skipped::INTEGER AS skipped,
        v:rejected::INTEGER AS rejected,
        v:gaps::INTEGER AS gaps,
        v:error::VARCHAR AS error
    FROM {staging}
    WHERE v:kind::VARCHAR = 'poll'
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY v:poll_id::VARCHAR
        ORDER BY v:event_file::VARCHAR
    ) = 1
) s
JOIN {lock} g ON g.token = %s
LEFT JOIN {polls} t ON t.poll_id = s.poll_id
WHERE t.poll_id IS NULL
