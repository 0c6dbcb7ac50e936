-- Views for the questions that analysts ask first.
-- Run this file in the schema of delete_tracker, as its owner.
USE ROLE SYSADMIN;
USE SCHEMA audit.salesforce;

-- Each listed delete, with each row of its record, and each earlier listed delete of the record.
-- relation: same, different, or unclear. It is none if there is nothing to compare with.
-- The sync compares with the same text: delete_sync/src/warehouse/sql/relations.sql.
CREATE OR REPLACE VIEW delete_tracker_matches AS
WITH entries AS (
    SELECT
        l.check_id AS check_id,
        l.object_name AS object_name,
        l.record_id AS record_id,
        HEX_ENCODE(LEFT(l.record_id, 15)) AS short_id,
        l.deleted_date AS deleted_date,
        l.listed_by AS listed_by,
        c.checked_at AS checked_at
    FROM delete_tracker_listed l
    JOIN delete_tracker_checks c ON c.check_id = l.check_id
    LEFT JOIN delete_tracker_erased e ON e.record_sha256 = SHA2(l.record_id, 256)
    WHERE c.compared_at IS NOT NULL AND e.record_sha256 IS NULL
        AND l.record_id IS NOT NULL AND l.deleted_date IS NOT NULL
),
listed AS (
    SELECT
        record_id AS record_id,
        short_id AS short_id,
        deleted_date AS deleted_date,
        MIN(object_name) AS object_name,
        MIN(checked_at) AS first_at,
        MAX(checked_at) AS last_at
    FROM entries
    GROUP BY record_id, short_id, deleted_date
),
answers AS (
    SELECT DISTINCT
        a.record_id AS record_id,
        a.deleted_date AS deleted_date,
        b.deleted_date AS other_date
    FROM entries a
    JOIN entries b ON b.check_id = a.check_id AND b.record_id = a.record_id
    WHERE a.deleted_date <> b.deleted_date
        AND a.listed_by <> 'queryAll' AND b.listed_by <> 'queryAll'
),
told AS (
    SELECT
        t.event_id AS event_id,
        HEX_ENCODE(LEFT(t.record_id, 15)) AS short_id,
        t.deleted_date AS deleted_date,
        t.ingested_at AS ingested_at,
        t.payload:_tracker.deleted_date_from::VARCHAR IS NULL AS is_plain
    FROM delete_tracker t
    LEFT JOIN delete_tracker_erased e ON e.record_sha256 = SHA2(t.record_id, 256)
    WHERE COALESCE(t.topic, '') <> 'check' AND RIGHT(t.record_id, 1) <> '*'
        AND e.record_sha256 IS NULL
),
others AS (
    SELECT
        'event' AS kind,
        event_id AS event_id,
        short_id AS short_id,
        deleted_date AS happened_at,
        deleted_date AS not_before,
        NULL::TIMESTAMP_NTZ AS first_at
    FROM told
    WHERE is_plain
    UNION ALL
    SELECT
        'event',
        t.event_id,
        t.short_id,
        CASE
            WHEN MIN(l.deleted_date) = MAX(l.deleted_date) AND MIN(l.first_at) >= t.ingested_at
                AND COUNT(c.check_id) > 0 AND COUNT(r.restored_date) = 0
                THEN MAX(l.deleted_date)
        END,
        DATEADD('day', -4, t.ingested_at),
        NULL::TIMESTAMP_NTZ
    FROM told t
    LEFT JOIN listed l ON l.short_id = t.short_id
        AND l.deleted_date <= t.ingested_at
        AND l.deleted_date >= DATEADD('day', -4, t.ingested_at)
    LEFT JOIN delete_tracker_checks c ON c.object_name = l.object_name
        AND c.window_from <= t.ingested_at AND c.window_to > t.ingested_at
        AND c.outcome = 'listed' AND c.compared_at IS NOT NULL
    LEFT JOIN delete_tracker_restores r ON HEX_ENCODE(LEFT(r.record_id, 15)) = t.short_id
        AND r.restored_date <= t.ingested_at
        AND r.restored_date >= DATEADD('day', -4, t.ingested_at)
    WHERE NOT t.is_plain
    GROUP BY t.event_id, t.short_id, t.ingested_at
    UNION ALL
    SELECT
        'listed',
        NULL::VARCHAR,
        short_id,
        deleted_date,
        NULL::TIMESTAMP_NTZ,
        first_at
    FROM listed
)
SELECT
    l.object_name AS object_name,
    l.record_id AS record_id,
    l.deleted_date AS deleted_date,
    l.first_at AS first_at,
    l.last_at AS last_at,
    o.kind AS kind,
    o.event_id AS event_id,
    o.happened_at AS happened_at,
    CASE
        WHEN o.kind IS NULL THEN 'none'
        WHEN o.happened_at BETWEEN DATEADD('minute', -10, l.deleted_date)
            AND DATEADD('minute', 10, l.deleted_date) THEN 'same'
        WHEN o.not_before > l.first_at THEN 'different'
        WHEN COUNT(r.restored_date) > 0 OR COUNT(a.other_date) > 0 THEN 'different'
        ELSE 'unclear'
    END AS relation
