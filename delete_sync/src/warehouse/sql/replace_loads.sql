DELETE FROM {loads}
USING (
    SELECT l.event_file AS event_file, l.sha256 AS sha256, l.token AS token
    FROM {loads} l
    JOIN {lock} g ON g.token = l.token
    WHERE l.token = %s
) f
WHERE {loads}.event_file = f.event_file
    AND ({loads}.sha256 = f.sha256 OR {loads}.error IS NOT NULL)
    AND COALESCE({loads}.token, '') <> f.token
