SELECT previous AS previous FROM {lock} WHERE token = %s
