-- The role for the command move of the sync: it copies delete_tracker and its companion tables.
-- First run 1_tables.sql, 2_access.sql and 3_views.sql for the new schema, with its names instead
-- of audit.salesforce. Replace everything in <angle brackets>. Drop the role after the move.
USE ROLE USERADMIN;

CREATE ROLE IF NOT EXISTS delete_tracker_mover
    COMMENT = 'Copies delete_tracker to another schema';

USE ROLE SECURITYADMIN;

-- The loader may read the old tables, and sweep into the new ones.
GRANT ROLE delete_sync_loader TO ROLE delete_tracker_mover;
-- The loader may not insert here. Without these rows, a sweep would bring erased rows back.
GRANT INSERT ON TABLE audit."<new schema>".delete_tracker_erased TO ROLE delete_tracker_mover;
GRANT ROLE delete_tracker_mover TO USER "<operator>";
