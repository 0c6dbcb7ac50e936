SELECT event_file AS event_file FROM {loads} WHERE token = %s
