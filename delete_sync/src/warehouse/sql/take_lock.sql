UPDATE {lock} SET previous = token, token = %s, taken_at = SYSDATE()