FROM listed l
LEFT JOIN others o ON o.short_id = l.short_id
    AND (
        o.kind = 'event' OR o.first_at < l.first_at
        OR (o.first_at = l.first_at AND o.happened_at < l.deleted_date)
    )
LEFT JOIN delete_tracker_restores r ON HEX_ENCODE(LEFT(r.record_id, 15)) = l.short_id
    AND r.restored_date > LEAST(l.deleted_date, o.happened_at)
    AND r.restored_date < GREATEST(l.deleted_date, o.happened_at)
LEFT JOIN answers a ON a.record_id = l.record_id AND a.deleted_date = l.deleted_date
    AND a.other_date BETWEEN DATEADD('minute', -10, o.happened_at)
    AND DATEADD('minute', 10, o.happened_at)
GROUP BY
    l.object_name, l.record_id, l.deleted_date, l.first_at, l.last_at,
    o.kind, o.event_id, o.happened_at, o.not_before;

-- Each listed delete of the compared checks. status is tracked if it has the row of an event,
-- recovered if it has none, repeated if it is the same as an earlier listed delete, else unclear.
-- The sync compares with the same text: delete_sync/src/warehouse/sql/statuses.sql.
CREATE OR REPLACE VIEW delete_tracker_compared AS
SELECT
    object_name AS object_name,
    record_id AS record_id,
    deleted_date AS deleted_date,
    'check:' || record_id || ':' || TO_VARCHAR(deleted_date, 'YYYY-MM-DD') || 'T'
        || TO_VARCHAR(deleted_date, 'HH24:MI:SS.FF3') || 'Z' AS event_id,
    first_at AS first_at,
    last_at AS last_at,
    CASE
        WHEN COUNT(CASE WHEN kind = 'event' AND relation = 'same' THEN 1 END) > 0 THEN 'tracked'
        WHEN COUNT(CASE WHEN relation = 'same' OR relation = 'unclear' THEN 1 END) = 0
            THEN 'recovered'
        WHEN COUNT(CASE WHEN relation = 'same' THEN 1 END) > 0 THEN 'repeated'
        ELSE 'unclear'
    END AS status
FROM delete_tracker_matches
GROUP BY object_name, record_id, deleted_date, first_at, last_at;

-- What Salesforce said of each listed delete, as the first check says it.
-- The sync inserts the same: delete_sync/src/warehouse/sql/listed_once.sql.
CREATE OR REPLACE VIEW delete_tracker_listed_once AS
SELECT
    l.object_name AS object_name,
    l.record_id AS record_id,
    l.deleted_date AS deleted_date,
    COALESCE(
        l.deleted_by, MAX(l.deleted_by) OVER (PARTITION BY l.record_id, l.deleted_date)
    ) AS deleted_by,
    COALESCE(
        l.owner_id, MAX(l.owner_id) OVER (PARTITION BY l.record_id, l.deleted_date)
    ) AS owner_id,
    l.payload AS payload
FROM delete_tracker_listed l
JOIN delete_tracker_checks c ON c.check_id = l.check_id
LEFT JOIN delete_tracker_erased e ON e.record_sha256 = SHA2(l.record_id, 256)
WHERE e.record_sha256 IS NULL
QUALIFY ROW_NUMBER() OVER (
    PARTITION BY l.record_id, l.deleted_date
    ORDER BY c.checked_at, c.check_id
) = 1;

