"""``erase``: removes a person's data from tables, stage and event files.

It prints no record id, also not in errors.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ..adapters import App
from ..console import ACT, FINDINGS, TRY_AGAIN, USAGE, WELL, StoppedError
from ..errors import RefusedFileError
from ..event_files.erasure import Ids
from ..event_files.rewrite import rejects, rewrite, search
from ..event_files.values import SHORT_ID, record_id
from ..model import LocalFile, Named
from ..warehouse.places import RIGHTS
from .call import Call
from .find import SIZES
from .listing import moment, remove

HELP = "erase a person's data from tables, stage and event files"
EXAMPLE = "erase --record 0035f00000AbCdEAAV --role delete_tracker_eraser"
REMAINS = """Without --yes, it counts what it would erase, and asks.

It looks for ids only. A rejected event that names the person without an id,
for example by a name, stays until somebody clears it: see the page Operations.
The receipt says what else remains, and until when."""
USERS = "005"  # how the id of a user begins


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.description = f"{parser.description}\n\n{REMAINS}"
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument(
        "--record", nargs="+", metavar="ID", help="record ids of 15 or 18 characters"
    )
    # Several too, because argparse would print what it does not expect.
    whose.add_argument(
        "--user", nargs="+", metavar="ID", help="ids of users who deleted or owned records"
    )
    parser.add_argument(
        "--role",
        metavar="ROLE",
        help="the role in Snowflake that may erase (default: SNOWFLAKE_ROLE, or that of the user)",
    )


def run(options: argparse.Namespace, call: Call) -> int:
    """Count what names the person, ask, and erase it. The same call again completes it."""
    console = call.console
    ids = Ids(whole(options.record or options.user, is_user=bool(options.user)))
    role = {"SNOWFLAKE_ROLE": options.role} if options.role else {}
    with call.app(**role) as app, app.eraser(ids) as eraser:
        _check_rights(app)
        unreadable: dict[str, str] = {}
        refused: list[str] = []
        with console.progress() as show:
            files = dict(_search(app, ids, unreadable, refused, show))
        counts = eraser.counts(refused)
        tables = {app.names[part].name: it for part, it in counts.items() if any(it)}
        found = _found(files, tables, eraser.staged_files())
        _tell(call, found, unreadable)
        if not console.may_ask:
            console.note("Nothing was changed: add --yes to erase this.")
            console.result(
                {"exit_code": FINDINGS, "changed": False, **found, "unreadable": unreadable}
            )
            return FINDINGS
        console.confirm("Erase this for good?")
        eraser.note(refused)
        with console.progress() as show:
            _rewrite(app, ids, [*files], show)
        eraser.clear(ids.without)
        eraser.empty_stage()
        left = eraser.rejects_with_bytes()
    return _receipt(call, ids, found, unreadable, left)


def whole(given: list[str], *, is_user: bool) -> list[str]:
    """Record ids with 18 characters.

    Raises:
        StoppedError: one is no record id. The message does not quote it.
    """
    found = []
    for number, text in enumerate(given, 1):
        one = text.strip()
        if len(one) not in SIZES or not (one.isascii() and one.isalnum()):
            raise StoppedError(f"id {number} is no record id of 15 or 18 characters", USAGE)
        if len(one) > SHORT_ID and record_id(one[:SHORT_ID]) != one:
            raise StoppedError(
                f"id {number} does not fit its last three characters: compare the upper and lower"
                " case of its letters",
                USAGE,
            )
        if is_user and not one.startswith(USERS):
            raise StoppedError(f"--user takes the id of a user, which begins with {USERS}", USAGE)
        found.append(str(record_id(one)))
    return found


def _check_rights(app: App) -> None:
    """Look at every right before anything is changed.

    Raises:
        StoppedError: the role lacks some.
    """
    with app.inspection() as inspection:
        role, columns = inspection.who().role, inspection.columns()
        lacking = [
            f"{', '.join(rights)} on {inspection.name(part)}"
            for part in RIGHTS
            if (
                rights := inspection.lacking(part, columns[part], RIGHTS)
                if part in columns
                else RIGHTS[part]
            )
        ]
        on_stage = inspection.lacking_on_stage()
    if on_stage:
        lacking.append(f"{', '.join(on_stage)} on {app.names['stage'].name}")
    if lacking:
        raise StoppedError(
            f"the role {role} may not erase, because it lacks {'; '.join(lacking)}. Nothing was"
            " changed: name the role that may with --role. If it does not exist, run 2_access.sql",
            ACT,
        )


def _search(
    app: App,
    ids: Ids,
    unreadable: dict[str, str],
    refused: list[str],
    show: Callable[[str], None],
) -> Iterator[tuple[str, Named]]:
    """The event files that name the records.

    Fills ``unreadable``, and ``refused`` with the keys of rejects that sweeps made of their rows.

    Raises:
        StoppedError: the storage fails for a file. It may be read soon, so it is not left out.
    """
    blobs = [blob for page in app.events().pages() for blob in page]
    with app.local_files(blobs) as downloads:
        for number, file in enumerate(downloads, 1):
            name = file.blob.name
            show(f"file {number:,} of {len(blobs):,}: {name}")
            if not isinstance(file, LocalFile):
                if file.storage_failed:
                    raise StoppedError(
                        f"{file.reason}. Nothing was changed: run the same command again",
                        TRY_AGAIN,
                    )
                unreadable[name] = file.reason
                continue
            try:
                named = search(file.path, name, ids)
            except RefusedFileError as error:
                unreadable[name] = file.refusal or str(error)
            else:
                if file.refusal:  # it does not match its SHA-256, so nobody knows what it should be
                    unreadable[name] = file.refusal
                elif any(named):
                    refused += rejects(file.path, file.sha256, ids)
                    yield name, named
            remove(file)


def _rewrite(app: App, ids: Ids, names: list[str], show: Callable[[str], None]) -> None:
    """Replace these event files."""
    events, replacements = app.events(), app.replacements()
    blobs = [blob for name in names if (blob := events.find(name))]
    with app.local_files(blobs) as downloads, app.folder() as folder:
        for number, file in enumerate(downloads, 1):
            name = file.blob.name
            show(f"replacing file {number:,} of {len(blobs):,}: {name}")
            if not isinstance(file, LocalFile):
                raise StoppedError(
                    f"{name} cannot be read any more: {file.reason}. The erase is not complete:"
                    " run the same command again as soon as the file can be read",
                    ACT if file.needs_a_person and not file.storage_failed else TRY_AGAIN,
                )
            new = folder / name
            rewrite(file.path, new, name, ids)
            replacements.replace(file.blob, file.sha256, new)
            new.unlink()
            remove(file)


def _found(files: Mapping[str, Named], tables: Mapping[str, Named], staged: int) -> dict[str, Any]:
    total = Named(*(sum(it[i] for it in files.values()) for i in range(2)))
    return {
        "tables": {name: named._asdict() for name, named in tables.items()},
        "event_files": {"replaced": len(files), **total._asdict()},
        "staged_files": staged,
    }


def _tell(call: Call, found: Mapping[str, Any], unreadable: Mapping[str, str]) -> None:
    rows = [(name, it["removed"], it["cleared"]) for name, it in found["tables"].items()]
    files = found["event_files"]
    rows.append((f"{files['replaced']} event file(s)", files["removed"], files["cleared"]))
    rows.append(("files on the stage", found["staged_files"], 0))
    call.console.table(("place", "removed", "cleared"), rows)
    for name, why in unreadable.items():
        call.console.note(f"{name} cannot be searched: {why}")


def _receipt(
    call: Call,
    ids: Ids,
    found: Mapping[str, Any],
    unreadable: Mapping[str, str],
    rejects_left: int,
) -> int:
    """Say what was erased, and what remains until when. No person is named."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    code = FINDINGS if unreadable else WELL
    remains = [
        *_remains(now, rejects_left),
        *((f"{name}, which cannot be read", "somebody removes it") for name in unreadable),
    ]
    console = call.console
    console.line(f"erased at {moment(now)}")
    for digest in ids.digests.values():
        console.line(f"record_sha256 {digest}")
    console.table(("what remains", "until"), remains)
    console.result(
        {
            "exit_code": code,
            "changed": True,
            "erased_at": moment(now),
            "record_sha256": list(ids.digests.values()),
            **found,
            "unreadable": dict(unreadable),
            "remains": [{"what": what, "until": until} for what, until in remains],
        }
    )
    return code


def _remains(now: datetime, rejects_left: int) -> Iterator[tuple[str, str]]:
    def after(days: int) -> str:
        return str(moment(now + timedelta(days=days)))

    yield "Salesforce's events, which a replay reads again", after(3)
    yield "Salesforce's list of deletes, and what checks keep of it beside the cursors", after(15)
    yield "new event files that name the person: run the command again then", after(15)
    yield "replaced event files, if the account keeps deleted blobs for 14 days", after(14)
    yield "old rows in Time Travel, if it is one day, and in Fail-safe", after(8)
    yield (
        f"what names the person without an id in rejected events ({rejects_left:,} have bytes)",
        "somebody clears them",
    )
    yield "names beside a cleared id, in payloads of other records", "somebody clears them"
    yield "other tables that are filled from this container", "the command runs for them too"
