"""Turns the rows of an event file into lines of JSON, except those of the table ``events``.

In these tables, a value that Snowflake would refuse does not stop its row: see ``values``.

Each function takes a row, the name of the file in the container, and the SHA-256 of its content.
The row has the columns of the tuple beside the function, in this order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import usual_rows, values
from .lines import Row, line

REJECTED_EVENTS = (
    *("rowid", "reject_id", "topic", "event_id", "replay_id", "schema_id", "error"),
    *("received_at", "payload"),
)


def rejected_event(row: Row, name: str, sha256: str) -> bytes:
    """The line of a row of ``rejected_events``."""
    number, key, topic, event_id, replay_id, schema_id, error, received_at, payload = row
    return line(
        kind="reject",
        refused_by="collector",
        reject_id=values.key(key, sha256, "reject_id", number),
        event_file=name,
        topic=values.text(topic),
        event_id=values.text(event_id, 1000),
        replay_id=values.hexadecimal(replay_id),
        schema_id=values.text(schema_id),
        error=values.text(error, 4000),
        received_at=values.text(received_at),
        payload=values.hexadecimal(payload),
    )


RESOLVED_REJECTS = ("reject_id", "became", "resolved_at")


def resolved_reject(row: Row, name: str, sha256: str) -> bytes:
    """The line of a row of ``resolved_rejects``. It has the columns of ``_acknowledged``.

    A malformed key names no reject, so its row acknowledges none.
    """
    key, became, resolved_at = row
    return line(
        kind="resolved",
        event_file=name,
        id=values.key_without_place(key, sha256, "reject_id"),
        why=f"reprocessed: became {values.text(became, 32)}",
        who="reprocess",
        acknowledged_at=values.time(resolved_at),
    )


GAPS = (
    *("rowid", "gap_id", "topic", "reason", "object_name", "from_replay_id", "from_time"),
    *("to_time", "detected_at"),
)


def gap(row: Row, name: str, sha256: str) -> bytes:
    """The line of a row of ``gaps``."""
    number, key, topic, reason, object_name, from_replay_id, *times = row
    from_time, to_time, detected_at = (values.time(value) for value in times)
    return line(
        kind="gap",
        event_file=name,
        gap_id=values.key(key, sha256, "gap_id", number),
        topic=values.text(topic),
        reason=values.text(reason),
        object_name=values.text(object_name),
        from_replay_id=values.hexadecimal(from_replay_id),
        from_time=from_time,
        to_time=to_time,
        detected_at=detected_at,
    )


RESTORES = (
    *("restore_id", "topic", "object_name", "record_id", "restored_by", "restored_date"),
    *("found_by", "ingested_at"),
)


def restore(row: Row, name: str, sha256: str) -> bytes:
    """The line of a row of ``restores``."""
    key, topic, object_name, record_id, restored_by, restored_date, found_by, ingested_at = row
    return line(
        kind="restore",
        event_file=name,
        restore_id=values.key_without_place(key, sha256, "restore_id", values.LONGEST_TEXT),
        topic=values.text(topic),
        object_name=values.text(object_name),
        record_id=values.record_id(record_id),
        restored_by=values.text(restored_by),
        restored_date=values.time(restored_date),
        found_by=values.text(found_by, 16),
        ingested_at=values.time(ingested_at),
    )


COUNTS = ("received", "deletes", "restores", "skipped", "rejected", "gaps")
POLLS = (
    *("rowid", "poll_id", "org_id", "writer", "topic", "began_at", "ended_at", "objects"),
    *("ended", "read_until", "error", *COUNTS),
)


def poll(row: Row, name: str, sha256: str) -> bytes:
    """The line of a row of ``polls``."""
    number, key, org_id, writer, topic, began_at, ended_at, objects, *others = row
    ended, read_until, error, *counts = others
    return line(
        kind="poll",
        event_file=name,
        poll_id=values.key(key, sha256, "poll_id", number),
        org_id=values.text(org_id, 18),
        writer=values.text(writer, 64),
        topic=values.text(topic),
        began_at=values.time(began_at),
        ended_at=values.time(ended_at),
        objects=values.names(objects),
        ended=values.text(ended, 16),
        read_until=values.time(read_until),
        **{column: values.count(value) for column, value in zip(COUNTS, counts)},
        error=values.text(error, 4000),
    )


CHECKS = (
    *("check_id", "org_id", "writer", "object_name", "window_from", "window_to", "listed"),
    *("outcome", "sight", "api_version", "checked_at", "error"),
)


def check(row: Row, name: str, sha256: str) -> bytes:
    """The line of a row of ``checks``."""
    key, org_id, writer, object_name, window_from, window_to, listed, *others = row
    outcome, sight, api_version, checked_at, error = others
    return line(
        kind="check",
        event_file=name,
        check_id=values.key_without_place(key, sha256, "check_id"),
        org_id=values.text(org_id, 18),
        writer=values.text(writer, 64),
        object_name=values.text(object_name),
        window_from=values.time(window_from),
        window_to=values.time(window_to),
        listed=values.count(listed),
        outcome=values.text(outcome, 32),
        sight=values.text(sight, 16),
        api_version=values.text(api_version, 16),
        checked_at=values.time(checked_at),
        error=values.text(error, 4000),
    )


LISTED_DELETES = (
    *("check_id", "object_name", "record_id", "deleted_date", "deleted_by", "owner_id"),
    *("merged_into", "listed_by", "state", "payload"),
)


def listed_delete(row: Row, name: str, sha256: str) -> bytes:
    """The line of a row of ``listed_deletes``. A payload at fault is left out."""
    usual = usual_rows.listed_delete(row, name)
    if usual:
        return usual
    key, object_name, record_id, deleted_date, deleted_by, owner_id, *others = row
    merged_into, listed_by, state, payload = others
    return line(
        values.payload(payload),
        kind="listed",
        event_file=name,
        check_id=values.key_without_place(key, sha256, "check_id"),
        object_name=values.text(object_name),
        record_id=values.record_id(record_id, 18),
        deleted_date=values.time(deleted_date),
        deleted_by=values.text(deleted_by),
        owner_id=values.text(owner_id),
        merged_into=values.record_id(merged_into, 18),
        listed_by=values.text(listed_by, 16),
        state=values.text(state, 16),
    )


class Table(NamedTuple):
    """A table of an event file whose rows all become lines.

    Attributes:
        name: of the table.
        columns: of the rows that ``line_of`` expects.
        line_of: makes the line of a row.
        figure: the number in ``Figures`` that counts the rows.
        since: the first version of the format that has the table.
    """

    name: str
    columns: Sequence[str]
    line_of: Callable[[Row, str, str], bytes]
    figure: str
    since: int = 2


TABLES = (
    Table("rejected_events", REJECTED_EVENTS, rejected_event, "rejected", since=1),
    Table("gaps", GAPS, gap, "gaps", since=1),
    Table("polls", POLLS, poll, "polls"),
    Table("resolved_rejects", RESOLVED_REJECTS, resolved_reject, "resolved"),
    Table("restores", RESTORES, restore, "restores"),
    Table("checks", CHECKS, check, "checks"),
    Table("listed_deletes", LISTED_DELETES, listed_delete, "listed"),
)
