DELETE FROM {loads} WHERE error IS NOT NULL AND (event_file, sha256) IN ({keys})
