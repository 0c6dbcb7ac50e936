SELECT {column} AS probed FROM {probed} WHERE FALSE
