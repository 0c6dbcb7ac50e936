UPDATE {checks} SET compared_at = SYSDATE()
FROM {lock} g
WHERE g.token = %s
    AND {checks}.compared_at IS NULL AND {checks}.event_file <= %s
