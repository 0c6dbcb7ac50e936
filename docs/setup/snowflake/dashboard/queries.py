"""The SQL of all pages. It reads the views of ``3_views.sql``, and nothing else.

The session's TIMEZONE and WEEK_START are the viewer's, so the text has SYSDATE() for the time, and
no CURRENT_DATE. Names have no schema: the app stands in the schema of ``delete_tracker``.
"""

from __future__ import annotations

PROVEN = """
SELECT object_name, MIN(proven_until) AS proven_until
FROM delete_tracker_freshness
WHERE object_name IS NOT NULL
GROUP BY object_name
ORDER BY proven_until NULLS FIRST, object_name
LIMIT 1001"""

TOPICS_WITHOUT_OBJECTS = """
SELECT DISTINCT topic
FROM delete_tracker_freshness
WHERE object_name IS NULL
ORDER BY topic"""

OPEN = """
SELECT what, state, source, why, from_time, to_time, known_since, id
FROM delete_tracker_incomplete
ORDER BY IFF(state = 'lost', 0, 1), known_since, id
LIMIT 1001"""

VERDICTS = """
SELECT
    object_name, verdict, reason, COUNT(*) AS days, MIN(day) AS first_day, MAX(day) AS last_day,
    SUM(listed) AS listed, SUM(tracked) AS tracked, SUM(recovered) AS recovered
FROM delete_tracker_completeness
WHERE day > DATEADD('day', -30, SYSDATE())::DATE OR verdict = 'lost'
GROUP BY object_name, verdict, reason
ORDER BY object_name, last_day DESC, verdict, reason
LIMIT 1001"""

OBJECTS = """
SELECT DISTINCT object_name
FROM delete_tracker_daily
WHERE object_name IS NOT NULL
ORDER BY object_name"""

# For the period, the object and the user. An empty object or user stands for all.
BY_DAY = """
SELECT day, object_name, SUM(deletes) AS deletes
FROM delete_tracker_daily
WHERE day > DATEADD('day', -?, SYSDATE())::DATE
    AND (? = '' OR object_name = ?) AND (? = '' OR LEFT(deleted_by, 15) = LEFT(?, 15))
GROUP BY day, object_name
ORDER BY day DESC, object_name"""

BY_USER = """
SELECT deleted_by, SUM(deletes) AS deletes, COUNT(DISTINCT object_name) AS objects,
    COUNT(DISTINCT day) AS days, MAX(day) AS last_day
FROM delete_tracker_daily
WHERE day > DATEADD('day', -?, SYSDATE())::DATE
    AND (? = '' OR object_name = ?) AND (? = '' OR LEFT(deleted_by, 15) = LEFT(?, 15))
GROUP BY deleted_by
ORDER BY deletes DESC, deleted_by
LIMIT 1001"""

WITHOUT_DATE = """
SELECT COALESCE(SUM(deletes), 0) AS deletes
FROM delete_tracker_daily
WHERE day IS NULL"""

TODAY_AND_FIRST_DAY = """
SELECT SYSDATE()::DATE AS today, MIN(day) AS first_day
FROM delete_tracker_daily"""

# Only those who have a day with so many deletes can have an unusual day.
_COUNTS = """
SELECT {name} AS name, day, SUM(deletes) AS deletes
FROM delete_tracker_daily
WHERE day > DATEADD('day', -?, SYSDATE())::DATE AND {name} IS NOT NULL
GROUP BY {name}, day
QUALIFY MAX(SUM(deletes)) OVER (PARTITION BY {name}) >= ?
ORDER BY name, day"""
COUNTS_OF_USERS = _COUNTS.format(name="deleted_by")
COUNTS_OF_OBJECTS = _COUNTS.format(name="object_name")

LARGE_TRANSACTIONS = """
SELECT DISTINCT transaction_key, deletes, deleted_date, deleted_by, first_object_name
FROM delete_tracker_transactions
WHERE deleted_date > DATEADD('day', -30, SYSDATE()) AND record_id = first_record_id
ORDER BY deletes DESC, deleted_date DESC, transaction_key
LIMIT 20"""

TRANSACTIONS_OF = """
SELECT transaction_key, MIN(deleted_date) AS deleted_date, MAX(deletes) AS deletes
FROM delete_tracker_transactions
WHERE transaction_key = ? OR LEFT(record_id, 15) = LEFT(?, 15)
GROUP BY transaction_key
ORDER BY deleted_date DESC, transaction_key"""

TRANSACTION = """
SELECT DISTINCT
    sequence_number, object_name, record_id, deleted_by, deleted_date, first_object_name,
    first_record_id
FROM delete_tracker_transactions
WHERE transaction_key = ?
ORDER BY sequence_number, object_name, record_id
LIMIT 1001"""

OBJECTS_OF_TRANSACTION = """
SELECT object_name, COUNT(DISTINCT record_id) AS records
FROM delete_tracker_transactions
WHERE transaction_key = ?
GROUP BY object_name
ORDER BY records DESC, object_name"""

LATEST = """
SELECT object_name, record_id, deleted_date, deleted_by, owner_id, source, restored_date,
    merged_into, deleted_now, confirmed_at
FROM delete_tracker_latest
WHERE LEFT(record_id, 15) = LEFT(?, 15)"""

DELETES_OF_RECORD = """
SELECT deleted_date, deleted_by, owner_id, source, topic, ingested_at, event_id
FROM delete_tracker_deletes
WHERE LEFT(record_id, 15) = LEFT(?, 15)
ORDER BY deleted_date, event_id
LIMIT 1001"""

FRESHNESS = """
SELECT topic, object_name, last_poll_at, DATEDIFF('minute', last_poll_at, SYSDATE()) AS minutes,
    read_until, proven_until, last_error
FROM delete_tracker_freshness
ORDER BY topic, object_name
LIMIT 1001"""

SWEEPS = """
SELECT loaded_at, files, rows_read, rows_inserted, rows_rejected, gaps, files_refused,
    last_event_at
FROM delete_tracker_sweeps
ORDER BY loaded_at DESC
LIMIT 10"""
