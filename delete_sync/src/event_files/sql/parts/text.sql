-- The value as a text of limited length. The value may have any type.
replace(substr(CAST({column} AS TEXT), 1, {longest}), char(0), '')