-- One row for each delete, whatever told of it.
-- Rows of different topics for one record are one delete if they are at most ten minutes apart, for
-- example those of a trigger and of Change Data Capture. Two rows of one topic are two deletes.
-- A wildcard such as 001* is not a delete but a gap. Erased records are left out.
CREATE OR REPLACE VIEW delete_tracker_deletes AS
WITH
told AS (
    SELECT
        id,
        event_id,
        topic,
        object_name,
        record_id,
        deleted_by,
        deleted_date,
        owner_id,
        payload,
        ingested_at,
        IFF(topic = 'check', 'check', 'event') AS source,
        COALESCE(record_id, event_id) AS record
    FROM delete_tracker t
    LEFT JOIN delete_tracker_erased e ON e.record_sha256 = SHA2(t.record_id, 256)
    WHERE RIGHT(COALESCE(record_id, ''), 1) <> '*' AND e.record_sha256 IS NULL
),

-- Is a row more than ten minutes later than the record's row before it?
of_events AS (
    SELECT
        *,
        IFF(
            deleted_date <= DATEADD('minute', 10, LAG(deleted_date) OVER (
                PARTITION BY record ORDER BY deleted_date, event_id
            )),
            0,
            1
        ) AS is_later
    FROM told
    WHERE source = 'event'
),

-- Number the stretches of rows that are close together.
close_together AS (
    SELECT
        *,
        SUM(is_later) OVER (
            PARTITION BY record ORDER BY deleted_date, event_id
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stretch
    FROM of_events
),

-- The first rows of all topics are one delete, the second rows are another one, and so on.
numbered AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY record, stretch, topic ORDER BY deleted_date, event_id
        ) AS number_in_topic
    FROM close_together
),

counted AS (
    SELECT *
    FROM numbered
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY record, stretch, number_in_topic ORDER BY deleted_date, event_id
    ) = 1
)

SELECT
    id,
    event_id,
    topic,
    object_name,
    record_id,
    deleted_by,
    deleted_date,
    owner_id,
    payload,
    ingested_at,
    source
FROM counted
UNION ALL
SELECT
    t.id,
    t.event_id,
    t.topic,
    t.object_name,
    t.record_id,
    COALESCE(d.deleted_by, t.deleted_by),
    t.deleted_date,
    COALESCE(d.owner_id, t.owner_id),
    COALESCE(d.payload, t.payload),
    COALESCE(c.first_at, t.ingested_at),
    t.source
FROM told t
LEFT JOIN delete_tracker_compared c ON c.event_id = t.event_id
LEFT JOIN delete_tracker_listed_once d
    ON d.record_id = c.record_id AND d.deleted_date = c.deleted_date
WHERE t.source = 'check' AND COALESCE(c.status, 'recovered') = 'recovered';

-- The objects of each topic: those that polls name, and those of its rows.
-- If the last poll that did not fail names none, object_name is also NULL, because nobody knows
-- whether that is all. The same is true of a topic that has gaps and no poll.
CREATE OR REPLACE VIEW delete_tracker_objects AS
WITH named AS (
    SELECT DISTINCT p.topic, f.value::VARCHAR AS object_name
    FROM delete_tracker_polls p, LATERAL FLATTEN(INPUT => TRY_PARSE_JSON(p.objects)) f
),

last_good_polls AS (
    SELECT topic, objects
    FROM delete_tracker_polls
    WHERE ended <> 'failed'
    QUALIFY ROW_NUMBER() OVER (PARTITION BY topic ORDER BY began_at DESC, ended_at DESC) = 1
)

SELECT topic, object_name
FROM named
UNION
SELECT topic, object_name
FROM delete_tracker
WHERE topic <> 'check' AND object_name IS NOT NULL
UNION
SELECT topic, object_name
FROM delete_tracker_restores
WHERE topic <> 'check' AND object_name IS NOT NULL
UNION
SELECT topic, object_name
FROM delete_tracker_gaps
WHERE object_name IS NOT NULL
UNION
SELECT p.topic, NULL
FROM delete_tracker_polls p
LEFT JOIN named n ON n.topic = p.topic
LEFT JOIN last_good_polls l ON l.topic = p.topic
WHERE n.topic IS NULL OR (l.topic IS NOT NULL AND l.objects IS NULL)
UNION
SELECT g.topic, NULL
FROM delete_tracker_gaps g
LEFT JOIN delete_tracker_polls p ON p.topic = g.topic
WHERE p.topic IS NULL;

