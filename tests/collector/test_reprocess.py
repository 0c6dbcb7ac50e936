"""How the rejected events of an event file are decoded again."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from local.event_files import rows

from salesforce_client.src.app.decoding.interpreter import Interpreter
from salesforce_client.src.app.errors import (
    EventFieldsError,
    EventFileError,
    SalesforceUnavailableError,
    SchemaError,
)
from salesforce_client.src.app.mock_salesforce import MockSalesforce, schemas
from salesforce_client.src.app.mock_salesforce.events import encode
from salesforce_client.src.app.mock_salesforce.ids import record_id
from salesforce_client.src.app.mock_salesforce.org import RETENTION
from salesforce_client.src.app.model.event_rules import EventRules
from salesforce_client.src.app.model.rows import (
    Delete,
    Gap,
    RejectedEvent,
    ResolvedReject,
    Restore,
    Row,
    Schema,
    StoredRejects,
)
from salesforce_client.src.app.reprocess import Records, SchemaOf, reprocess
from salesforce_client.src.app.run import run
from salesforce_client.src.app.salesforce.login import authenticate
from salesforce_client.src.app.salesforce.pubsub import PubSub
from salesforce_client.src.app.settings import read
from salesforce_client.src.app.storage.event_file import EventFile
from salesforce_client.src.app.storage.rejected_events import read_rejects
from salesforce_client.src.app.storage.store import Store

CONTRACT = Path(__file__).resolve().parent.parent / "contract"
NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
EVENTS, ACCOUNTS = "/event/Delete_Event__e", "/data/AccountChangeEvent"
RECEIVED_AT = "2026-02-01T00:10:00.456Z"
DELETE_EVENT, ACCOUNT = schemas.schema_id(schemas.DELETE_EVENT), schemas.schema_id(schemas.ACCOUNT)
Changes = Mapping[str, Any]


def platform(number: int, **fields: Any) -> RejectedEvent:
    value = {
        "CreatedDate": 1767225600123,
        "CreatedById": "005",
        "Record_Id__c": record_id("Account", number),
        **fields,
    }
    payload = encode(schemas.DELETE_EVENT, value)
    return RejectedEvent(
        f"reject {number}", EVENTS, f"e{number}", b"\1", DELETE_EVENT, payload, "old", RECEIVED_AT
    )


def change(number: int, kind: str) -> RejectedEvent:
    header = {
        "entityName": "Account",
        "recordIds": [] if kind == "GAP_OVERFLOW" else [record_id("Account", number)],
        "changeType": kind,
        "changeOrigin": "",
        "transactionKey": "t",
        "sequenceNumber": 1,
        "commitTimestamp": 1767225600123,
        "commitNumber": 1,
        "commitUser": record_id("User", 1),
        "nulledFields": [],
        "diffFields": [],
        "changedFields": [],
    }
    payload = encode(schemas.ACCOUNT, {"ChangeEventHeader": header})
    return RejectedEvent(
        f"reject {number}", ACCOUNTS, f"e{number}", b"\1", ACCOUNT, payload, "old", RECEIVED_AT
    )


class Memory:
    """A store with one event file, which keeps the rows of new files."""

    def __init__(self, *rejects: RejectedEvent, kept: Optional[Mapping[str, str]] = None) -> None:
        self.stored = StoredRejects(rejects, schemas.BY_ID if kept is None else kept)
        self.uploaded: list[list[Row]] = []
        self.abandoned = 0

    def rejects(self, file: object) -> StoredRejects:
        """Return the rejected events of the one file."""
        assert file == "events_20260201T000000Z.db"
        return self.stored

    def new_file(self, begun_at: datetime) -> File:
        """Return an empty file."""
        return File(self, begun_at)

    def upload(self, path: Path, begun_at: datetime, *, briefly: bool) -> str:
        """Return the number of the file as its name."""
        return f"{len(self.uploaded)}"


class File:
    """An event file in memory."""

    path = Path("x")

    def __init__(self, store: Memory, begun_at: datetime) -> None:
        self.begun_at = begun_at
        self._store = store
        self._rows: list[Row] = []

    def add(self, added: Sequence[Row]) -> None:
        """Keep the rows."""
        self._rows += added

    def is_full(self, most_rows: int) -> bool:
        """Whether the file has so many rows."""
        return len(self._rows) >= most_rows

    def close(self) -> None:
        """Keep the file."""
        self._store.uploaded.append(self._rows)

    def abandon(self) -> None:
        """Count the file as abandoned."""
        self._store.abandoned += 1


def refuse(schema_id: str) -> str:
    """Refuse every schema, as Salesforce may."""
    raise SchemaError("no such schema")


def with_rules(schema_of: SchemaOf, rules: EventRules = EventRules()) -> Records:  # noqa: B008
    return Interpreter(schema_of, "00D", {EVENTS: rules})


def again(store: Memory, schema_of: SchemaOf = refuse, **options: Any) -> Any:
    records_with: Callable[[SchemaOf], Records] = options.pop("records_with", with_rules)
    return reprocess("events_20260201T000000Z.db", store, schema_of, records_with, **options)


def test_each_rejected_event_becomes_what_it_is_today() -> None:
    """A delete, a restore, or nothing, which may be a gap. The rows have the time at which the
    event was received first, so an earlier row of the same event stays.
    """
    store = Memory(
        platform(1),
        change(2, "UNDELETE"),
        change(3, "UPDATE"),
        change(4, "GAP_OVERFLOW"),
        platform(5)._replace(payload=b"\xff"),
    )
    told = again(store)
    ((delete, one, restore, two, three, gap, four),) = store.uploaded
    assert isinstance(delete, Delete)
    assert (delete.record_id, delete.ingested_at) == (record_id("Account", 1), RECEIVED_AT)
    assert isinstance(restore, Restore)
    assert (restore.record_id, restore.ingested_at) == (record_id("Account", 2), RECEIVED_AT)
    assert isinstance(gap, Gap)
    assert (gap.reason, gap.detected_at) == ("overflow", RECEIVED_AT)
    resolved = [row for row in (one, two, three, four) if isinstance(row, ResolvedReject)]
    assert [(row.reject_id, row.became) for row in resolved] == [
        ("reject 1", "delete"),
        ("reject 2", "restore"),
        ("reject 3", "nothing"),
        ("reject 4", "nothing"),
    ]
    assert dict(told.became) == {"delete": 1, "restore": 1, "nothing": 2}
    assert told.files == ["1"]
    (left,) = told.left
    assert (left.reject_id, left.error[:35]) == ("reject 5", "the payload does not fit its schema")


def test_a_second_run_makes_the_same_rows() -> None:
    """Only the time at which an event was resolved differs."""
    first, second = (
        Memory(platform(1), change(2, "DELETE")),
        Memory(platform(1), change(2, "DELETE")),
    )
    again(first)
    again(second)

    def without_time(store: Memory) -> list[Row]:
        (found,) = store.uploaded
        return [
            row._replace(resolved_at="") if isinstance(row, ResolvedReject) else row
            for row in found
        ]

    assert without_time(first) == without_time(second)


def test_if_no_event_can_be_decoded_no_file_is_uploaded() -> None:
    """The rejected events stay as they are."""
    store = Memory(platform(1, Record_Id__c=None))
    told = again(store)
    assert (store.uploaded, told.files, dict(told.became)) == ([], [], {})
    assert "Record_Id__c is null" in told.left[0].error


def test_a_schema_that_is_not_in_the_file_is_asked_for_again() -> None:
    """Salesforce had refused it. If it still does, the event stays rejected."""
    store = Memory(platform(1), change(2, "DELETE"), kept={ACCOUNT: schemas.ACCOUNT})
    asked = []

    def schema_of(schema_id: str) -> str:
        asked.append(schema_id)
        return schemas.BY_ID[schema_id]

    assert again(store, schema_of).became["delete"] == 2
    assert set(asked) == {DELETE_EVENT}
    refused = again(Memory(platform(1), kept={}))
    assert [left.error for left in refused.left] == ["no such schema"]


def test_a_full_file_is_uploaded_and_an_event_is_never_split() -> None:
    """The row of an event and its resolved reject are in the same file."""
    store = Memory(*[platform(number) for number in range(3)])
    told = again(store, most_rows=3)
    assert [len(found) for found in store.uploaded] == [4, 2]
    assert told.files == ["1", "2"]


def test_an_error_names_the_file_and_uploads_nothing_half() -> None:
    """The open file is abandoned. Another run makes its rows again."""

    def unavailable(schema_id: str) -> str:
        raise SalesforceUnavailableError("schema x: no answer")

    store = Memory(change(1, "DELETE"), platform(2), kept={ACCOUNT: schemas.ACCOUNT})
    with pytest.raises(SalesforceUnavailableError) as raised:
        again(store, unavailable)
    assert raised.value.text == (
        "event file events_20260201T000000Z.db: its rejected events stay as they are:"
        " schema x: no answer"
    )
    assert (store.uploaded, store.abandoned) == ([], 1)
    rules = functools.partial(
        with_rules, rules=EventRules({"record_id": "Absent__c"}, frozenset({"record_id"}))
    )
    with pytest.raises(EventFieldsError, match=r"^event file events_20260201T000000Z\.db: "):
        again(Memory(platform(1)), records_with=rules)


@pytest.fixture
def store(service: BlobServiceClient, blob_settings: Mapping[str, str], tmp_path: Path) -> Store:
    (tmp_path / "scratch").mkdir()
    return Store(
        service,
        blob_settings["EVENTS_CONTAINER"],
        blob_settings["CURSORS_CONTAINER"],
        tmp_path / "scratch",
    )


def test_events_whose_schema_was_refused_become_deletes_when_salesforce_delivers_it(
    blob_settings: Mapping[str, str], store: Store, events: ContainerClient, tmp_path: Path
) -> None:
    """From a poll to the new event file, over real sockets and with Azurite."""
    with MockSalesforce(3600, NOW, faults="schema_missing", keepalive_seconds=0.2) as mock:
        report = run(
            {
                **blob_settings,
                **mock.settings,
                "SALESFORCE_TOPICS": EVENTS,
                "IDLE_SECONDS": "1",
            }
        )
    (name,) = report.files
    rejects = rows(events, tmp_path, "rejected_events")
    assert rejects
    assert rows(events, tmp_path) == []
    with MockSalesforce(3600, NOW, keepalive_seconds=0.2) as mock:
        settings = read({**mock.settings, **blob_settings}).salesforce
        assert settings
        log_in = functools.partial(
            authenticate,
            settings.login_url,
            settings.audience,
            settings.client_id,
            settings.username,
            settings.private_key,
        )
        target = settings.pubsub_endpoint.target
        with PubSub(target, tls=False, authenticate=log_in) as source:
            records_with = functools.partial(Interpreter, org_id=mock.org.org_id, event_rules={})
            told = [reprocess(name, store, source.schema, records_with) for _ in range(2)]
        expected = {it.key for it in mock.org.deletes((EVENTS,), NOW - RETENTION, NOW)}
    for done in told:
        (made,) = done.files
        found = rows(events, tmp_path, name=made)
        assert {row["event_id"] for row in found} == expected
        assert {row["ingested_at"] for row in found} <= {row["received_at"] for row in rejects}
        resolved = rows(events, tmp_path, "resolved_rejects", name=made)
        assert {row["reject_id"] for row in resolved} == {row["reject_id"] for row in rejects}
        assert {row["became"] for row in resolved} == {"delete"}
        assert (done.left, done.became) == ([], {"delete": len(rejects)})
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_file_on_this_machine_is_decoded_again_too(store: Store, tmp_path: Path) -> None:
    """Its schemas are enough, so Salesforce is not asked."""
    file = EventFile(tmp_path / "x.db", NOW)
    file.add([platform(1), Schema(DELETE_EVENT, schemas.DELETE_EVENT)])
    file.close()
    assert reprocess(tmp_path / "x.db", store, refuse, with_rules).became == {"delete": 1}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_rejected_events_of_every_released_version_are_read(version: str) -> None:
    """Version 1 keeps no schemas."""
    stored = read_rejects(CONTRACT / f"golden/{version}.db", "x")
    (reject,) = stored.rejects
    assert reject.payload == b"\x00\x01\xff"
    assert bool(stored.schemas) == (version == "v2")


BROKEN = sorted((CONTRACT / "broken").glob("*.db"))
# Only other tables of these files are broken, or they have something more, which is not read.
HARMLESS = {
    *("a_generated_column", "a_trigger", "a_view_beside", "a_virtual_table", "column_missing"),
    *("column_renamed", "events_is_a_view", "table_missing", "v1_with_a_schemas_table"),
    *("an_index_of_its_own", "claims_to_be_1", "checks_column_added", "checks_missing"),
    *("listed_deletes_missing", "listed_deletes_without_a_key", "resolved_rejects_is_a_view"),
    *("resolved_rejects_missing", "restores_column_renamed", "restores_missing"),
}


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_file_is_refused_by_its_name(path: Path) -> None:
    """The message says what is lost and what to do."""
    if path.stem in HARMLESS:
        read_rejects(path, "x")
        return
    with pytest.raises(EventFileError) as raised:
        read_rejects(path, "events_x.db")
    assert str(raised.value).startswith("event file events_x.db: ")
    assert str(raised.value).endswith(
        ", so its rejected events cannot be decoded again. Nothing is changed. Check that this is"
        " an event file of the collector, and that it was not changed: see 'EventFileError' in"
        " docs/operations.md"
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ("received_at = 'then'", "a received_at in rejected_events is not a time"),
        ("payload = 'text'", "a value in rejected_events has the wrong type"),
        ("event_id = x'00'", "a value in rejected_events has the wrong type"),
    ],
)
def test_a_damaged_rejected_event_is_refused(changed: str, reason: str, tmp_path: Path) -> None:
    """Nobody knows what else is wrong in such a file."""
    file = EventFile(tmp_path / "x.db", NOW)
    file.add([platform(1)])
    file.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute(f"UPDATE rejected_events SET {changed}")
        connection.commit()
    with pytest.raises(EventFileError, match=f"^event file x: {reason}, so"):
        read_rejects(tmp_path / "x.db", "x")


def test_a_file_that_is_not_in_the_container_is_an_error(
    store: Store, blob_settings: Mapping[str, str]
) -> None:
    """The message names the file and the container."""
    with pytest.raises(EventFileError) as raised:
        store.rejects("events_20260101T000000Z.db")
    assert str(raised.value) == (
        f"event file events_20260101T000000Z.db: the container"
        f" {blob_settings['EVENTS_CONTAINER']} has no such file, so its rejected events cannot be"
        " decoded again. Check the name. A lifecycle rule may have removed the file: see"
        " 'EventFileError' in docs/operations.md"
    )


def test_a_file_whose_content_was_changed_is_an_error(
    store: Store, events: ContainerClient
) -> None:
    """Its SHA-256 is in its metadata."""
    events.upload_blob("events_x.db", b"x", metadata={"SHA256": "0" * 64})
    with pytest.raises(EventFileError) as raised:
        store.rejects("events_x.db")
    assert str(raised.value) == (
        "event file events_x.db: its content does not match the SHA-256 in its metadata, so its"
        " rejected events cannot be decoded again. Somebody has changed the file: see"
        " 'EventFileError' in docs/operations.md"
    )
