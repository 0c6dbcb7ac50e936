"""Loads two batches with the sync's own loader, and whichever connector this Python has.

See test_connectors.py. It prints what happened as JSON.
"""

from __future__ import annotations

import json
import sys
import warnings
from functools import partial
from pathlib import Path

warnings.simplefilter("ignore")  # version 5 warns of parameters that version 4 does not know
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import snowflake.connector  # noqa: E402  (found through the lines above)

from delete_sync.src.budget import Budget  # noqa: E402
from delete_sync.src.errors import SyncError  # noqa: E402
from delete_sync.src.event_files.event_file import EventFile  # noqa: E402
from delete_sync.src.event_files.file_format import FORMAT_VERSION  # noqa: E402
from delete_sync.src.model import EventBlob  # noqa: E402
from delete_sync.src.warehouse.load import Loader  # noqa: E402
from delete_sync.src.warehouse.names import Identifier, names_of  # noqa: E402
from delete_sync.src.warehouse.session import Session  # noqa: E402
from delete_sync.src.warehouse.staging import BatchWriter  # noqa: E402


def main(port: str, schema: str, event_file: str, folder: str) -> None:
    """Load an event file twice, look at the tables, then ask for a table that is not there."""
    names = names_of(Identifier("DELETE_TRACKER"), Identifier("AUDIT"), Identifier(schema))
    parameters = {
        "account": "local",
        "user": "local",
        "password": "local",
        "host": "127.0.0.1",
        "port": int(port),
        "protocol": "http",
        "database": "AUDIT",
        "schema": schema,
    }
    connect = partial(Session, parameters, names, sweep_id="s1", budget=Budget.of(300, 600))
    loader = Loader(connect, names, sweep_id="s1", reader_version=FORMAT_VERSION)
    loader.prepare()
    told: dict[str, object] = {"version": snowflake.connector.__version__, "inserted": []}
    blob = EventBlob("events_20260201T000000Z.db", 1, "etag", "a" * 64)
    inserted = []
    for again in (False, True):
        place = Path(folder) / str(again)
        place.mkdir()
        writer = BatchWriter(place, "s1", FORMAT_VERSION)
        with EventFile(Path(event_file), blob.name, blob.sha256) as rows:
            writer.add(rows, blob, blob.sha256)
        inserted.append(loader.load(writer.finish(), again=again).inserted)
    told["inserted"] = inserted
    told["records"] = [record.error for record in loader.records(blob.name, blob.name)]
    told["duplicates"] = loader.duplicates()
    told["topics"] = [poll.topic for poll in loader.newest_poll()]
    told["newest"] = loader.newest_file()
    loader.close()
    elsewhere = names_of(Identifier("NOWHERE"), Identifier("AUDIT"), Identifier(schema))
    with Session(parameters, elsewhere, sweep_id="s1", budget=Budget.of(300, 600)) as session:
        try:
            session.rows("duplicates")
        except SyncError as error:
            told["error"] = type(error).__name__
    print(json.dumps(told))


main(*sys.argv[1:])
