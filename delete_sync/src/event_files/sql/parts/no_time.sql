-- True if the value is not a time in the form that event files use.
-- '+0 days' makes SQLite turn 31 February into a day in March, which then differs from the value.
(
    typeof({column}) <> 'text'
    OR strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '+0 days') IS NOT {column}
    OR {column} < '1582'
)
