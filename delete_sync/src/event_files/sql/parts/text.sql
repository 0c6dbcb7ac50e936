-- A text of bounded length, whatever the column holds.
replace(substr(CAST({column} AS TEXT), 1, {longest}), char(0), '')
