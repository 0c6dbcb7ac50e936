SELECT DISTINCT {erasable}.payload::VARCHAR AS payload
FROM {erasable}
JOIN (
    {records}
) r ON {condition}
LIMIT {most}
