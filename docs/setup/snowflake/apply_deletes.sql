-- Carry deletes into a replicated table, here crm.account with the record's id in column id. Each can be run again at any time.
-- Take the view and not the table: a record that was restored and deleted again counts once, with its last delete.
-- deleted_date is UTC without a zone. Where the replica's own times carry one (TIMESTAMP_TZ, TIMESTAMP_LTZ), compare
-- CONVERT_TIMEZONE('UTC', t.system_modstamp)::TIMESTAMP_NTZ, or a restored record looks older than its delete.
ALTER SESSION SET TIMEZONE = 'UTC';
USE SCHEMA audit.salesforce;

-- Soft delete: keep the row and say that it is gone. Once: ALTER TABLE crm.account ADD COLUMN IF NOT EXISTS deleted_at TIMESTAMP_NTZ;
-- A row that the replication has changed after the delete was restored, and the replication is right.
MERGE INTO crm.account t
USING (SELECT record_id, deleted_date FROM delete_tracker_latest WHERE object_name = 'Account') d
ON t.id = d.record_id
WHEN MATCHED AND t.deleted_at IS NULL AND t.system_modstamp <= d.deleted_date THEN UPDATE SET deleted_at = d.deleted_date;

-- Restored records: the replication has brought them again, changed later than they were deleted.
UPDATE crm.account SET deleted_at = NULL WHERE deleted_at IS NOT NULL AND system_modstamp > deleted_at;

-- Hard delete: remove the row, unless it has been changed since.
DELETE FROM crm.account t
USING delete_tracker_latest d
WHERE t.id = d.record_id AND d.object_name = 'Account' AND t.system_modstamp <= d.deleted_date;
