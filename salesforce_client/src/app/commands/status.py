"""``status``: each topic's cursor and last poll, and cursors that nobody uses."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple, Optional

from ..adapters import App
from ..console import FINDINGS, USAGE, WELL, StoppedError, duration, exit_code
from ..errors import CollectorError
from ..model.checks import Progress
from ..model.positions import StoredCursor
from ..model.rows import Poll
from ..model.times import moment_of
from ..objects import Objects
from ..storage.cursors import Cursors
from .call import Call
from .poll import LISTED

HELP = "show each topic's cursor and last poll, and cursors that nobody uses"
EXAMPLE = "status --json"
OLD_SECONDS, LOST_SECONDS = 48 * 3600, 72 * 3600


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "--remove-org",
        metavar="ORG_ID",
        help="remove the cursors of an org that no longer exists (18 characters)",
    )


class Topic(NamedTuple):
    """What is known of one topic. The names are those of ``--json``."""

    topic: str
    cursor: str
    position_at: Optional[str]
    age_seconds: Optional[int]
    last_poll_at: Optional[str]
    ended: Optional[str]
    read_until: Optional[str]
    error: Optional[str]
    note: str


def run(options: argparse.Namespace, call: Call) -> int:
    """Show the state, or remove an org's cursors."""
    with call.app() as app:
        if options.remove_org:
            return _remove(app, call, options.remove_org)
        return _show(app, call)


class Object(NamedTuple):
    """What is known of the checks of one object. The names are those of ``--json``."""

    object: str
    last_check_at: Optional[str]
    checked_until: Optional[str]
    outcome: Optional[str]
    error: Optional[str]
    note: str


def _show(app: App, call: Call) -> int:
    console, org_id, error = call.console, "", None
    try:
        org_id = app.login().org_id
    except CollectorError as refused:
        error = refused
    cursors, polls = app.cursors(), app.past_files()
    began = cursors.exists()
    listed = cursors.listed() if began else ()
    newest = polls.newest(app.settings.topics) if polls.exists() else {}
    objects = _objects(app, org_id) if org_id and began else None
    topics = [
        topic_of(
            topic,
            _load(cursors, org_id, topic) if began else None,
            newest.get(topic),
            objects_known=objects is None or objects.of(topic) is not None,
        )
        for topic in app.settings.topics
    ]
    unused = sorted({it.topic for it in listed if it.org_id == org_id} - set(app.settings.topics))
    others: dict[str, list[str]] = {}
    for it in listed:
        if it.org_id != org_id:
            others.setdefault(it.org_id, []).append(it.topic)
    checked = _checked(app, org_id, objects) if objects else []
    noted = [*(it.note for it in topics), *(it.note for it in checked)]
    code = exit_code(error) if error else FINDINGS if any(noted) else WELL
    console.line(f"org: {org_id or 'not known, because the login failed'}")
    console.table(
        ("topic", "cursor", "age", "last poll", "ended", "read until", "note"),
        [
            (
                it.topic,
                it.cursor,
                None if it.age_seconds is None else duration(it.age_seconds),
                it.last_poll_at,
                it.ended,
                it.read_until,
                it.note,
            )
            for it in topics
        ],
    )
    console.table(("object", "last check", "checked until", "outcome", "error", "note"), checked)
    for topic in unused:
        console.line(f"{topic} has a cursor, but SALESFORCE_TOPICS does not name it")
    for other, names in others.items():
        console.line(
            f"org {other} has cursors of {', '.join(names)}: if this org is gone, remove them with"
            f" status --remove-org {other}"
        )
    if error:
        console.note(f"{type(error).__name__}: {error}")
    console.result(
        {
            "exit_code": code,
            "org_id": org_id or None,
            "topics": [it._asdict() for it in topics],
            "objects": [it._asdict() for it in checked],
            "not_configured": unused,
            "other_orgs": [{"org_id": other, "topics": names} for other, names in others.items()],
            "error": f"{type(error).__name__}: {error}" if error else None,
        }
    )
    return code


def _objects(app: App, org_id: str) -> Optional[Objects]:
    """The objects of the topics, as far as they are known. None if nothing is checked."""
    wanted = app.settings.check_objects
    if wanted == ():
        return None
    return Objects(wanted, None if wanted else app.check_blobs().load_members(org_id)[0])


