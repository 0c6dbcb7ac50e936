LEFT JOIN (
    SELECT {key}, TRUE AS is_there
    FROM {to}
) t
    ON {same_key}
{erased_join}WHERE {is_new}
