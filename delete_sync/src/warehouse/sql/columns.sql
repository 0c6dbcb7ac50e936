SELECT
    table_name AS table_name,
    column_name AS column_name,
    data_type AS data_type,
    column_default AS column_default,
    is_identity AS is_identity
FROM information_schema.columns
WHERE table_schema = CURRENT_SCHEMA() AND table_name IN (%s, %s, %s, %s, %s)
