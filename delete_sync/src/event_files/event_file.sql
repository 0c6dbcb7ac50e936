-- The event file is the contract between salesforce_client, which writes it, and delete_sync,
-- which reads it. It is one SQLite file in rollback-journal mode. Its name is
-- events_YYYYMMDDTHHMMSSZ.db, after the UTC second in which it was begun.
-- Times are UTC text, ISO-8601 with milliseconds: 2026-01-31T23:59:59.123Z.
-- There are no STRICT tables, because they need SQLite 3.37.
-- Tables that a quiet poll leaves empty are WITHOUT ROWID, because then their key needs no page of
-- its own.
--
-- A change that an older reader could misread raises user_version.
-- A reader refuses a file whose user_version is newer than it knows.

PRAGMA page_size = 4096;  -- the writer may choose larger pages, for files with many rows
PRAGMA application_id = 1396991060;  -- 0x53446454, the letters SDdT
PRAGMA user_version = 2;

-- One row for each deleted record: the columns of delete_tracker, and the origin of the row.
CREATE TABLE events (
    id           INTEGER PRIMARY KEY,         -- the row's place in this file
    -- "<event id>:<record id>" of a change event, "<event id>:<digest>" of a platform event
    event_id     TEXT NOT NULL UNIQUE,
    topic        TEXT NOT NULL,
    object_name  TEXT,
    record_id    TEXT,
    deleted_by   TEXT,
    deleted_date TEXT NOT NULL,
    owner_id     TEXT,
    payload      TEXT NOT NULL,               -- the decoded event as JSON
    ingested_at  TEXT NOT NULL,               -- when the collector received the event
    replay_id    BLOB NOT NULL,
    schema_id    TEXT NOT NULL
);

-- Events that could not become a row, byte for byte. They are not lost while the cause is fixed.
CREATE TABLE rejected_events (
    reject_id   TEXT PRIMARY KEY,             -- SHA-256 of topic, event id and payload, in hex
    topic       TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    replay_id   BLOB NOT NULL,
    schema_id   TEXT NOT NULL,
    payload     BLOB NOT NULL,
    error       TEXT NOT NULL,
    received_at TEXT NOT NULL
);

-- The Avro schemas of the rejected events, unless Salesforce refused to deliver them.
-- With them, the rejected events can be decoded again without Salesforce.
CREATE TABLE schemas (
    schema_id   TEXT PRIMARY KEY,
    schema_json TEXT NOT NULL
) WITHOUT ROWID;

-- What became of rejected events of earlier files that were decoded again.
-- The rows that they became are in this file.
CREATE TABLE resolved_rejects (
    reject_id   TEXT PRIMARY KEY,
    became      TEXT NOT NULL,                -- delete, restore or nothing
    resolved_at TEXT NOT NULL
) WITHOUT ROWID;

-- One row for each record that came back from the recycle bin.
CREATE TABLE restores (
    -- as the event_id of a delete; of a restore that a check found,
    -- "check:<record id>:<date of the delete that it ended>"
    restore_id    TEXT PRIMARY KEY,
    topic         TEXT NOT NULL,              -- check, if a check found it
    object_name   TEXT,
    record_id     TEXT,
    restored_by   TEXT,
    restored_date TEXT NOT NULL,
    found_by      TEXT NOT NULL,              -- event or check
    ingested_at   TEXT NOT NULL,
    replay_id     BLOB,                       -- this and schema_id are null if a check found it
    schema_id     TEXT
) WITHOUT ROWID;

-- Stretches of a topic that can no longer be retrieved.
CREATE TABLE gaps (
    -- SHA-256 in hex: of org, topic, event id and reason, or of org, topic, old cursor, reason and
    -- to_time
    gap_id         TEXT PRIMARY KEY,
    topic          TEXT NOT NULL,
    -- expired_cursor, unreadable_cursor, overflow, wildcard or not_readable
    reason         TEXT NOT NULL,
    object_name    TEXT,
    from_replay_id BLOB,
    from_time      TEXT,
    to_time        TEXT,
    detected_at    TEXT NOT NULL
);

-- One row for each topic of a poll. They are in the last file of the poll.
-- Every poll leaves them, also a poll that found nothing or failed.
CREATE TABLE polls (
    poll_id    TEXT PRIMARY KEY,              -- SHA-256 of org, topic and began_at, in hex
    org_id     TEXT,                          -- 18 characters; null if the login failed
    writer     TEXT NOT NULL,                 -- the version of the collector
    topic      TEXT NOT NULL,
    began_at   TEXT NOT NULL,
    ended_at   TEXT NOT NULL,
    objects    TEXT,                          -- JSON list of object names; null if not known
    ended      TEXT NOT NULL,                 -- caught_up, idle, deadline or failed
    -- When the topic ended caught up or idle: began_at. Otherwise the publishing time of the last
    -- event that was read, or null.
    read_until TEXT,
    received   INTEGER NOT NULL,              -- events; the next five count what became of them
    deletes    INTEGER NOT NULL,
    restores   INTEGER NOT NULL,
    skipped    INTEGER NOT NULL,
    rejected   INTEGER NOT NULL,
    gaps       INTEGER NOT NULL,
    error      TEXT                           -- why the topic failed
);

-- One row for each window of time of an object that was compared with Salesforce's own list.
-- Checks and listed deletes are in a file of their own.
CREATE TABLE checks (
    check_id    TEXT PRIMARY KEY,             -- SHA-256 of org, object, window, checked_at
    org_id      TEXT NOT NULL,
    writer      TEXT NOT NULL,                -- the version of the collector
    object_name TEXT NOT NULL,
    window_from TEXT NOT NULL,                -- the window has this time, but not window_to
    window_to   TEXT NOT NULL,
    listed      INTEGER NOT NULL,             -- rows of listed_deletes
    -- listed, not_replicateable, sight_unknown, not_covered, trimmed, filtered, clock, no_rights or
    -- failed. Only "listed" proves something.
    outcome     TEXT NOT NULL,
    sight       TEXT NOT NULL,                -- view_all or unknown
    api_version TEXT NOT NULL,                -- for example v67.0
    checked_at  TEXT NOT NULL,                -- when the check asked
    error       TEXT                          -- why the outcome is not "listed"
) WITHOUT ROWID;

-- One row for each entry of Salesforce's list in the window of a check.
CREATE TABLE listed_deletes (
    check_id     TEXT NOT NULL,
    object_name  TEXT NOT NULL,
    record_id    TEXT NOT NULL,               -- 18 characters
    deleted_date TEXT NOT NULL,
    deleted_by   TEXT,                        -- this and the next two are null if not known
    owner_id     TEXT,
    merged_into  TEXT,                        -- the record that is left of a merge
    listed_by    TEXT NOT NULL,               -- getDeleted, queryAll or both
    state        TEXT NOT NULL,               -- bin, purged or unknown: when the check asked
    payload      TEXT NOT NULL,               -- what Salesforce said of the record, as JSON
    PRIMARY KEY (check_id, record_id, deleted_date)
) WITHOUT ROWID;
