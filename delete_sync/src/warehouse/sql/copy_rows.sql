INSERT INTO {to} ({id}
    {columns}
)
SELECT{number}
    {selected}
FROM {origin} o
JOIN {lock} g ON g.token = %s
{unmoved}
