-- Way c: a programmatic access token, which is shown once and ends by itself. SNOWFLAKE_USER=delete_sync_svc and SNOWFLAKE_TOKEN.
-- Snowflake asks for a network policy first (5_network.sql), and so for outbound addresses that do not change.
USE ROLE USERADMIN;

ALTER USER delete_sync_svc ADD PROGRAMMATIC ACCESS TOKEN delete_sync_token
    ROLE_RESTRICTION = 'DELETE_SYNC_LOADER'
    DAYS_TO_EXPIRY = 90;
