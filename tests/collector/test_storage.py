"""The Blob adapter on Azurite."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from local.emulators import Server, connection_string, free_port
from local.proxy import Request, proxy, slow_line

from salesforce_client.src.app import storage
from salesforce_client.src.app.errors import StorageRefusedError, StorageUnavailableError
from salesforce_client.src.app.model import Cursor, StoredCursor
from salesforce_client.src.app.storage.blobs import Storage

ORG, TOPIC = "00D000000000001EAA", "/event/Delete_Event__e"
NAME = f"{ORG}/event/Delete_Event__e.json"
LARGE = 16_000_000
BEGUN_AT = datetime(2026, 2, 1, 0, 0, 59, tzinfo=timezone.utc)


def cursor(replay_id: bytes = b"\0\1\xff", event_id: str | None = "e1") -> Cursor:
    return Cursor(ORG, TOPIC, replay_id, event_id, "2026-02-01T00:00:00.000Z", "event" if event_id else "keepalive")


@pytest.fixture
def store(service: BlobServiceClient, blob_settings: Mapping[str, str]) -> Storage:
    return Storage(service, blob_settings["EVENTS_CONTAINER"], blob_settings["CURSORS_CONTAINER"])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "x.db").write_bytes(b"content")
    return tmp_path / "x.db"


def test_both_containers_are_created_where_absent(store: Storage, events: ContainerClient, cursors: ContainerClient) -> None:
    """And found where present: both are there already when the second run starts."""
    assert events.exists()
    assert cursors.exists()


def test_an_upload_never_overwrites(store: Storage, events: ContainerClient, file: Path, tmp_path: Path) -> None:
    """A taken name leads to the next free second."""
    assert store.upload(file, BEGUN_AT) == "events_20260201T000059Z.db"
    other = tmp_path / "y.db"
    other.write_bytes(b"other")
    assert store.upload(other, BEGUN_AT) == "events_20260201T000100Z.db"
    assert events.download_blob("events_20260201T000059Z.db").readall() == b"content"


def test_files_of_one_second_do_not_try_each_others_names(azurite: Server, file: Path) -> None:
    """A long backlog fills several files a second, and each would ask for the names of all before it."""
    with proxy(azurite.port) as through:
        store = Storage(storage.connect(connection_string(through.port), "", ""), "events-often", "cursors-often")
        names = [store.upload(file, BEGUN_AT) for _ in range(4)]
    assert names == [f"events_20260201T0{second}Z.db" for second in ("00059", "00100", "00101", "00102")]
    assert [request.path.rpartition("/")[2] for request in through.seen if request.method == "HEAD"] == names


def test_a_file_goes_up_in_one_request(azurite: Server, tmp_path: Path) -> None:
    """So that it is there whole or not at all, also if it is larger than what the client sends at once by itself."""
    (tmp_path / "x.db").write_bytes(bytes(65 * 1024 * 1024))
    with proxy(azurite.port) as through:
        store = Storage(storage.connect(connection_string(through.port), "", ""), "events-one", "cursors-one")
        name = store.upload(tmp_path / "x.db", BEGUN_AT)
    (request,) = [request for request in through.seen if request.method == "PUT" and name in request.path]
    assert len(request.body) == 65 * 1024 * 1024


def test_an_upload_whose_answer_got_lost_counts_as_uploaded(azurite: Server, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client repeats the request, and finds the name taken by this very file; that must not make a second blob."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    lost = [(500, b"")]
    with proxy(azurite.port) as through:
        through.after = lambda request: lost.pop() if lost and request.method == "PUT" and ".db" in request.path else None
        store = Storage(storage.connect(connection_string(through.port), "", ""), "events-lost", "cursors-lost")
        assert store.upload(file, BEGUN_AT) == "events_20260201T000059Z.db"
    assert not lost
    (blob,) = (
        storage.connect(connection_string(azurite.port), "", "")
        .get_container_client("events-lost")
        .list_blobs(include=["metadata"])
    )
    assert blob.metadata == {"sha256": "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"}


def test_a_cursor_comes_back_as_it_was_saved(store: Storage, cursors: ContainerClient) -> None:
    """Any bytes, and with its version."""
    assert store.load_cursor(ORG, TOPIC) == StoredCursor(None, None)
    etag = store.save_cursor(cursor(), None)
    assert store.load_cursor(ORG, TOPIC) == StoredCursor(cursor(), etag)
    saved = json.loads(cursors.download_blob(NAME).readall())
    assert base64.b64decode(saved["replay_id"]) == b"\0\1\xff"


def test_only_the_version_that_was_read_is_replaced(store: Storage) -> None:
    """Of two runs that read the same cursor, the second to save learns that the first was ahead."""
    first = store.save_cursor(cursor(), None)
    assert store.save_cursor(cursor(b"late"), None) is None
    second = store.save_cursor(cursor(b"ahead"), first)
    assert store.save_cursor(cursor(b"late"), first) is None
    assert store.load_cursor(ORG, TOPIC) == StoredCursor(cursor(b"ahead"), second)


def test_a_save_whose_answer_got_lost_counts_as_saved(store: Storage) -> None:
    """Its repetition finds its own work in the place."""
    etag = store.save_cursor(cursor(), None)
    assert store.save_cursor(cursor(), None) == etag


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff", b"{}", json.dumps({**json.loads(cursor().to_json()), "org_id": "00D000000000002EAA"}).encode(),
     json.dumps({**json.loads(cursor().to_json()), "replay_id": "!"}).encode(),
     json.dumps({**json.loads(cursor().to_json()), "saved_at": "x"}).encode(),
     json.dumps({**json.loads(cursor().to_json()), "replay_id": ""}).encode()],
)  # fmt: skip
def test_a_cursor_that_cannot_be_read_is_told_apart_from_none(store: Storage, cursors: ContainerClient, content: bytes) -> None:
    """It may be replaced, and leads to a gap."""
    cursors.upload_blob(NAME, content)
    stored = store.load_cursor(ORG, TOPIC)
    assert stored.cursor is None
    assert stored.unreadable == content
    assert store.save_cursor(cursor(), stored.etag)


def test_a_storage_that_does_not_answer_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the next run."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(StorageUnavailableError, match="container events"):
        Storage(storage.connect(connection_string(free_port()), "", ""), "events", "cursors")


def test_a_storage_that_fails_for_a_while_is_asked_again(azurite: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the run, by the client itself."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    failures = [(503, b""), (500, b"")]
    with proxy(azurite.port) as through:
        through.before = lambda _: failures.pop() if failures else None
        Storage(storage.connect(connection_string(through.port), "", ""), "events-retry", "cursors-retry")
    assert not failures


REFUSED = (
    b'<?xml version="1.0"?><Error><Code>AuthorizationFailure</Code><Message>This request is not authorized.</Message></Error>'
)


def test_a_slow_line_has_time_for_a_file(azurite: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than for making a connection, which must not wait long where nobody answers."""
    monkeypatch.setitem(storage.CLIENT_OPTIONS, "connection_timeout", 1)
    (tmp_path / "x.db").write_bytes(bytes(LARGE))
    with slow_line(azurite.port, bytes_a_second=LARGE // 2) as port:
        store = Storage(storage.connect(connection_string(port), "", ""), "events-slow", "cursors-slow")
        began = time.monotonic()
        assert store.upload(tmp_path / "x.db", BEGUN_AT) == "events_20260201T000059Z.db"
    assert time.monotonic() - began > 1.5


def test_a_name_that_is_taken_at_the_last_moment_leads_to_the_next(azurite: Server, file: Path) -> None:
    """By another collector, between the question whether it is free and the upload."""
    other = storage.connect(connection_string(azurite.port), "", "").get_container_client("events-late")
    with proxy(azurite.port) as through:
        store = Storage(storage.connect(connection_string(through.port), "", ""), "events-late", "cursors-late")
        late = [b"another's"]

        def take(request: Request) -> None:
            if request.method == "PUT" and late:
                other.upload_blob("events_20260201T000059Z.db", late.pop())

        through.before = take
        assert store.upload(file, BEGUN_AT) == "events_20260201T000100Z.db"
    assert other.download_blob("events_20260201T000059Z.db").readall() == b"another's"
    assert other.download_blob("events_20260201T000100Z.db").readall() == b"content"


def test_a_conflict_that_is_not_about_the_name_is_told_as_it_is(azurite: Server, file: Path) -> None:
    """Such as a container that is being deleted."""
    conflict = b'<?xml version="1.0"?><Error><Code>ContainerBeingDeleted</Code><Message>It is being deleted.</Message></Error>'
    with proxy(azurite.port) as through:
        store = Storage(storage.connect(connection_string(through.port), "", ""), "events-going", "cursors-going")
        through.before = lambda request: (409, conflict) if request.method == "PUT" else None
        with pytest.raises(StorageRefusedError, match=r"events_20260201T000059Z\.db: It is being deleted.*ContainerBeingDeleted"):
            store.upload(file, BEGUN_AT)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_bytes_are_checked_by_the_service_where_nothing_else_keeps_them(
    azurite: Server, file: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    """Over plain http to another machine."""
    if elsewhere:
        monkeypatch.setattr(storage, "THIS_MACHINE", ())
    with proxy(azurite.port) as through:
        Storage(
            storage.connect(connection_string(through.port), "", ""), f"events-md5-{elsewhere}".lower(), "cursors-md5"
        ).upload(file, BEGUN_AT)
    (request,) = [request for request in through.seen if request.method == "PUT" and ".db" in request.path]
    assert ("Content-MD5" in request.headers) == elsewhere


def test_two_uploads_in_one_second_keep_their_own_content(azurite: Server, tmp_path: Path) -> None:
    """All send it under the same name before any is there."""
    store = Storage(storage.connect(connection_string(azurite.port), "", ""), "events-two", "cursors-two")
    begun_at = datetime(2026, 2, 1, tzinfo=timezone.utc)
    for number in range(3):
        (tmp_path / f"{number}").write_bytes(bytes([number]) * LARGE)
    with ThreadPoolExecutor(3) as pool:
        names = list(pool.map(lambda number: store.upload(tmp_path / f"{number}", begun_at), range(3)))
    container = storage.connect(connection_string(azurite.port), "", "").get_container_client("events-two")
    assert len(set(names)) == 3
    for number, name in enumerate(names):
        blob = container.download_blob(name)
        content = blob.readall()
        assert content == bytes([number]) * LARGE
        assert blob.properties.metadata["sha256"] == hashlib.sha256(content).hexdigest()


def test_an_identity_that_may_not_create_containers_is_content_with_those_that_are_there(azurite: Server) -> None:
    """As where its role covers two containers and not the account."""
    connect = storage.connect
    Storage(connect(connection_string(azurite.port), "", ""), "events-given", "cursors-given")
    with proxy(azurite.port) as through:
        through.before = lambda request: (403, REFUSED) if request.method == "PUT" else None
        Storage(connect(connection_string(through.port), "", ""), "events-given", "cursors-given")
        with pytest.raises(StorageRefusedError, match="container events-absent"):
            Storage(connect(connection_string(through.port), "", ""), "events-absent", "cursors-given")


def test_a_storage_that_refuses_is_for_a_person(azurite: Server) -> None:
    """With the setting to look at."""
    with proxy(azurite.port) as through:
        through.before = lambda _: (403, REFUSED)
        with pytest.raises(StorageRefusedError, match="container events"):
            Storage(storage.connect(connection_string(through.port), "", ""), "events", "cursors")
    with pytest.raises(StorageRefusedError, match="EVENTS_STORAGE"):
        storage.connect("no=account", "", "")
