-- The reason why a row of events cannot go into delete_tracker. NULL if there is none.
-- has_bad_escape is a Python function of the reader. It finds escapes of characters that Snowflake
-- cannot store. It is slow, but it is called only for a payload with an escape, and that is rare.
CASE
    WHEN event_id IS NULL OR event_id = '' THEN 'event_id is empty'
    {text_problem[event_id]}
    {text_problem[topic]}
    {text_problem[object_name]}
    {text_problem[record_id]}
    {text_problem[deleted_by]}
    {text_problem[owner_id]}
    WHEN {no_time[deleted_date]} THEN 'deleted_date is not a time'
    WHEN {no_time[ingested_at]} THEN 'ingested_at is not a time'
    WHEN typeof(payload) <> 'text' THEN 'payload is not text'
    WHEN length(CAST(payload AS BLOB)) > 16000000 THEN 'payload is larger than a VARIANT'
    WHEN instr(payload, char(0)) OR NOT json_valid(payload) THEN 'payload is not JSON'
    WHEN json_type(payload) <> 'object' THEN 'payload is not a JSON object'
    WHEN instr(payload, '\u') AND has_bad_escape(payload)
        THEN 'payload holds a NUL or half a character'
END
