"""The doctor's checks of Blob Storage: both containers, as a poll uses them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Optional

from ..adapters import App
from ..console import duration
from ..model.rows import Poll
from ..model.times import moment_of
from .findings import Finding, failure, looked, ok, skipped, warning

# The timer polls every half hour by default, and Salesforce keeps events for 72 hours.
SILENT_HOURS = 24
SHOWN = 3  # names of blobs


def containers(app: App) -> Iterator[Finding]:
    """Both containers can be listed, and the one of event files holds nothing else."""
    events, cursors = app.settings.events_container, app.settings.cursors_container
    looks = {f"container {events}": _events, f"container {cursors}": _cursors}
    # At the same time, because the client repeats a request that gets no answer.
    with ThreadPoolExecutor(len(looks), "container") as pool:
        yield from pool.map(
            lambda about: looked(about, lambda: looks[about](app), "can be read"), looks
        )


def _events(app: App) -> Optional[Finding]:
    name = app.settings.events_container
    files = app.past_files()
    if not files.exists():
        if app.cursors().exists():
            return failure(
                f"container {name}",
                "it does not exist, but there are cursors: their files are elsewhere, or gone",
                "check EVENTS_CONTAINER",
            )
        return ok(f"container {name}", "does not exist yet: the first poll creates it")
    if foreign := files.foreign():
        return warning(
            f"container {name}",
            f"it has {len(foreign)} blobs that are no event files, such as {foreign[0]}",
            "move them, or correct EVENTS_CONTAINER",
        )
    return None


def _cursors(app: App) -> Optional[Finding]:
    if not app.cursors().exists():
        name = app.settings.cursors_container
        return ok(f"container {name}", "does not exist yet: the first poll creates it")
    app.cursors().listed()
    return None


def writes(app: App, org_id: str, *, allowed: bool) -> Iterator[Finding]:
    """An event file and a cursor can be written as a poll writes them. Both are removed again.

    ``org_id`` is empty if the login failed.
    """
    events, cursors = (
        f"write {app.settings.events_container}",
        f"write {app.settings.cursors_container}",
    )
    if not allowed:
        cure = "allow it with --yes, or answer the question with y"
        yield skipped(events, "nothing may be written", cure)
        yield skipped(cursors, "nothing may be written", cure)
        return
    wrote = "{} was written and removed".format
    yield looked(events, lambda: _write_event_file(app, events), wrote("an event file"))
    if org_id:
        yield looked(cursors, lambda: _write_cursor(app, cursors, org_id), wrote("a cursor"))
    else:
        yield skipped(cursors, "the org is not known", "correct the login first")


def _write_event_file(app: App, about: str) -> Optional[Finding]:
    if not app.past_files().exists():
        return skipped(about, "there is no container yet", "run a poll first")
    app.try_event_file()
    return None


def _write_cursor(app: App, about: str, org_id: str) -> Optional[Finding]:
    if not app.cursors().exists():
        return skipped(about, "there is no container yet", "run a poll first")
    app.try_cursor(org_id)
    return None


def orgs(app: App, org_id: str) -> Optional[Finding]:
    """The org of the login is the one whose cursors are there."""
    known = app.cursors().org_ids() if app.cursors().exists() else ()
    others = [it for it in known if it != org_id]
    if not others:
        return None
    if org_id not in known:
        return failure(
            "org",
            f"the login leads to {org_id}, but all cursors are of {', '.join(others)}",
            "check SALESFORCE_LOGIN_URL and SALESFORCE_USERNAME; after a move to another org, see"
            " 'Move to another org' in docs/operations.md",
        )
    return warning(
        "org",
        f"there are also cursors of {', '.join(others)}",
        "if that org is gone, remove them with status --remove-org",
    )


def leases(app: App, org_id: str) -> Optional[Finding]:
    """No cursor and no blob of the checks has a lease. The collector itself takes none."""
    about = f"leases in {app.settings.cursors_container}"
    leased = app.cursors().leased(org_id) if app.cursors().exists() else ()
    if not leased:
        return None
    names = ", ".join(it.name for it in leased[:SHOWN])
    more = f" and {len(leased) - SHOWN} more" if len(leased) > SHOWN else ""
    told = f"a lease keeps every poll from replacing {names}{more}"
    end = (
        f"az storage blob lease break --account-name {app.service.account_name}"
        f" --container-name {app.settings.cursors_container} --blob-name {leased[0].name}"
    )
    if any(it.endless for it in leased):
        return failure(about, told, f"end the lease of each blob, for example: {end}")
    return warning(
        about,
        f"{told}; it ends within a minute",
        f"run doctor again then; if it stays, find what renews the lease, and end it: {end}",
    )


def names(app: App) -> Optional[Finding]:
    """No event file is named after a time in the future."""
    files, now = app.past_files(), datetime.now(timezone.utc)
    ahead = files.ahead(now) if files.exists() else ()
    if not ahead:
        return None
    return warning(
        f"names in {app.settings.events_container}",
        f"{ahead[-1]} has a time in the future: a clock is or was wrong",
        "set the clocks of this machine and of the machine of the app; if both are right now, one"
        " was wrong when this file was made",
    )


def last_poll(newest: Mapping[str, Poll], *, cursors: bool) -> Finding:
    """The timer runs, and its polls succeed.

    Args:
        newest: the newest poll of each topic that event files tell of. None is of the future.
        cursors: whether there are cursors, so that there was a poll.
    """
    if not newest and cursors:
        return warning(
            "last poll",
            "there are cursors, but the newest event files up to now tell of no poll",
            "run the command poll; if it succeeds, find what removes event files",
        )
    if not newest:
        return ok("last poll", "no poll yet")
    last = max(poll.began_at for poll in newest.values())
    age = (datetime.now(timezone.utc) - moment_of(last)).total_seconds()
    told = f"{duration(max(age, 0))} ago"
    if age > SILENT_HOURS * 3600:
        return failure(
            "last poll",
            told,
            "check that the app runs, and its POLL_SCHEDULE; Salesforce keeps events for 72 hours",
        )
    failed = {it.topic: it.error for it in newest.values() if it.error and it.began_at == last}
    if failed:
        return failure(
            "last poll",
            f"{told}: {'; '.join(f'{topic}: {error}' for topic, error in failed.items())}",
            "see the error in docs/operations.md",
        )
    return ok("last poll", told)
