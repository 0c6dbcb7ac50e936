-- A time without its Z, because TIMESTAMP_NTZ has no time zone. NULL if the value is not a time.
CASE WHEN NOT {no_time} THEN substr({column}, 1, 23) END
