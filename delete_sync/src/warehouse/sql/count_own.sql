SELECT COUNT(*) AS found
FROM {erasable} t
JOIN (
    {records}
) r ON r.short_id = LEFT(t.record_id, 15)
