SELECT DISTINCT {erasable}.payload::VARCHAR AS payload
FROM {erasable}
JOIN (
    {records}
) r ON CONTAINS({erasable}.payload::VARCHAR, r.short_id)
LIMIT {most}
