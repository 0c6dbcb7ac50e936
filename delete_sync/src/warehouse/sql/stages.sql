SHOW STAGES IN SCHEMA {database}.{schema}
