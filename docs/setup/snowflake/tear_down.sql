-- Removes everything that the files of this folder create. Nothing of it comes back: first read
-- "Tear down" in ../README.md. The names are those of the other files.
-- Leave out what other programs use, too.
USE ROLE SECURITYADMIN;

-- A policy that a user still has cannot be dropped. So the users go first.
DROP USER IF EXISTS delete_sync_svc;
DROP NETWORK POLICY IF EXISTS delete_sync_network;

DROP ROLE IF EXISTS delete_sync_loader;
DROP ROLE IF EXISTS delete_tracker_reader;
DROP ROLE IF EXISTS delete_tracker_eraser;
DROP ROLE IF EXISTS delete_tracker_dashboard;
DROP ROLE IF EXISTS delete_tracker_mover;

USE ROLE SYSADMIN;

-- With its tables, views, stage, network rule and dashboard.
DROP SCHEMA IF EXISTS audit.salesforce CASCADE;
DROP WAREHOUSE IF EXISTS delete_sync_wh;
DROP WAREHOUSE IF EXISTS delete_tracker_dashboard_wh;

-- If this shows no schema of yours, drop the database too: DROP DATABASE audit;
SHOW SCHEMAS IN DATABASE audit;