def _checked(app: App, org_id: str, objects: Objects) -> list[Object]:
    """What is known of the checks of all objects."""
    blobs, names = app.check_blobs(), objects.checked(app.settings.topics)
    return [object_of(it, blobs.load_progress(org_id, it).progress) for it in names]


def object_of(name: str, progress: Optional[Progress]) -> Object:
    """What is known of an object's checks. ``progress`` is None if it was never checked."""
    if progress is None:
        return Object(name, None, None, None, None, "never checked")
    outcome, error = progress.outcome or None, progress.error or None
    if progress.succeeded_at is None:
        return Object(name, None, None, outcome, error, "never checked")
    note = ""
    if error:
        note = "the last check failed"
    elif outcome not in (None, LISTED):
        note = f"the last check does not prove everything: {outcome}"
    return Object(name, progress.succeeded_at, progress.window_to, outcome, error, note)


def _load(cursors: Cursors, org_id: str, topic: str) -> Optional[StoredCursor]:
    return cursors.load(org_id, topic) if org_id else None


def topic_of(
    topic: str, stored: Optional[StoredCursor], poll: Optional[Poll], *, objects_known: bool
) -> Topic:
    """What is known of a topic, and what a person should know about it.

    ``stored`` is None if nobody knows whether there is a cursor, or if no poll has run yet.
    """
    state, at, age = _cursor(stored)
    notes = []
    if poll is None:
        notes.append("no recent poll has read it")
    elif poll.error:
        notes.append(f"the last poll failed: {poll.error.partition(':')[0]}")
    if state == "unreadable":
        notes.append("the next poll records a gap")
    if not objects_known:
        notes.append("nothing of it is proven: name its objects in CHECK_OBJECTS")
    if age is not None and age > LOST_SECONDS:
        notes.append("Salesforce no longer accepts the cursor: the next poll records a gap")
    elif age is not None and age > OLD_SECONDS:
        notes.append("Salesforce accepts the cursor for 72 hours only: run a poll")
    return Topic(
        topic,
        state,
        at,
        age,
        poll.began_at if poll else None,
        poll.ended if poll else None,
        poll.read_until if poll else None,
        poll.error if poll else None,
        "; ".join(notes),
    )


def _cursor(stored: Optional[StoredCursor]) -> tuple[str, Optional[str], Optional[int]]:
    """The state of a cursor, its time and its age in seconds."""
    if stored is None or stored.etag is None:
        return "none", None, None
    if stored.cursor is None:
        return "unreadable", None, None
    position = stored.cursor.position
    if position is None:
        return "no position", None, None
    return "stored", position.at, age_of(stored)


def age_of(stored: StoredCursor) -> Optional[int]:
    """The age of a cursor's position in seconds. None if it is not known."""
    position = stored.cursor.position if stored.cursor else None
    if position is None or position.at is None:
        return None
    return int((datetime.now(timezone.utc) - moment_of(position.at)).total_seconds())


def _remove(app: App, call: Call, org_id: str) -> int:
    """Remove all blobs of another org. The org of the settings is never removed."""
    own = app.login().org_id
    if org_id == own:
        raise StoppedError(
            f"{org_id} is the org of these settings: its cursors are in use. To read a topic again,"
            " use the command replay",
            USAGE,
        )
    cursors = app.cursors()
    known: Sequence[str] = cursors.org_ids() if cursors.exists() else ()
    if org_id not in known:
        raise StoppedError(
            f"{org_id} has no cursors in container {app.settings.cursors_container}:"
            f" the orgs there are {', '.join(known) or 'none'}",
            USAGE,
        )
    names = cursors.blobs_of(org_id)
    call.console.confirm(
        f"Remove {len(names)} blobs of org {org_id}? If this org still exists and you come back to"
        " it, its topics begin as if they had never been read, and no gap is recorded."
    )
    for name in names:
        cursors.remove(name)
        call.console.line(f"removed {name}")
    removed: Mapping[str, Any] = {"exit_code": WELL, "org_id": org_id, "removed": list(names)}
    call.console.result(removed)
    return WELL