-- Each check with its outcome. If an entry of its list has no record or no date, the check failed.
CREATE OR REPLACE VIEW delete_tracker_windows AS
SELECT
    c.check_id,
    c.object_name,
    c.window_from,
    c.window_to,
    IFF(c.outcome = 'listed' AND b.check_id IS NOT NULL, 'failed', c.outcome) AS outcome,
    c.checked_at,
    c.compared_at
FROM delete_tracker_checks c
LEFT JOIN (
    SELECT DISTINCT check_id
    FROM delete_tracker_listed
    WHERE record_id IS NULL OR deleted_date IS NULL
) b ON b.check_id = c.check_id;

-- The times of each object that checks with the outcome listed cover without a hole.
-- If is_compared is 0, checks that wait for older event files count too.
CREATE OR REPLACE VIEW delete_tracker_covered AS
WITH
chosen AS (
    SELECT object_name, window_from, window_to, 0 AS is_compared
    FROM delete_tracker_windows
    WHERE outcome = 'listed' AND window_from < window_to
    UNION ALL
    SELECT object_name, window_from, window_to, 1
    FROM delete_tracker_windows
    WHERE outcome = 'listed' AND window_from < window_to AND compared_at IS NOT NULL
),

-- Does a window begin after the end of all windows before it?
holes AS (
    SELECT
        *,
        IFF(
            window_from <= MAX(window_to) OVER (
                PARTITION BY object_name, is_compared ORDER BY window_from, window_to
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ),
            0,
            1
        ) AS is_after_hole
    FROM chosen
),

numbered AS (
    SELECT
        *,
        SUM(is_after_hole) OVER (
            PARTITION BY object_name, is_compared ORDER BY window_from, window_to
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS stretch
    FROM holes
)

SELECT
    object_name,
    is_compared,
    MIN(window_from) AS covered_from,
    MAX(window_to) AS covered_to
FROM numbered
GROUP BY object_name, is_compared, stretch;

-- Each object and each day (UTC) from the first poll, check or row until today, with its verdict.
-- If the objects of a topic are not known, the topic has a line for each day instead.
CREATE OR REPLACE VIEW delete_tracker_days AS
WITH
firsts AS (
    SELECT
        COALESCE(o.object_name, o.topic) AS object_name,
        IFF(o.object_name IS NULL, 1, 0) AS is_unknown,
        p.began_at AS happened_at
    FROM delete_tracker_objects o
    JOIN delete_tracker_polls p ON p.topic = o.topic
    UNION ALL
    SELECT object_name, 0, COALESCE(window_from, checked_at)
    FROM delete_tracker_checks
    UNION ALL
    SELECT object_name, 0, deleted_date
    FROM delete_tracker
    UNION ALL
    SELECT object_name, 0, deleted_date
    FROM delete_tracker_listed
),

spans AS (
    SELECT object_name, MAX(is_unknown) AS is_unknown, MIN(happened_at)::DATE AS first_day
    FROM firsts
    WHERE object_name IS NOT NULL AND happened_at IS NOT NULL
    GROUP BY object_name
),

numbers AS (
    SELECT ROW_NUMBER() OVER (ORDER BY SEQ4()) - 1 AS number
    FROM TABLE(GENERATOR(ROWCOUNT => 40000))
),

-- The days count back from today, so that a date of long ago hides only days of long ago.
-- A publisher may write such a date, or a day that has not come yet.
days AS (
    SELECT s.object_name, s.is_unknown, DATEADD('day', -n.number, SYSDATE()::DATE)::DATE AS day
    FROM spans s
    JOIN numbers n ON n.number <= DATEDIFF('day', s.first_day, SYSDATE())
    UNION
    SELECT object_name, 0, deleted_date::DATE
    FROM delete_tracker
    WHERE object_name IS NOT NULL AND deleted_date IS NOT NULL
),

covers AS (
    SELECT d.object_name, d.day, MAX(c.is_compared) AS is_compared
    FROM days d
    JOIN delete_tracker_covered c
        ON c.object_name = d.object_name
            AND c.covered_from <= d.day AND c.covered_to >= DATEADD('day', 1, d.day)
    GROUP BY d.object_name, d.day
),

-- Why a day may not be covered: what the newest check of that day says, of those without a list.
hindrances AS (
    SELECT d.object_name, d.day, w.outcome
    FROM days d
    JOIN delete_tracker_windows w
        ON w.object_name = d.object_name
            AND COALESCE(w.window_from, w.checked_at) < DATEADD('day', 1, d.day)
            AND COALESCE(w.window_to, w.checked_at) > d.day
    WHERE w.outcome <> 'listed'
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY d.object_name, d.day ORDER BY w.checked_at DESC, w.check_id DESC
    ) = 1
),

