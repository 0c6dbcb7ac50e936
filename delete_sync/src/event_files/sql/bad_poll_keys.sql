SELECT 'poll_id ' || quote(substr(poll_id, 1, 80)) FROM polls NOT INDEXED
WHERE typeof(poll_id) <> 'text' OR length(poll_id) NOT BETWEEN 1 AND 64
    OR instr(poll_id, char(0))
