UPDATE {lock} SET sweep_id = %s, taken_at = SYSDATE() WHERE id = 1
