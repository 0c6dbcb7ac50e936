-- Way b: a key pair. SNOWFLAKE_USER=delete_sync_svc and SNOWFLAKE_PRIVATE_KEY; here the public key without its first and last line.
USE ROLE USERADMIN;

ALTER USER delete_sync_svc SET RSA_PUBLIC_KEY = '<public key>';
