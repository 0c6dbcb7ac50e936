SELECT MAX(event_file) AS event_file FROM {loads}
