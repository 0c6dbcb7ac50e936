"""Decodes the rejected events of an event file again, with the code of today.

What they become is uploaded in a new event file, together with rows of ``resolved_rejects``. The
keys depend only on the events. So a second run makes the same rows again, and they change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional, Protocol, Union

from .errors import CollectorError
from .model.events import Event
from .model.rows import Delete, Delivery, RejectedEvent, ResolvedReject, Restore, Row, StoredRejects
from .model.times import now
from .publisher import OpenFile

MOST_ROWS = 250_000  # of a new file

SchemaOf = Callable[[str], str]


class Store(Protocol):
    """Where event files are kept."""

    def rejects(self, file: Union[str, Path]) -> StoredRejects:
        """The rejected events of a file: a name in the container, or a path on this machine."""

    def new_file(self, begun_at: datetime) -> OpenFile:
        """An empty event file on this machine."""

    def upload(self, path: Path, begun_at: datetime, *, briefly: bool) -> str:
        """Upload the file under a free name and remove it from this machine. Returns the name."""


class Records(Protocol):
    """Turns events into rows."""

    def read(
        self, topic: str, events: Sequence[Event], *, received_at: Optional[str] = None
    ) -> Delivery:
        """The rows of the events, which were received at that time."""


@dataclass
class Reprocessed:
    """What became of the rejected events of one file.

    Attributes:
        became: how many became a ``delete``, a ``restore`` or ``nothing``. An event that names
            several records counts once.
        left: the events that still cannot become a row, with the error of today.
        files: the names of the uploaded event files. Empty if no event could be decoded.
    """

    became: Counter[str] = field(default_factory=Counter)
    left: list[RejectedEvent] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def reprocess(
    file: Union[str, Path],
    store: Store,
    schema_of: SchemaOf,
    records_with: Callable[[SchemaOf], Records],
    *,
    most_rows: int = MOST_ROWS,
) -> Reprocessed:
    """Decode the rejected events of an event file again.

    A row that an event becomes has the time at which the event was received first. An event that
    still cannot become a row stays as it is.

    Args:
        file: the name of an event file in the container, or the path of one on this machine.
        store: where event files are kept.
        schema_of: asks Salesforce for a schema. This is needed only for schemas that are not in the
            file, because Salesforce had refused them, or because the file has format 1.
        records_with: makes a decoder that gets its schemas from the function that it is given.
        most_rows: a new file with this many rows is full.

    Raises:
        EventFileError: the file does not exist, or cannot be read.
        EventFieldsError: the fields that the settings name are not in a schema.
        CollectorError: Salesforce, Blob Storage or this machine's disk cannot be used for now. The
            rows of full files are uploaded, and a new run changes nothing in them.
    """
    stored = store.rejects(file)
    records = records_with(_first_from(stored.schemas, schema_of))
    result = Reprocessed()
    output = _Output(store, most_rows, result.files)
    try:
        for reject in stored.rejects:
            rows, became = _decoded_again(reject, records, result.left)
            if became:
                result.became[became] += 1
                output.add([*rows, ResolvedReject(reject.reject_id, became, now())])
        output.upload()
    except CollectorError as error:
        about = f"event file {file}: "
        if not error.text.startswith(about):
            error.args = (f"{about}its rejected events stay as they are: {error.text}",)
        raise
    finally:
        output.close()
    return result


def _first_from(stored: Mapping[str, str], schema_of: SchemaOf) -> SchemaOf:
    """Take a schema from the file if it is there, and otherwise ask Salesforce."""

    def schema(schema_id: str) -> str:
        known = stored.get(schema_id)
        return schema_of(schema_id) if known is None else known

    return schema


def _decoded_again(
    reject: RejectedEvent, records: Records, left: list[RejectedEvent]
) -> tuple[Sequence[Row], str]:
    """The rows of the event, and what it became. Empty if it still cannot become a row."""
    event = Event(reject.event_id, reject.schema_id, reject.payload, reject.replay_id)
    told = records.read(reject.topic, [event], received_at=reject.received_at)
    if told.rejects:
        left.append(reject._replace(error=told.rejects[0].error))
        return (), ""
    kinds = set(map(type, told.rows))
    became = "delete" if Delete in kinds else "restore" if Restore in kinds else "nothing"
    return told.rows, became


class _Output:
    """The new event files, one after the other."""

    def __init__(self, store: Store, most_rows: int, files: list[str]) -> None:
        self._store = store
        self._most_rows = most_rows
        self._files = files
        self._open: Optional[OpenFile] = None

    def add(self, rows: Sequence[Row]) -> None:
        """Add the rows of one event. An event is never split over files."""
        if self._open is None:
            self._open = self._store.new_file(datetime.now(timezone.utc))
        self._open.add(rows)
        if self._open.is_full(self._most_rows):
            self.upload()

    def upload(self) -> None:
        """Upload the open file, if there is one."""
        file, self._open = self._open, None
        if file is not None:
            file.close()
            self._files.append(self._store.upload(file.path, file.begun_at, briefly=False))

    def close(self) -> None:
        """Abandon the open file, if there is one."""
        if self._open is not None:
            self._open.abandon()
