SELECT CURRENT_DATABASE() AS database_name, CURRENT_SCHEMA() AS schema_name