-- A listed delete that is the same as an earlier one needs the row of that one.
repeated AS (
    SELECT DISTINCT c.record_id, c.deleted_date
    FROM delete_tracker_compared c
    JOIN delete_tracker_compared e
        ON e.record_id = c.record_id
            AND e.deleted_date BETWEEN DATEADD('minute', -10, c.deleted_date)
            AND DATEADD('minute', 10, c.deleted_date)
    JOIN delete_tracker t ON t.event_id = e.event_id
    WHERE c.status = 'repeated' AND e.status = 'recovered'
),

listed AS (
    SELECT
        c.object_name,
        c.deleted_date::DATE AS day,
        COUNT(*) AS listed,
        COUNT(IFF(c.status = 'recovered' AND t.event_id IS NOT NULL, 1, NULL)) AS recovered,
        COUNT(IFF(c.status = 'recovered' AND t.event_id IS NULL, 1, NULL)) AS missing,
        COUNT(IFF(c.status = 'repeated' AND r.record_id IS NOT NULL, 1, NULL)) AS repeated,
        COUNT(
            IFF(c.status = 'unclear' OR (c.status = 'repeated' AND r.record_id IS NULL), 1, NULL)
        ) AS unclear
    FROM delete_tracker_compared c
    LEFT JOIN delete_tracker t ON t.event_id = c.event_id
    LEFT JOIN repeated r ON r.record_id = c.record_id AND r.deleted_date = c.deleted_date
    GROUP BY c.object_name, c.deleted_date::DATE
),

found AS (
    SELECT DISTINCT event_id
    FROM delete_tracker_matches
    WHERE kind = 'event' AND relation = 'same'
),

restored AS (
    SELECT HEX_ENCODE(LEFT(record_id, 15)) AS short_id, MAX(restored_date) AS restored_date
    FROM delete_tracker_restores
    GROUP BY HEX_ENCODE(LEFT(record_id, 15))
),

tracked AS (
    SELECT
        d.object_name,
        d.deleted_date::DATE AS day,
        COUNT(*) AS tracked,
        COUNT(
            IFF(
                f.event_id IS NULL
                AND (r.restored_date IS NULL OR r.restored_date < d.deleted_date),
                1,
                NULL
            )
        ) AS unlisted
    FROM delete_tracker_deletes d
    LEFT JOIN found f ON f.event_id = d.event_id
    LEFT JOIN restored r ON r.short_id = HEX_ENCODE(LEFT(d.record_id, 15))
    LEFT JOIN delete_tracker_erased e ON e.record_sha256 = SHA2(d.record_id, 256)
    WHERE d.source = 'event' AND e.record_sha256 IS NULL
    GROUP BY d.object_name, d.deleted_date::DATE
),

reasons AS (
    SELECT
        d.object_name,
        d.day,
        COALESCE(l.listed, 0) AS listed,
        COALESCE(t.tracked, 0) AS tracked,
        COALESCE(l.recovered, 0) AS recovered,
        COALESCE(l.repeated, 0) AS repeated,
        CASE
            WHEN d.is_unknown = 1 THEN 'objects unknown'
            WHEN c.is_compared = 0 THEN 'waiting for older files'
            WHEN c.is_compared IS NULL THEN CASE h.outcome
                WHEN 'not_replicateable' THEN 'not replicateable'
                WHEN 'sight_unknown' THEN 'sight unknown'
                WHEN 'filtered' THEN 'filtered'
                WHEN 'trimmed' THEN 'trimmed'
                WHEN 'clock' THEN 'clock'
                WHEN 'no_rights' THEN 'no rights'
                WHEN 'failed' THEN 'check failed'
                ELSE 'not covered'
            END
            WHEN l.unclear > 0 THEN 'dates differ'
            WHEN t.unlisted > 0 THEN 'tracked but not listed'
            WHEN l.missing > 0 THEN 'waiting for older files'
        END AS reason
    FROM days d
    LEFT JOIN covers c ON c.object_name = d.object_name AND c.day = d.day
    LEFT JOIN hindrances h ON h.object_name = d.object_name AND h.day = d.day
    LEFT JOIN listed l ON l.object_name = d.object_name AND l.day = d.day
    LEFT JOIN tracked t ON t.object_name = d.object_name AND t.day = d.day
)

