SELECT COUNT(*) AS found
FROM {erasable}
JOIN (
    {records}
) r ON {own}
