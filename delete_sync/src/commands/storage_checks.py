"""The doctor's checks of Blob Storage and of the newest event file in it."""

from __future__ import annotations

from collections.abc import Iterator

from ..adapters import App
from ..model import EventBlob, LocalFile
from .findings import Finding, failure, looked, ok, skipped, warning
from .listing import remove

FORMAT = "format"


def container(app: App) -> Iterator[Finding]:
    """The container can be listed, and this sync reads the format of its newest file."""
    check, newest, number = f"container {app.settings.events_container}", None, 0

    def look() -> Finding | None:
        nonlocal newest, number
        for page in app.events().pages():
            newest, number = page[-1], number + len(page)
        if newest is None:
            return warning(check, "it has no event file yet", "run a poll of the collector first")
        return ok(check, f"{number:,} event file(s)")

    yield looked(check, look)
    if newest is None:
        yield skipped(FORMAT, "there is no event file to look at", "see the container")
    else:
        blob = newest
        yield looked(FORMAT, lambda: _format(app, blob))


def _format(app: App, blob: EventBlob) -> Finding:
    with app.local_files([blob]) as files:
        (file,) = files
        if not isinstance(file, LocalFile):
            return failure(FORMAT, f"{blob.name} cannot be read: {file.reason}", "correct that")
        with app.contents(file.path, blob.name, file.sha256) as contents:
            refusal, version = file.refusal or contents.refusal, contents.version
        remove(file)
    if version is not None and version > app.reads:
        return failure(
            FORMAT,
            f"{blob.name} has format {version}, and this sync reads up to {app.reads}",
            "deploy the newer delete_sync",
        )
    if refusal:
        return failure(
            FORMAT,
            f"{blob.name} is refused: {refusal}",
            "see FilesRefusedError in docs/operations.md, and the command show",
        )
    return ok(FORMAT, f"{version}, in {blob.name}; this sync reads up to {app.reads}")


def reader(newest: int | None, reads: int) -> Finding:
    """No newer sync has loaded files into this target."""
    if newest is not None and newest > reads:
        return failure(
            "load records",
            f"a sync that reads format {newest} has written some, and this one reads up to {reads}",
            "deploy the newer delete_sync again",
        )
    return ok("load records", f"written by readers up to format {newest or reads}")
