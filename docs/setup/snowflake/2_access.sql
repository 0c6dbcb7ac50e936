-- Warehouse, roles, the service user and where it may come from. Replace what stands in <angle brackets>.
USE ROLE SYSADMIN;

CREATE WAREHOUSE IF NOT EXISTS delete_sync_wh
    WAREHOUSE_SIZE = XSMALL
    AUTO_SUSPEND = 60
    AUTO_RESUME = TRUE
    INITIALLY_SUSPENDED = TRUE
    STATEMENT_TIMEOUT_IN_SECONDS = 900
    COMMENT = 'One sweep a day';

USE ROLE USERADMIN;

CREATE ROLE IF NOT EXISTS delete_sync_loader COMMENT = 'delete_sync: loads delete_tracker';
CREATE ROLE IF NOT EXISTS delete_tracker_reader COMMENT = 'Analysts: read delete_tracker and its books';

USE ROLE SECURITYADMIN;

GRANT ROLE delete_sync_loader TO ROLE SYSADMIN;
GRANT ROLE delete_tracker_reader TO ROLE SYSADMIN;

GRANT USAGE ON WAREHOUSE delete_sync_wh TO ROLE delete_sync_loader;
GRANT USAGE ON DATABASE audit TO ROLE delete_sync_loader;
GRANT USAGE ON SCHEMA audit.salesforce TO ROLE delete_sync_loader;
GRANT SELECT, INSERT ON TABLE audit.salesforce.delete_tracker TO ROLE delete_sync_loader;
GRANT SELECT, INSERT ON TABLE audit.salesforce.delete_tracker_gaps TO ROLE delete_sync_loader;
GRANT SELECT, INSERT ON TABLE audit.salesforce.delete_tracker_rejects TO ROLE delete_sync_loader;
GRANT SELECT, INSERT, DELETE ON TABLE audit.salesforce.delete_tracker_loads TO ROLE delete_sync_loader;
GRANT SELECT, INSERT, UPDATE ON TABLE audit.salesforce.delete_tracker_lock TO ROLE delete_sync_loader;
-- READ comes first: Snowflake gives WRITE on a stage only beside it.
GRANT READ ON STAGE audit.salesforce.delete_tracker_stage TO ROLE delete_sync_loader;
GRANT WRITE ON STAGE audit.salesforce.delete_tracker_stage TO ROLE delete_sync_loader;

-- Analysts bring a warehouse of their own.
GRANT USAGE ON DATABASE audit TO ROLE delete_tracker_reader;
GRANT USAGE ON SCHEMA audit.salesforce TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker_loads TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker_gaps TO ROLE delete_tracker_reader;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA audit.salesforce TO ROLE delete_tracker_reader;

-- Where the Function app comes from: its outbound addresses, or those of a NAT gateway. A service user with an access token
-- must have a network policy; with a key pair or workload identity it is good practice.
USE ROLE SECURITYADMIN;

CREATE NETWORK RULE IF NOT EXISTS audit.salesforce.delete_sync_addresses
    MODE = INGRESS
    TYPE = IPV4
    VALUE_LIST = ('192.0.2.10/32');
CREATE NETWORK POLICY IF NOT EXISTS delete_sync_network ALLOWED_NETWORK_RULE_LIST = ('audit.salesforce.delete_sync_addresses');

-- The service user. TYPE = SERVICE has no password and no MFA. Exactly one of the three ways to log in:
USE ROLE USERADMIN;

-- a) Key pair (SNOWFLAKE_PRIVATE_KEY): the public key without its first and last line.
CREATE USER IF NOT EXISTS delete_sync_svc
    TYPE = SERVICE
    DEFAULT_ROLE = delete_sync_loader
    DEFAULT_WAREHOUSE = delete_sync_wh
    DEFAULT_SECONDARY_ROLES = ()
    RSA_PUBLIC_KEY = '<public key>';

-- b) Workload identity (SNOWFLAKE_AUTHENTICATOR=WORKLOAD_IDENTITY): no secret at all.
--    The app setting MANAGED_IDENTITY_CLIENT_ID names the identity.
ALTER USER delete_sync_svc SET WORKLOAD_IDENTITY = (
    TYPE = AZURE
    ISSUER = 'https://login.microsoftonline.com/<tenant id>/v2.0'
    SUBJECT = '<object (principal) id of the managed identity>'
);

-- c) Programmatic access token (SNOWFLAKE_TOKEN): shown once, ends after so many days.
ALTER USER delete_sync_svc ADD PROGRAMMATIC ACCESS TOKEN delete_sync_token
    ROLE_RESTRICTION = 'DELETE_SYNC_LOADER'
    DAYS_TO_EXPIRY = 90;

-- A user's policy beats the account's.
USE ROLE SECURITYADMIN;

ALTER USER delete_sync_svc SET NETWORK_POLICY = delete_sync_network;
GRANT ROLE delete_sync_loader TO USER delete_sync_svc;
