-- Warehouse, roles and the service user. Replace everything in <angle brackets>.
USE ROLE SYSADMIN;

CREATE WAREHOUSE IF NOT EXISTS delete_sync_wh
    WAREHOUSE_SIZE = XSMALL
    AUTO_SUSPEND = 60
    AUTO_RESUME = TRUE
    INITIALLY_SUSPENDED = TRUE
    STATEMENT_TIMEOUT_IN_SECONDS = 900
    COMMENT = 'One sweep a day';
CREATE WAREHOUSE IF NOT EXISTS delete_tracker_dashboard_wh
    WAREHOUSE_SIZE = XSMALL
    AUTO_SUSPEND = 60
    AUTO_RESUME = TRUE
    INITIALLY_SUSPENDED = TRUE
    STATEMENT_TIMEOUT_IN_SECONDS = 300
    COMMENT = 'The dashboard, while somebody looks at it';

USE ROLE USERADMIN;

CREATE ROLE IF NOT EXISTS delete_sync_loader COMMENT = 'delete_sync: loads delete_tracker';
CREATE ROLE IF NOT EXISTS delete_tracker_reader
    COMMENT = 'Analysts: read delete_tracker and its companion tables';
CREATE ROLE IF NOT EXISTS delete_tracker_eraser COMMENT = 'Erases the data of a person';
CREATE ROLE IF NOT EXISTS delete_tracker_dashboard COMMENT = 'The dashboard: reads the views alone';

USE ROLE SECURITYADMIN;

GRANT ROLE delete_sync_loader TO ROLE SYSADMIN;
GRANT ROLE delete_tracker_reader TO ROLE SYSADMIN;
GRANT ROLE delete_tracker_eraser TO ROLE SYSADMIN;
GRANT ROLE delete_tracker_dashboard TO ROLE SYSADMIN;

GRANT USAGE ON WAREHOUSE delete_sync_wh TO ROLE delete_sync_loader;
GRANT USAGE ON DATABASE audit TO ROLE delete_sync_loader;
GRANT USAGE ON SCHEMA audit.salesforce TO ROLE delete_sync_loader;
GRANT SELECT, INSERT ON TABLE audit.salesforce.delete_tracker TO ROLE delete_sync_loader;
GRANT SELECT, INSERT ON TABLE audit.salesforce.delete_tracker_gaps TO ROLE delete_sync_loader;
GRANT SELECT, INSERT ON TABLE audit.salesforce.delete_tracker_rejects TO ROLE delete_sync_loader;
GRANT SELECT, INSERT ON TABLE audit.salesforce.delete_tracker_polls TO ROLE delete_sync_loader;
GRANT SELECT, INSERT ON TABLE audit.salesforce.delete_tracker_restores TO ROLE delete_sync_loader;
GRANT SELECT, INSERT ON TABLE audit.salesforce.delete_tracker_listed TO ROLE delete_sync_loader;
GRANT SELECT, INSERT ON TABLE audit.salesforce.delete_tracker_acknowledged
    TO ROLE delete_sync_loader;
-- UPDATE, because the sync notes in compared_at which checks it has compared.
GRANT SELECT, INSERT, UPDATE ON TABLE audit.salesforce.delete_tracker_checks
    TO ROLE delete_sync_loader;
-- No INSERT: only an eraser adds a record.
GRANT SELECT ON TABLE audit.salesforce.delete_tracker_erased TO ROLE delete_sync_loader;
-- DELETE, because a new load record replaces the old record of the same event file.
GRANT SELECT, INSERT, DELETE ON TABLE audit.salesforce.delete_tracker_loads
    TO ROLE delete_sync_loader;
-- No INSERT: 1_tables.sql makes the only row.
GRANT SELECT, UPDATE ON TABLE audit.salesforce.delete_tracker_lock TO ROLE delete_sync_loader;
-- Grant READ first: Snowflake grants WRITE on a stage only to a role that has READ.
GRANT READ ON STAGE audit.salesforce.delete_tracker_stage TO ROLE delete_sync_loader;
GRANT WRITE ON STAGE audit.salesforce.delete_tracker_stage TO ROLE delete_sync_loader;

-- The commands of the sync show what the views say. A sweep logs which old days are not proven.
GRANT SELECT ON ALL VIEWS IN SCHEMA audit.salesforce TO ROLE delete_sync_loader;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA audit.salesforce TO ROLE delete_sync_loader;

