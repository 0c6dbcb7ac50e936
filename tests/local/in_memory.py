"""A container and a warehouse in memory, for tests of the rules of a sweep.

The event files are real. Container and warehouse record each step that the sweep takes with them.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta, timezone
from math import inf
from pathlib import Path
from typing import Any

from delete_sync.src.budget import Budget
from delete_sync.src.event_files.file_format import FORMAT_VERSION
from delete_sync.src.freshness import Patience
from delete_sync.src.model import (
    Batch,
    Compared,
    Due,
    EventBlob,
    Figures,
    Loaded,
    LoadRecord,
    TopicPoll,
    Unproven,
)
from delete_sync.src.report import Report
from delete_sync.src.sync import Limits, Store, sweep
from salesforce_client.src.app.storage.blobs import blob_name

BEGUN_AT = datetime(2026, 2, 1, tzinfo=timezone.utc)
A, B, C, D = (blob_name(BEGUN_AT, number) for number in range(4))
CONTRACT = Path(__file__).resolve().parent.parent / "contract"
# Two deletes, a reject and a gap, and two polls, a resolved reject, two restores, two checks and
# two entries of their lists.
GOOD = (CONTRACT / f"golden/v{FORMAT_VERSION}.db").read_bytes()
ROWS = 13
FIGURES = Figures(
    *(2, 1, 1, "2026-01-31T23:59:59.123", "2026-02-01T00:00:00.000"),
    *(2, 1, 2, 2, 2),
)
DAMAGED = (CONTRACT / "broken/not_sqlite.db").read_bytes()
# By default, all files of a test fit into one batch, and no check of freshness is on.
LIMITS = Limits(merge_rows=1000)
ENDLESS = Patience(0, 0)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Container:
    """Event files in memory. It implements the port ``Store``.

    Attributes:
        page_files: how many files a page of the list has.
        downloads_fail: what the download of a file raises. None: the local file disappears.
        listed: called when a sweep has listed all files.
    """

    def __init__(self, steps: list[str]) -> None:
        self.page_files = 5000
        self.downloads_fail: dict[str, Exception | None] = {}
        self.listed: Callable[[], object] = bool
        self._steps = steps
        self._files: dict[str, tuple[EventBlob, bytes]] = {}

    def put(
        self,
        *names: str,
        content: bytes = GOOD,
        declared: str | None = None,
        etag: str = "etag",
        size: int | None = None,
    ) -> None:
        """Add or replace files with the same content.

        ``declared`` is the SHA-256 in the metadata: by default that of the content. It is empty if
        the metadata has none.
        """
        digest = sha256(content) if declared is None else declared
        for name in names:
            length = len(content) if size is None else size
            self._files[name] = EventBlob(name, length, etag, digest), content

    def remove(self, name: str) -> None:
        """Remove a file, as a lifecycle rule does."""
        del self._files[name]

    def pages(self) -> Iterator[list[EventBlob]]:
        """All files, in the order of their names."""
        blobs = [blob for _, (blob, _) in sorted(self._files.items())]
        for first in range(0, len(blobs), self.page_files):
            self._steps.append("page")
            yield blobs[first : first + self.page_files]
        self.listed()

    def find(self, name: str) -> EventBlob | None:
        """One file, if it is there."""
        self._steps.append(f"find {name}")
        return self._files[name][0] if name in self._files else None

    def download(self, blob: EventBlob, path: Path) -> str:
        """Write the file. This is no step, because files are downloaded ahead."""
        content = self._files[blob.name][1]
        if blob.name in self.downloads_fail:
            error = self.downloads_fail[blob.name]
            if error:
                raise error
        else:
            path.write_bytes(content)
        return sha256(content)


class Warehouse:
    """Accepts batches. It implements the port ``Target``.

    Attributes:
        records_kept: the load records, in the order in which they were written.
        batches: the batches that it has accepted.
        lines: the rows of these batches.
        on_disk: for each batch, accepted or not, the temporary files at that time.
        digests: those of the erased records.
        loading: called before each batch.
        fails: what a batch with rows of this file raises.
        elsewhere: files that another sweep loads shortly before the next batch.
        doubled: keys that are in the table more than once.
        topics: the topics of the newest poll.
        due: what there is to compare.
        checks_in: the event file with these checks.
        newest: the newest name of an event file that was ever loaded, if it has no record here.
        days: those that are not proven, or the error of the question for them.
    """

    def __init__(self, steps: list[str], temporary: Path) -> None:
        self.records_kept: list[LoadRecord] = []
        self.batches: list[Batch] = []
        self.lines: list[dict[str, Any]] = []
        self.on_disk: list[list[str]] = []
        self.digests: frozenset[str] = frozenset()
        self.loading: Callable[[], object] = bool
        self.fails: dict[str, Exception] = {}
        self.elsewhere: set[str] = set()
        self.doubled: list[str] = []
        self.topics: list[TopicPoll] = []
        self.due = Due(0, 0, None)
        self.checks_in = ""
        self.newest = ""
        self.days: list[Unproven] | Exception = []
        self._steps = steps
        self._temporary = temporary

    def prepare(self) -> None:
        """Record only the step."""
        self._steps.append("prepare")

    def records(self, first: str, last: str) -> list[LoadRecord]:
        """The records of the files from ``first`` to ``last``."""
        self._steps.append(f"records {first} {last}")
        return [record for record in self.records_kept if first <= record.event_file <= last]

    def erased(self) -> frozenset[str]:
        """The digests that the test has set."""
        return self.digests

    def oldest_first(self) -> list[str]:
        """The names of the files, in the order in which they were last loaded."""
        return list(dict.fromkeys(record.event_file for record in self.records_kept))

    def load(self, batch: Batch, *, again: bool) -> Loaded:
        """Read the rows from the compressed files, and count each delete as inserted."""
        self.loading()
        files = [file.name if file.figures else f"{file.name}:refused" for file in batch.files]
        self._steps.append(" ".join(["load", *files, *(["again"] if again else [])]))
        self.on_disk.append(files_below(self._temporary))
        for file in batch.files:
            if file.figures and file.name in self.fails:
                raise self.fails[file.name]
        self.batches.append(batch)
        lines = rows(batch)
        self.lines += lines
        elsewhere = frozenset(self.elsewhere & {file.name for file in batch.files})
        loaded = {file.name for file in batch.files} - elsewhere
        if again:
            self.records_kept = [it for it in self.records_kept if it.event_file not in loaded]
        self.records_kept += [
            LoadRecord(
                line["event_file"],
                *(line[column] for column in ("sha256", "length", "etag", "reader", "error")),
            )
            for line in lines
            if line["kind"] == "file" and line["event_file"] in loaded
        ]
        kinds = Counter(line["kind"] for line in lines if line["event_file"] in loaded)
        return Loaded(
            kinds["delete"],
            kinds["gap"],
            kinds["reject"],
            elsewhere,
            restores=kinds["restore"],
            checks=kinds["check"],
            listed=kinds["listed"],
        )

    def checks_to_compare(self, up_to: str) -> Due:
        """What the test has set. All checks wait if they are in a newer file."""
        self._steps.append(f"to compare {up_to}")
        if self.checks_in > up_to:
            return Due(0, self.due.ready + self.due.waiting, None)
        return self.due

    def compare(self, up_to: str) -> Compared:
        """Compare all checks that are ready. Each has a recovered delete."""
        self._steps.append(f"compare {up_to}")
        return Compared(self.due.ready, self.due.ready, self.due.waiting)

    def duplicates(self) -> list[str]:
        """The keys that the test has set."""
        self._steps.append("duplicates")
        return self.doubled

    def newest_poll(self) -> list[TopicPoll]:
        """The topics that the test has set."""
        self._steps.append("newest poll")
        return self.topics

    def newest_file(self) -> str:
        """The newest name that the test has set or a record has."""
        self._steps.append("newest file")
        return max([self.newest, *(record.event_file for record in self.records_kept)])

    def unproven(self, first: date, last: date) -> list[Unproven]:
        """The days that the test has set, as far as they are asked for."""
        if isinstance(self.days, Exception):
            raise self.days
        return [it for it in self.days if first <= it.first_day and it.last_day <= last]


def rows(batch: Batch) -> list[dict[str, Any]]:
    """The rows in the compressed files of a batch."""
    parts = sorted(batch.parts.parent.glob(batch.parts.name))
    text = b"".join(gzip.decompress(part.read_bytes()) for part in parts)
    return [json.loads(line) for line in text.splitlines()]


def files_below(folder: Path) -> list[str]:
    """All files and folders below a folder, without the random end of a folder's name."""
    paths = (str(path.relative_to(folder)) for path in folder.rglob("*"))
    return sorted(re.sub(r"-\w{8}(?=/|$)", "", path) for path in paths)


