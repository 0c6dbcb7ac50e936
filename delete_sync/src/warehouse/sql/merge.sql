MERGE INTO {table} t
USING (
    SELECT
        {number}d.event_id AS event_id,
        d.topic AS topic,
        d.object_name AS object_name,
        d.record_id AS record_id,
        d.deleted_by AS deleted_by,
        d.deleted_date AS deleted_date,
        d.owner_id AS owner_id,
        d.payload AS payload,
        d.ingested_at AS ingested_at
    FROM (
        SELECT
            v:event_id::VARCHAR AS event_id,
            v:topic::VARCHAR AS topic,
            v:object_name::VARCHAR AS object_name,
            v:record_id::VARCHAR AS record_id,
            v:deleted_by::VARCHAR AS deleted_by,
            TO_TIMESTAMP_NTZ(v:deleted_date::VARCHAR) AS deleted_date,
            v:owner_id::VARCHAR AS owner_id,
            v:payload AS payload,
            TO_TIMESTAMP_NTZ(v:ingested_at::VARCHAR) AS ingested_at
        FROM {staging}
        WHERE v:kind::VARCHAR = 'delete'
        QUALIFY ROW_NUMBER() OVER (
            PARTITION BY v:event_id::VARCHAR
            ORDER BY v:ingested_at::VARCHAR, v:topic::VARCHAR, v:event_file::VARCHAR
        ) = 1
    ) d
    JOIN {lock} g ON g.token = %s
    LEFT JOIN {erased} e ON e.record_sha256 = SHA2(d.record_id, 256)
    WHERE e.record_sha256 IS NULL
) s
ON t.event_id = s.event_id
WHEN NOT MATCHED THEN INSERT (
    {id}event_id, topic, object_name, record_id, deleted_by, deleted_date, owner_id, payload,
    ingested_at
) VALUES (
    {s_id}s.event_id, s.topic, s.object_name, s.record_id, s.deleted_by, s.deleted_date,
    s.owner_id, s.payload, s.ingested_at
)
