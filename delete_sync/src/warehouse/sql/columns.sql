SELECT
    table_name AS table_name,
    column_name AS column_name,
    data_type AS data_type,
    character_maximum_length AS character_maximum_length,
    numeric_precision AS numeric_precision,
    numeric_scale AS numeric_scale,
    is_nullable AS is_nullable,
    column_default AS column_default,
    is_identity AS is_identity
FROM information_schema.columns
WHERE table_schema = CURRENT_SCHEMA() AND ({tables})
