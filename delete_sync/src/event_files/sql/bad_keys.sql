SELECT 'gap_id ' || quote(substr(gap_id, 1, 80)) FROM gaps NOT INDEXED
WHERE typeof(gap_id) <> 'text' OR length(gap_id) NOT BETWEEN 1 AND 64
    OR instr(gap_id, char(0))
UNION ALL
SELECT 'reject_id ' || quote(substr(reject_id, 1, 80)) FROM rejected_events NOT INDEXED
WHERE typeof(reject_id) <> 'text' OR length(reject_id) NOT BETWEEN 1 AND 64
    OR instr(reject_id, char(0))
