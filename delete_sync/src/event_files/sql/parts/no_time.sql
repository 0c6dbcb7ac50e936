-- True if the value is not a time in the file's form; adding nothing makes 31 February another day.
(typeof({column}) <> 'text' OR strftime('%Y-%m-%dT%H:%M:%fZ', {column}, '+0 days') IS NOT {column} OR {column} < '1582')