SELECT
    object_name,
    day,
    listed,
    tracked,
    recovered,
    CASE
        WHEN reason IS NOT NULL THEN 'unproven'
        WHEN recovered > 0 OR repeated > 0 THEN 'repaired'
        ELSE 'proven'
    END AS verdict,
    reason
FROM reasons;

-- Each gap is closed, open, or lost. It is closed if proven or repaired days of all objects of its
-- topic cover it. It is lost if it is not closed after 15 days, because Salesforce lists no older
-- deletes.
CREATE OR REPLACE VIEW delete_tracker_gap_states AS
WITH
of_objects AS (
    SELECT
        g.gap_id,
        o.object_name,
        DATEDIFF('day', g.from_time, COALESCE(g.to_time, g.detected_at)) + 1 AS days,
        COUNT(DISTINCT d.day) AS good_days
    FROM delete_tracker_gaps g
    LEFT JOIN delete_tracker_objects o ON o.topic = g.topic
    LEFT JOIN delete_tracker_days d
        ON d.object_name = o.object_name
            AND d.day BETWEEN g.from_time::DATE AND COALESCE(g.to_time, g.detected_at)::DATE
            AND d.verdict <> 'unproven'
    GROUP BY g.gap_id, o.object_name, g.from_time, g.to_time, g.detected_at
),

closed AS (
    SELECT
        gap_id,
        MIN(IFF(object_name IS NOT NULL AND days > 0 AND good_days = days, 1, 0)) AS is_closed
    FROM of_objects
    GROUP BY gap_id
)

SELECT
    g.gap_id,
    g.topic,
    g.object_name,
    g.reason,
    g.from_time,
    g.to_time,
    g.detected_at,
    CASE
        WHEN c.is_closed = 1 THEN 'closed'
        WHEN g.detected_at >= DATEADD('day', -15, SYSDATE()) THEN 'open'
        ELSE 'lost'
    END AS state
FROM delete_tracker_gaps g
JOIN closed c ON c.gap_id = g.gap_id;

-- Each object and day (UTC): is every delete that Salesforce lists in delete_tracker?
-- verdict is proven, repaired (also with recovered deletes), or unproven, with the reason.
-- Each lost gap has a line of its own, with the verdict lost.
CREATE OR REPLACE VIEW delete_tracker_completeness AS
SELECT object_name, day, listed, tracked, recovered, verdict, reason
FROM delete_tracker_days
UNION ALL
SELECT COALESCE(object_name, topic), from_time::DATE, NULL, NULL, NULL, 'lost', reason
FROM delete_tracker_gap_states
WHERE state = 'lost';

-- The last delete of each record, and what became of the record since.
-- merged_into is the record that is left if the record was merged, also over several merges.
CREATE OR REPLACE VIEW delete_tracker_latest AS
WITH RECURSIVE
last_deletes AS (
    SELECT *
    FROM delete_tracker_deletes
    WHERE record_id IS NOT NULL
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY HEX_ENCODE(LEFT(record_id, 15)) ORDER BY deleted_date DESC, event_id DESC
    ) = 1
),

-- If a delete and a restore have the same time, the delete came first.
restored AS (
    SELECT d.record_id, MIN(r.restored_date) AS restored_date
    FROM last_deletes d
    JOIN delete_tracker_restores r
        ON HEX_ENCODE(LEFT(r.record_id, 15)) = HEX_ENCODE(LEFT(d.record_id, 15))
            AND r.restored_date >= d.deleted_date
    GROUP BY d.record_id
),

-- The entries of the lists that are the same as this delete.
entries AS (
    SELECT event_id, record_id, deleted_date
    FROM delete_tracker_matches
    WHERE kind = 'event' AND relation = 'same'
    UNION
    SELECT event_id, record_id, deleted_date
    FROM delete_tracker_compared
    WHERE status = 'recovered'
),

