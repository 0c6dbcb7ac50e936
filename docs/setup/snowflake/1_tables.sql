-- Database, schema and tables of delete_sync.
-- An administrator creates them, so that the loader needs no right to create any.
-- The names audit and salesforce are examples of SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA.
USE ROLE SYSADMIN;

CREATE DATABASE IF NOT EXISTS audit COMMENT = 'Audit trails';
CREATE SCHEMA IF NOT EXISTS audit.salesforce
    COMMENT = 'Deleted Salesforce records: delete_tracker and its companion tables';
USE SCHEMA audit.salesforce;

CREATE TABLE IF NOT EXISTS delete_tracker (
    id INTEGER AUTOINCREMENT PRIMARY KEY,
    event_id VARCHAR(255) UNIQUE,
    topic VARCHAR(255),
    object_name VARCHAR(255),
    record_id VARCHAR(255),
    deleted_by VARCHAR(255),
    deleted_date TIMESTAMP_NTZ,
    owner_id VARCHAR(255),
    payload VARIANT,
    ingested_at TIMESTAMP_NTZ
);

-- One row for each event file that the sync loaded or refused. The sync skips these files.
CREATE TABLE IF NOT EXISTS delete_tracker_loads (
    event_file VARCHAR(255),
    sha256 VARCHAR(64),
    length INTEGER,
    etag VARCHAR(255),
    sweep_id VARCHAR(64),
    token VARCHAR(64),
    reader INTEGER,
    rows_read INTEGER,
    rows_inserted INTEGER,
    rows_rejected INTEGER,
    gaps INTEGER,
    first_event_at TIMESTAMP_NTZ,
    last_event_at TIMESTAMP_NTZ,
    error VARCHAR,
    loaded_at TIMESTAMP_NTZ
);

-- Stretches of a topic that can no longer be retrieved.
CREATE TABLE IF NOT EXISTS delete_tracker_gaps (
    gap_id VARCHAR(128),
    event_file VARCHAR(255),
    topic VARCHAR(255),
    reason VARCHAR(255),
    object_name VARCHAR(255),
    from_replay_id VARCHAR,
    from_time TIMESTAMP_NTZ,
    to_time TIMESTAMP_NTZ,
    detected_at TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_NTZ
);

-- Events that could not be decoded and rows that could not be loaded, unchanged.
CREATE TABLE IF NOT EXISTS delete_tracker_rejects (
    reject_id VARCHAR(128),
    refused_by VARCHAR(16),
    event_file VARCHAR(255),
    topic VARCHAR,
    event_id VARCHAR,
    replay_id VARCHAR,
    schema_id VARCHAR,
    payload VARCHAR,
    error VARCHAR,
    received_at VARCHAR,
    loaded_at TIMESTAMP_NTZ
);

-- One row for each topic of a poll of the collector: how the poll ended, and what it read.
CREATE TABLE IF NOT EXISTS delete_tracker_polls (
    poll_id VARCHAR(128),
    event_file VARCHAR(255),
    org_id VARCHAR(18),
    writer VARCHAR(64),
    topic VARCHAR(255),
    began_at TIMESTAMP_NTZ,
    ended_at TIMESTAMP_NTZ,
    objects VARCHAR,
    ended VARCHAR(16),
    read_until TIMESTAMP_NTZ,
    received INTEGER,
    deletes INTEGER,
    restores INTEGER,
    skipped INTEGER,
    rejected INTEGER,
    gaps INTEGER,
    error VARCHAR,
    loaded_at TIMESTAMP_NTZ
);

-- Records that came back from the recycle bin.
CREATE TABLE IF NOT EXISTS delete_tracker_restores (
    restore_id VARCHAR(255),
    event_file VARCHAR(255),
    topic VARCHAR(255),
    object_name VARCHAR(255),
    record_id VARCHAR(255),
    restored_by VARCHAR(255),
    restored_date TIMESTAMP_NTZ,
    found_by VARCHAR(16),
    ingested_at TIMESTAMP_NTZ,
    loaded_at TIMESTAMP_NTZ
);

-- Comparisons of a window of time of an object with Salesforce's own list of deleted records.
-- compared_at is when a sweep compared them with delete_tracker.
CREATE TABLE IF NOT EXISTS delete_tracker_checks (
    check_id VARCHAR(128),
    event_file VARCHAR(255),
    org_id VARCHAR(18),
    writer VARCHAR(64),
    object_name VARCHAR(255),
    window_from TIMESTAMP_NTZ,
    window_to TIMESTAMP_NTZ,
    listed INTEGER,
    outcome VARCHAR(32),
    sight VARCHAR(16),
    api_version VARCHAR(16),
    checked_at TIMESTAMP_NTZ,
    error VARCHAR,
    loaded_at TIMESTAMP_NTZ,
    compared_at TIMESTAMP_NTZ
);

-- The entries of Salesforce's list in the windows of the checks.
CREATE TABLE IF NOT EXISTS delete_tracker_listed (
    check_id VARCHAR(128),
    event_file VARCHAR(255),
    object_name VARCHAR(255),
    record_id VARCHAR(18),
    deleted_date TIMESTAMP_NTZ,
    deleted_by VARCHAR(255),
    owner_id VARCHAR(255),
    merged_into VARCHAR(18),
    listed_by VARCHAR(16),
    state VARCHAR(16),
    payload VARIANT,
    loaded_at TIMESTAMP_NTZ
);

-- Records whose data somebody had erased. Neither a full sweep nor a check brings them back.
-- rows_removed counts the rows of events that erasing removed from delete_tracker.
CREATE TABLE IF NOT EXISTS delete_tracker_erased (
    record_sha256 VARCHAR(64),
    erased_at TIMESTAMP_NTZ,
    rows_removed INTEGER
);

-- Gaps, rejects and refused files that need no more attention, and why.
-- The sync adds rejects that were decoded again. People add the others.
CREATE TABLE IF NOT EXISTS delete_tracker_acknowledged (
    kind VARCHAR(32),
    id VARCHAR(255),
    why VARCHAR,
    who VARCHAR(255),
    acknowledged_at TIMESTAMP_NTZ
);

CREATE STAGE IF NOT EXISTS delete_tracker_stage;

-- The lock: exactly one row, which every transaction of the sync updates first.
-- The same statement makes the table and the row. So the table never has no row or two rows.
-- It stands last: if you run this file again, it fails, because the table exists. That is right.
CREATE TABLE delete_tracker_lock (
    id INTEGER,
    token VARCHAR(64),
    previous VARCHAR(64),
    taken_at TIMESTAMP_NTZ
)
AS SELECT 1, 'none', NULL, SYSDATE();
