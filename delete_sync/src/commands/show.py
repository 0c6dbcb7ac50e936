"""``show``: what is in an event file, also in one that the sync refuses."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any

from ..adapters import App
from ..console import FINDINGS, USAGE, WELL, StoppedError
from ..errors import SyncError
from ..event_files.contents import Contents
from ..model import EventBlob, LoadRecord, LocalFile
from ..pending import state_of
from .call import Call
from .listing import NAME, named, remove, shown

HELP = "show what is in an event file, also in a refused one"
EXAMPLE = "show events_20260131T120000Z.db --rows 20"
ROWS = 5
WIDEST = 64  # characters of a value in a table; the longest id or digest has that many


def arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of this command."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help="the name of an event file in the container, or the path of one on this machine"
        " (./events_….db)",
    )
    parser.add_argument(
        "--rows", type=int, metavar="N", default=ROWS, help=f"rows of each table ({ROWS})"
    )


def run(options: argparse.Namespace, call: Call) -> int:
    """Show the file, what the load records say of it, and its first rows. Nothing is changed."""
    with call.app() as app:
        if NAME.fullmatch(options.file):
            return _of_container(app, options, call)
        path = Path(options.file)
        if not path.is_file():
            raise StoppedError(
                f"{path} is no event file in the container and no file on this machine", USAGE
            )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with app.contents(path, path.name, digest) as contents:
            about = {"file": str(path), "size": path.stat().st_size, "sha256": digest}
            return _tell(about, contents, contents.refusal, options.rows, call)


def _of_container(app: App, options: argparse.Namespace, call: Call) -> int:
    (blob,) = named(app, [options.file])
    with app.local_files([blob]) as files:
        (file,) = files
        if not isinstance(file, LocalFile):
            raise StoppedError(f"{blob.name} cannot be read: {file.reason}", FINDINGS)
        digest = _digest(file.path)
        about = {
            "file": blob.name,
            "size": blob.size,
            "etag": blob.etag,
            "sha256": digest,
            "sha256_in_metadata": blob.sha256 or None,
            **_records(app, blob, call),
        }
        with app.contents(file.path, blob.name, digest) as contents:
            refusal = file.refusal or contents.refusal
            code = _tell(about, contents, refusal, options.rows, call)
        remove(file)
    return code


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1_000_000):
            digest.update(part)
    return digest.hexdigest()


def _records(app: App, blob: EventBlob, call: Call) -> dict[str, Any]:
    """What the load records say. The file can be shown without them."""
    try:
        with app.overview() as overview:
            records = overview.records(blob.name, blob.name)
    except SyncError as error:
        call.console.note(f"the load records cannot be read: {type(error).__name__}: {error.text}")
        return {"state": "unknown", "load_records": []}
    return {
        "state": state_of(blob, records, app.reads),
        "load_records": [_record(it) for it in records],
    }


def _record(record: LoadRecord) -> dict[str, Any]:
    return {
        "sha256": record.sha256 or None,
        "length": record.length,
        "reader": record.reader,
        "error": record.error,
    }


def _tell(about: dict[str, Any], contents: Contents, refusal: str, most: int, call: Call) -> int:
    console = call.console
    counts = {name: contents.count(name) for name in contents.tables()}
    rows = {name: contents.rows(name, most) for name in counts}
    code = FINDINGS if refusal or contents.unreadable else WELL
    told = {**about, "format": contents.version, "refusal": refusal or None}
    console.table(
        ("file", "is"), [(name, it) for name, it in told.items() if name != "load_records"]
    )
    for record in about.get("load_records", ()):
        console.line(f"load record of reader {record['reader']}: {record['error'] or 'loaded'}")
    console.table(("table", "rows"), list(counts.items()))
    for name, some in rows.items():
        if some:
            console.line(f"the first {len(some)} of {counts[name]} rows of {name}:")
            console.table(list(some[0]), [[_cut(it) for it in row.values()] for row in some])
    for name, why in contents.unreadable.items():
        console.note(f"{name} cannot be read: {why}")
    tables = {name: {"count": counts[name], "rows": some} for name, some in rows.items()}
    console.result({"exit_code": code, **told, "tables": tables, "unreadable": contents.unreadable})
    return code


def _cut(value: Any) -> Any:
    text = "" if value is None else str(shown(str(value)))
    return f"{text[: WIDEST - 1]}…" if len(text) > WIDEST else text
