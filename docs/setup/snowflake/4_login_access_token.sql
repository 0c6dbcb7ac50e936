-- Way c: a programmatic access token. Snowflake shows it once, and it expires by itself.
-- Settings: SNOWFLAKE_USER=delete_sync_svc and SNOWFLAKE_TOKEN.
-- Snowflake requires a network policy first (5_network.sql).
-- That policy needs outbound addresses that do not change.
USE ROLE USERADMIN;

ALTER USER delete_sync_svc ADD PROGRAMMATIC ACCESS TOKEN delete_sync_token
    ROLE_RESTRICTION = 'DELETE_SYNC_LOADER'
    DAYS_TO_EXPIRY = 90;