-- When a check last found the record in the recycle bin, or purged.
confirmed AS (
    SELECT
        d.event_id,
        MAX(
            IFF(
                (l.state = 'bin' OR l.state = 'purged') AND c.checked_at >= d.deleted_date,
                c.checked_at,
                NULL
            )
        ) AS confirmed_at
    FROM last_deletes d
    JOIN entries e ON e.event_id = d.event_id
    JOIN delete_tracker_listed l
        ON l.record_id = e.record_id AND l.deleted_date = e.deleted_date
    JOIN delete_tracker_checks c ON c.check_id = l.check_id AND c.compared_at IS NOT NULL
    GROUP BY d.event_id
),

covered AS (
    SELECT DISTINCT d.event_id
    FROM last_deletes d
    JOIN delete_tracker_covered c
        ON c.object_name = d.object_name AND c.is_compared = 1
            AND c.covered_from <= d.deleted_date AND c.covered_to > d.deleted_date
),

-- Only queryAll tells of merges. Of the compared checks after the delete, the newest one counts.
merges AS (
    SELECT l.record_id, l.merged_into
    FROM delete_tracker_listed l
    JOIN delete_tracker_checks c ON c.check_id = l.check_id AND c.compared_at IS NOT NULL
    JOIN last_deletes d ON d.record_id = l.record_id AND d.deleted_date <= c.checked_at
    LEFT JOIN restored r ON r.record_id = l.record_id
    WHERE l.listed_by <> 'getDeleted' AND r.record_id IS NULL
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY l.record_id ORDER BY c.checked_at DESC, l.deleted_date DESC, l.check_id DESC
    ) = 1
),

-- The record that is left may have been merged too. The number of steps ends a circle.
chain (record_id, merged_into, steps) AS (
    SELECT m.record_id, m.merged_into, 1
    FROM merges m
    WHERE m.merged_into IS NOT NULL
    UNION ALL
    SELECT c.record_id, m.merged_into, c.steps + 1
    FROM chain c
    JOIN merges m ON m.record_id = c.merged_into
    WHERE m.merged_into <> c.record_id AND c.steps < 50
),

winners AS (
    SELECT record_id, merged_into
    FROM chain
    QUALIFY ROW_NUMBER() OVER (PARTITION BY record_id ORDER BY steps DESC) = 1
)

SELECT
    d.object_name,
    d.record_id,
    d.deleted_date,
    d.deleted_by,
    d.owner_id,
    d.topic,
    d.event_id,
    d.payload,
    d.ingested_at,
    d.source,
    r.restored_date,
    w.merged_into,
    CASE
        WHEN r.restored_date IS NOT NULL THEN 'no'
        WHEN v.event_id IS NOT NULL AND f.event_id IS NULL THEN 'unknown'
        ELSE 'yes'
    END AS deleted_now,
    f.confirmed_at
FROM last_deletes d
LEFT JOIN restored r ON r.record_id = d.record_id
LEFT JOIN covered v ON v.event_id = d.event_id
LEFT JOIN confirmed f ON f.event_id = d.event_id
LEFT JOIN winners w ON w.record_id = d.record_id;

-- Deletes by the day on which they happened, object and user.
CREATE OR REPLACE VIEW delete_tracker_daily AS
SELECT
    deleted_date::DATE AS day,
    object_name,
    deleted_by,
    COUNT(*) AS deletes,
    COUNT(DISTINCT record_id) AS records
FROM delete_tracker_deletes
GROUP BY deleted_date::DATE, object_name, deleted_by;

-- Each topic and object: when the collector last asked, and up to when it has read everything.
-- last_error is why the last poll of the topic failed. The objects of a topic are those of
-- delete_tracker_objects. If they are not known, there is also a line without object_name.
CREATE OR REPLACE VIEW delete_tracker_freshness AS
WITH
topics AS (
    SELECT topic, MAX(ended_at) AS last_poll_at, MAX(read_until) AS read_until
    FROM delete_tracker_polls
    GROUP BY topic
),

last_polls AS (
    SELECT topic, error
    FROM delete_tracker_polls
    QUALIFY ROW_NUMBER() OVER (PARTITION BY topic ORDER BY began_at DESC, ended_at DESC) = 1
),

proven AS (
    SELECT object_name, MIN(day) AS first_day
    FROM delete_tracker_days
    WHERE verdict <> 'unproven'
    GROUP BY object_name
),

