-- A time without its Z, which TIMESTAMP_NTZ has no place for; NULL if the column holds none.
CASE WHEN NOT {no_time} THEN substr({column}, 1, 23) END
