-- Bytes as hexadecimal text. NULL if there are no bytes, or too many for a VARIANT.
CASE WHEN length(CAST({column} AS BLOB)) < 4000000 THEN hex({column}) END