-- The command erase removes a person's data. Only this role may remove and change rows.
-- Grant it to the people who may do so: GRANT ROLE delete_tracker_eraser TO USER "<person>";
GRANT USAGE ON WAREHOUSE delete_sync_wh TO ROLE delete_tracker_eraser;
GRANT USAGE ON DATABASE audit TO ROLE delete_tracker_eraser;
GRANT USAGE ON SCHEMA audit.salesforce TO ROLE delete_tracker_eraser;
GRANT SELECT, UPDATE, DELETE ON TABLE audit.salesforce.delete_tracker TO ROLE delete_tracker_eraser;
GRANT SELECT, UPDATE, DELETE ON TABLE audit.salesforce.delete_tracker_listed
    TO ROLE delete_tracker_eraser;
GRANT SELECT, UPDATE, DELETE ON TABLE audit.salesforce.delete_tracker_restores
    TO ROLE delete_tracker_eraser;
-- No DELETE: only what names the person is cleared in these rows.
GRANT SELECT, UPDATE ON TABLE audit.salesforce.delete_tracker_rejects TO ROLE delete_tracker_eraser;
GRANT SELECT, UPDATE ON TABLE audit.salesforce.delete_tracker_loads TO ROLE delete_tracker_eraser;
GRANT SELECT, UPDATE ON TABLE audit.salesforce.delete_tracker_polls TO ROLE delete_tracker_eraser;
GRANT SELECT, UPDATE ON TABLE audit.salesforce.delete_tracker_checks TO ROLE delete_tracker_eraser;
GRANT SELECT, UPDATE ON TABLE audit.salesforce.delete_tracker_acknowledged
    TO ROLE delete_tracker_eraser;
GRANT SELECT, UPDATE ON TABLE audit.salesforce.delete_tracker_lock TO ROLE delete_tracker_eraser;
GRANT SELECT, INSERT ON TABLE audit.salesforce.delete_tracker_erased TO ROLE delete_tracker_eraser;
GRANT READ ON STAGE audit.salesforce.delete_tracker_stage TO ROLE delete_tracker_eraser;
GRANT WRITE ON STAGE audit.salesforce.delete_tracker_stage TO ROLE delete_tracker_eraser;

-- Analysts use a warehouse of their own.
GRANT USAGE ON DATABASE audit TO ROLE delete_tracker_reader;
GRANT USAGE ON SCHEMA audit.salesforce TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker_loads TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker_gaps TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker_rejects TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker_polls TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker_restores TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker_checks TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker_listed TO ROLE delete_tracker_reader;
GRANT SELECT ON TABLE audit.salesforce.delete_tracker_acknowledged TO ROLE delete_tracker_reader;
-- A future grant does not cover views that exist already, for example if you run this file again.
-- With a future grant on the schema, Snowflake ignores the database's future grants on views there.
GRANT SELECT ON ALL VIEWS IN SCHEMA audit.salesforce TO ROLE delete_tracker_reader;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA audit.salesforce TO ROLE delete_tracker_reader;

-- The dashboard has the rights of the role that deploys it, for every viewer.
-- So this role reads the views, and no table.
GRANT USAGE ON WAREHOUSE delete_tracker_dashboard_wh TO ROLE delete_tracker_dashboard;
GRANT USAGE ON DATABASE audit TO ROLE delete_tracker_dashboard;
GRANT USAGE, CREATE STREAMLIT ON SCHEMA audit.salesforce TO ROLE delete_tracker_dashboard;
GRANT SELECT ON ALL VIEWS IN SCHEMA audit.salesforce TO ROLE delete_tracker_dashboard;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA audit.salesforce TO ROLE delete_tracker_dashboard;

-- The service user. A user of TYPE = SERVICE has no password and no MFA.
USE ROLE USERADMIN;

CREATE USER IF NOT EXISTS delete_sync_svc
    TYPE = SERVICE
    DEFAULT_ROLE = delete_sync_loader
    DEFAULT_WAREHOUSE = delete_sync_wh
    DEFAULT_SECONDARY_ROLES = ();

USE ROLE SECURITYADMIN;

GRANT ROLE delete_sync_loader TO USER delete_sync_svc;
GRANT ROLE delete_tracker_reader TO ROLE "<analysts>";
