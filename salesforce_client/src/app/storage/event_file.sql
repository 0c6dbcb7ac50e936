-- The event file is the contract between salesforce_client, which writes it, and delete_sync,
-- which reads it. It is one SQLite file in rollback-journal mode. Its name is
-- events_YYYYMMDDTHHMMSSZ.db, after the UTC second in which it was begun.
-- Times are UTC text, ISO-8601 with milliseconds: 2026-01-31T23:59:59.123Z.
-- There are no STRICT tables, because they need SQLite 3.37.
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
