-- Way b: a key pair. Settings: SNOWFLAKE_USER=delete_sync_svc and SNOWFLAKE_PRIVATE_KEY.
-- Insert the public key without its first and its last line.
USE ROLE USERADMIN;

ALTER USER delete_sync_svc SET RSA_PUBLIC_KEY = '<public key>';
