-- The event file is the contract between salesforce_client, which writes it, and delete_sync,
-- which reads it. It is one SQLite file in rollback-journal mode. Its name is
-- events_YYYYMMDDTHHMMSSZ.db, after the UTC second in which it was begun.
-- Times are UTC text, ISO-8601 with milliseconds: 2026-01-31T23:59:59.123Z.
-- There are no STRICT tables, because they need SQLite 3.37.
--
-- A change that an older reader could misread raises user_version.
-- A reader refuses a file whose user_version is newer than it knows.

PRAGMA page_size = 16384;  -- a row has about 2 kB, which wastes less of such a page than of 4 kB
PRAGMA application_id = 1396991060;  -- 0x53446454, the letters SDdT
PRAGMA user_version = 1;

-- One row for each deleted record: the columns of delete_tracker, and the origin of the row.
CREATE TABLE events (
    id           INTEGER PRIMARY KEY,         -- the row's place in this file
    -- the event's id; "<event id>:<record id>" if an event names several records
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

-- Events that could not be decoded, byte for byte. They are not lost while the cause is fixed.
CREATE TABLE rejected_events (
    -- SHA-256 of topic, event id, replay id and payload, in hex
    reject_id   TEXT PRIMARY KEY,
    topic       TEXT NOT NULL,
    event_id    TEXT NOT NULL,
    replay_id   BLOB NOT NULL,
    schema_id   TEXT NOT NULL,
    payload     BLOB NOT NULL,
    error       TEXT NOT NULL,
    received_at TEXT NOT NULL
);

-- Stretches of a topic that can no longer be retrieved.
CREATE TABLE gaps (
    -- SHA-256 of org, topic, old cursor or event id, and reason, in hex
    gap_id         TEXT PRIMARY KEY,
    topic          TEXT NOT NULL,
    -- expired_cursor, unreadable_cursor, overflow or wildcard
    reason         TEXT NOT NULL,
    object_name    TEXT,
    from_replay_id BLOB,
    from_time      TEXT,
    to_time        TEXT,
    detected_at    TEXT NOT NULL
);
