-- Bytes as text; NULL if there are none, or too many for a VARIANT.
CASE WHEN length(CAST({column} AS BLOB)) < 4000000 THEN hex({column}) END
