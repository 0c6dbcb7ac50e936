SELECT COUNT(*) AS found
FROM {rejects}
WHERE payload <> ''
