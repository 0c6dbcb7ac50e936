INSERT INTO {probed} ({column}) SELECT NULL AS probed WHERE FALSE
