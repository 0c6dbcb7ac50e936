INSERT INTO {companion} (
    {columns}
)
SELECT
    {selected}
FROM {staging} s
JOIN {lock} g ON g.token = %s
LEFT JOIN {companion} t
    ON {same_key}
{erased_join}WHERE s.v:kind::VARCHAR = '{kind}' AND {is_new}
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY {key}
    ORDER BY {order}
) = 1
