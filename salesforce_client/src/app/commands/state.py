"""The state of an org's topics and checks: cursors, last polls, and what a person should know."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import NamedTuple, Optional

from ..adapters import App
from ..console import FINDINGS, WELL, exit_code
from ..errors import CollectorError
from ..model.checks import Progress
from ..model.positions import StoredCursor
from ..model.rows import Poll
from ..model.times import is_ahead, moment_of
from ..objects import Objects
from ..storage.cursors import Cursors
from .poll import LISTED

AT_ONCE = 8  # blobs
OLD_SECONDS, LOST_SECONDS = 48 * 3600, 72 * 3600


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


class Object(NamedTuple):
    """What is known of the checks of one object. The names are those of ``--json``."""

    object: str
    last_check_at: Optional[str]
    checked_until: Optional[str]
    outcome: Optional[str]
    error: Optional[str]
    note: str


class State(NamedTuple):
    """What is known of the topics and objects of one org.

    Attributes:
        org_id: empty if the login failed.
        error: why the login failed.
        unused: topics of this org that have a cursor and are not configured.
        others: the topics with cursors of each other org.
    """

    org_id: str
    error: Optional[CollectorError]
    topics: Sequence[Topic]
    objects: Sequence[Object]
    unused: Sequence[str]
    others: Mapping[str, Sequence[str]]

    @property
    def code(self) -> int:
        """The exit code of the command."""
        if self.error:
            return exit_code(self.error)
        noted = any([it.note for it in self.topics] + [it.note for it in self.objects])
        return FINDINGS if noted else WELL


def state_of(app: App) -> State:
    """Look at the cursors, the last polls and the progress of the checks."""
    org_id, error = "", None
    try:
        org_id = app.login().org_id
    except CollectorError as refused:
        error = refused
    cursors, polls, names = app.cursors(), app.past_files(), app.settings.topics
    began = cursors.exists()
    listed = cursors.listed() if began else ()
    newest = polls.newest(names, datetime.now(timezone.utc)) if polls.exists() else {}
    objects = _objects(app, org_id) if org_id and began else None
    with ThreadPoolExecutor(AT_ONCE, "status") as pool:
        stored = list(pool.map(lambda it: _load(cursors, org_id, it) if began else None, names))
        checked = list(pool.map(*_checked(app, org_id, objects))) if objects else []
    topics = [
        topic_of(
            topic,
            cursor,
            newest.get(topic),
            objects_known=objects is None or objects.of(topic) is not None,
        )
        for topic, cursor in zip(names, stored)
    ]
    others: dict[str, list[str]] = {}
    for it in listed:
        if it.org_id != org_id:
            others.setdefault(it.org_id, []).append(it.topic)
    unused = sorted({it.topic for it in listed if it.org_id == org_id} - set(names))
    return State(org_id, error, topics, checked, unused, others)


def _objects(app: App, org_id: str) -> Optional[Objects]:
    """The objects of the topics, as far as they are known. None if nothing is checked."""
    wanted = app.settings.check_objects
    if wanted == ():
        return None
    return Objects(wanted, None if wanted else app.check_blobs().load_members(org_id)[0])


def _checked(
    app: App, org_id: str, objects: Objects
) -> tuple[Callable[[str], Object], Sequence[str]]:
    """What tells the state of an object's checks, and the names of all objects."""
    blobs = app.check_blobs()
    return (
        lambda it: object_of(it, blobs.load_progress(org_id, it).progress),
        objects.checked(app.settings.topics),
    )


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
    if age is not None and is_ahead(age):
        notes.append(
            "the cursor's time is in the future: set this machine's clock or, if it is right, run a"
            " poll, which stores a new position"
        )
    elif age is not None and age > LOST_SECONDS:
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