-- From the first proven day on, until the first day after it that is not proven.
ends AS (
    SELECT d.object_name, MIN(d.day)::TIMESTAMP_NTZ AS proven_until
    FROM delete_tracker_days d
    JOIN proven p ON p.object_name = d.object_name AND p.first_day < d.day
    WHERE d.verdict = 'unproven'
    GROUP BY d.object_name
)

SELECT
    t.topic,
    o.object_name,
    t.last_poll_at,
    t.read_until,
    e.proven_until,
    p.error AS last_error
FROM topics t
JOIN last_polls p ON p.topic = t.topic
LEFT JOIN delete_tracker_objects o ON o.topic = t.topic
LEFT JOIN ends e ON e.object_name = o.object_name;

-- Reasons why the table may be incomplete: gaps, refused files, rejects. No row is good.
-- A gap disappears when proven or repaired days cover it. After 15 days its state is lost.
-- If something needs no more attention, insert its what and id into delete_tracker_acknowledged,
-- as kind and id. The sync does so for a reject that was decoded again.
CREATE OR REPLACE VIEW delete_tracker_incomplete AS
WITH reasons AS (
    SELECT
        'gap' AS what,
        gap_id AS id,
        topic AS source,
        reason AS why,
        from_time,
        to_time,
        detected_at AS known_since,
        state
    FROM delete_tracker_gap_states
    WHERE state <> 'closed'
    UNION ALL
    SELECT
        'refused file',
        event_file || ':' || COALESCE(sha256, ''),
        event_file,
        error,
        first_event_at,
        last_event_at,
        loaded_at,
        'open'
    FROM delete_tracker_loads
    WHERE error IS NOT NULL
    UNION ALL
    SELECT
        'reject',
        reject_id,
        topic,
        error,
        NULL,
        TRY_CAST(received_at AS TIMESTAMP_NTZ),
        loaded_at,
        'open'
    FROM delete_tracker_rejects
)

SELECT r.what, r.id, r.source, r.why, r.from_time, r.to_time, r.known_since, r.state
FROM reasons r
WHERE NOT EXISTS (
    SELECT 1
    FROM delete_tracker_acknowledged a
    WHERE a.kind = r.what AND a.id = r.id
);

-- The deletes of one transaction: what one user deleted, and what was deleted with it.
-- Salesforce numbers the changes of a transaction. first_object_name and first_record_id are the
-- delete with the smallest number, and deletes is how many there are.
-- Only change events name their transaction.
CREATE OR REPLACE VIEW delete_tracker_transactions AS
WITH changes AS (
    SELECT
        payload:ChangeEventHeader:transactionKey::VARCHAR AS transaction_key,
        payload:ChangeEventHeader:sequenceNumber::INTEGER AS sequence_number,
        deleted_by,
        deleted_date,
        object_name,
        record_id,
        event_id
    FROM delete_tracker t
    LEFT JOIN delete_tracker_erased e ON e.record_sha256 = SHA2(t.record_id, 256)
    WHERE RIGHT(COALESCE(record_id, ''), 1) <> '*' AND e.record_sha256 IS NULL
)

SELECT
    transaction_key,
    deleted_by,
    deleted_date,
    sequence_number,
    object_name,
    record_id,
    event_id,
    FIRST_VALUE(object_name) OVER (
        PARTITION BY transaction_key ORDER BY sequence_number, event_id
    ) AS first_object_name,
    FIRST_VALUE(record_id) OVER (
        PARTITION BY transaction_key ORDER BY sequence_number, event_id
    ) AS first_record_id,
    COUNT(*) OVER (PARTITION BY transaction_key) AS deletes
FROM changes
WHERE transaction_key IS NOT NULL;

-- Each sweep: its number of files and rows, and how far the table reaches.
-- A file counts only for the sweep that loaded it last. After a full sweep, that is the full sweep.
CREATE OR REPLACE VIEW delete_tracker_sweeps AS
SELECT
    sweep_id,
    MAX(loaded_at) AS loaded_at,
    COUNT(*) AS files,
    SUM(rows_read) AS rows_read,
    SUM(rows_inserted) AS rows_inserted,
    SUM(rows_rejected) AS rows_rejected,
    SUM(gaps) AS gaps,
    COUNT(error) AS files_refused,
    MIN(first_event_at) AS first_event_at,
    MAX(last_event_at) AS last_event_at
FROM delete_tracker_loads
GROUP BY sweep_id;
