-- The value as a text of limited length, whatever its type is.
replace(substr(CAST({column} AS TEXT), 1, {longest}), char(0), '')
