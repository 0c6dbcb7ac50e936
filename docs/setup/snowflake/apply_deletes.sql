-- Apply deletes to a replicated table.
-- The example is the table crm.account, whose column id has the record's id.
-- You can run each statement again at any time.
-- The statements read the view delete_tracker_latest and not the table. So a record that was
-- restored and deleted again counts once, with its last delete.
-- They act only on records that are deleted now. They leave alone a restored record, and a record
-- that may be deleted or not. If there are checks of the object, a check must also have found that
-- the record is still deleted.
-- deleted_date is UTC without a time zone. The replica's own times may have a time zone
-- (TIMESTAMP_TZ, TIMESTAMP_LTZ). Then compare with
-- CONVERT_TIMEZONE('UTC', t.system_modstamp)::TIMESTAMP_NTZ.
-- Otherwise a restored record looks older than its delete.
ALTER SESSION SET TIMEZONE = 'UTC';
USE SCHEMA audit.salesforce;

-- Soft delete: keep the row and note when the record was deleted. Run this once before:
-- ALTER TABLE crm.account ADD COLUMN IF NOT EXISTS deleted_at TIMESTAMP_NTZ;
-- If the replication changed a row after the delete, the record was restored. Such a row stays.
MERGE INTO crm.account t
USING (
    SELECT record_id, deleted_date
    FROM delete_tracker_latest
    WHERE object_name = 'Account' AND deleted_now = 'yes'
        AND (
            confirmed_at IS NOT NULL
            OR NOT EXISTS (SELECT 1 FROM delete_tracker_checks WHERE object_name = 'Account')
        )
) d
ON t.id = d.record_id
WHEN MATCHED AND t.deleted_at IS NULL AND t.system_modstamp <= d.deleted_date
    THEN UPDATE SET deleted_at = d.deleted_date;

-- Restored records: an event or a check told of the restore.
UPDATE crm.account t SET deleted_at = NULL
FROM delete_tracker_latest d
WHERE t.id = d.record_id AND d.object_name = 'Account' AND d.deleted_now = 'no'
    AND t.deleted_at <= d.restored_date;

-- Restored records: the replication changed the row after the delete.
UPDATE crm.account SET deleted_at = NULL
WHERE deleted_at IS NOT NULL AND system_modstamp > deleted_at;

-- Merged records: let their children belong to the record that is left. You need this only if the
-- replication does not bring the children's new parent. The example is the column account_id of
-- crm.contact. Run it before you remove the merged records.
-- UPDATE crm.contact t SET account_id = d.merged_into
-- FROM delete_tracker_latest d
-- WHERE t.account_id = d.record_id AND d.object_name = 'Account' AND d.deleted_now = 'yes'
--     AND d.merged_into IS NOT NULL AND d.confirmed_at IS NOT NULL;

-- Hard delete: remove the row, unless it was changed after the delete.
DELETE FROM crm.account t
USING (
    SELECT record_id, deleted_date
    FROM delete_tracker_latest
    WHERE object_name = 'Account' AND deleted_now = 'yes'
        AND (
            confirmed_at IS NOT NULL
            OR NOT EXISTS (SELECT 1 FROM delete_tracker_checks WHERE object_name = 'Account')
        )
) d
WHERE t.id = d.record_id AND t.system_modstamp <= d.deleted_date;