class _Budget(Budget):
    """Time that only passes if somebody asks whether another batch may begin."""

    def left(self) -> float:
        """The host never ends the sweep."""
        return inf


class World:
    """A container, a warehouse, and the steps that a sweep takes with them.

    Args:
        temporary: the temporary directory of the machine, which the sweep uses.

    Attributes:
        seconds: the time on the clock when it was last read.
    """

    def __init__(self, temporary: Path) -> None:
        self.steps: list[str] = []
        self.seconds = 0
        self.container = Container(self.steps)
        self.warehouse = Warehouse(self.steps, temporary)

    @contextlib.contextmanager
    def connect(self) -> Iterator[Warehouse]:
        """Record when the sweep opens its session and when it closes it."""
        self.steps.append("connect")
        try:
            yield self.warehouse
        finally:
            self.steps.append("disconnect")

    def sweep(
        self,
        limits: Limits = LIMITS,
        *,
        run_seconds: float = 1000,
        full: bool = False,
        patience: Patience = ENDLESS,
        hours: float = 1,
        store: Store | None = None,
        only: Sequence[str] = (),
        watch: Callable[[Report], None] = lambda _: None,
    ) -> Report:
        """Run a sweep. Each time it asks whether it may go on, a second has passed.

        Args:
            limits: bounds of a batch.
            run_seconds: for how long it begins batches.
            full: load every file again.
            patience: how old pending files and the last good poll may be.
            hours: how long after the time in the name of A the sweep begins.
            store: another container than the one in memory.
            only: the names of the files to load, whatever their load records say.
            watch: gets the report before anything is done.
        """
        named = [self.container.find(name) for name in only]
        if only:
            self.steps.clear()
        return sweep(
            store or self.container,
            self.connect,
            "s1",
            full=full,
            limits=limits,
            budget=_Budget(self._clock() + run_seconds, inf, self._clock),
            patience=patience,
            now=BEGUN_AT + timedelta(hours=hours),
            only=[blob for blob in named if blob],
            watch=watch,
        )

    def _clock(self) -> int:
        self.seconds += 1
        return self.seconds

    def loads(self) -> list[str]:
        """The names of the files of each batch that the warehouse was given."""
        return [step[len("load ") :] for step in self.steps if step.startswith("load")]
