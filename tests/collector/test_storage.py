"""The adapter of Blob Storage, tested with Azurite."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Optional

import pytest
from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError
from azure.storage.blob import BlobServiceClient, ContainerClient
from local.emulators import Server, connection_string, free_port
from local.identity import IdentityEndpoint
from local.proxy import Request, proxy, slow_line

from salesforce_client.src.app.errors import (
    LocalStorageError,
    StorageRefusedError,
    StorageUnavailableError,
)
from salesforce_client.src.app.model.positions import Cursor, Position, StoredCursor
from salesforce_client.src.app.storage.blobs import EventFiles, connect, container
from salesforce_client.src.app.storage.cursors import Cursors, from_json, to_json
from salesforce_client.src.app.storage.store import Store

ORG, TOPIC = "00D000000000001EAA", "/event/Delete_Event__e"
NAME = f"{ORG}/event/Delete_Event__e.json"
LARGE = 16_000_000
BEGUN_AT = datetime(2026, 2, 1, 0, 0, 59, tzinfo=timezone.utc)


def cursor(replay_id: bytes = b"\0\1\xff", event_id: str | None = "e1") -> Cursor:
    return Cursor(ORG, TOPIC, Position(replay_id, "2026-02-01T00:00:00.000Z", event_id))


@pytest.fixture
def store(service: BlobServiceClient, blob_settings: Mapping[str, str], tmp_path: Path) -> Store:
    return Store(
        service, blob_settings["EVENTS_CONTAINER"], blob_settings["CURSORS_CONTAINER"], tmp_path
    )


@pytest.fixture
def event_files(service: BlobServiceClient, blob_settings: Mapping[str, str]) -> EventFiles:
    return EventFiles(container(service, blob_settings["EVENTS_CONTAINER"]))


Written = Callable[[bytes], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a file with this content, and returns its path."""

    def write(content: bytes) -> Path:
        path = tmp_path / uuid.uuid4().hex
        path.write_bytes(content)
        return path

    return write


@contextlib.contextmanager
def event_files_at(port: int, name: str, **options: Any) -> Iterator[EventFiles]:
    """The event files of this container, through this port."""
    with connect(connection_string(port), "", "", **options) as service:
        yield EventFiles(container(service, name))


def test_both_containers_are_created_if_they_are_absent(
    store: Store, events: ContainerClient, cursors: ContainerClient
) -> None:
    """So a first poll needs no set-up of the storage account."""
    assert events.exists()
    assert cursors.exists()


def test_an_uploaded_file_is_in_the_container_and_no_longer_on_the_disk(
    store: Store, events: ContainerClient, tmp_path: Path
) -> None:
    """The next files need the space on the disk."""
    path = tmp_path / "x.db"
    path.write_bytes(b"content")
    name = store.upload(path, BEGUN_AT)
    assert events.download_blob(name).readall() == b"content"
    assert not path.exists()


def test_a_file_that_is_missing_on_the_disk_is_an_error_of_the_disk(
    store: Store, tmp_path: Path
) -> None:
    """The error does not come from Blob Storage."""
    with pytest.raises(LocalStorageError, match=r"event file x\.db: No such file"):
        store.upload(tmp_path / "x.db", BEGUN_AT)


def test_an_upload_never_overwrites_a_blob(
    written: Written, event_files: EventFiles, events: ContainerClient
) -> None:
    """If a name is taken, the upload uses the next free second. Another run does the same."""
    assert event_files.upload(written(b"content"), BEGUN_AT) == "events_20260201T000059Z.db"
    another_run = EventFiles(events)
    assert another_run.upload(written(b"other"), BEGUN_AT) == "events_20260201T000100Z.db"
    assert events.download_blob("events_20260201T000059Z.db").readall() == b"content"


def test_files_of_one_second_do_not_try_the_names_of_earlier_files(
    written: Written, azurite: Server
) -> None:
    """A long backlog fills several files a second.

    If the upload did not remember the last name, each file would try the names of all files before
    it.
    """
    with proxy(azurite.port) as through, event_files_at(through.port, "events-often") as files:
        names = [files.upload(written(b"content"), BEGUN_AT) for _ in range(4)]
    assert names == [
        f"events_20260201T0{second}Z.db" for second in ("00059", "00100", "00101", "00102")
    ]
    assert [
        request.path.rpartition("/")[2] for request in through.seen if request.method == "HEAD"
    ] == names


def test_a_file_is_uploaded_in_one_request(written: Written, azurite: Server) -> None:
    """One request stores the blob completely or not at all.

    By default the client would send such a large file in several requests.
    """
    with proxy(azurite.port) as through, event_files_at(through.port, "events-one") as files:
        name = files.upload(written(bytes(65 * 1024 * 1024)), BEGUN_AT)
    (request,) = [
        request for request in through.seen if request.method == "PUT" and name in request.path
    ]
    assert len(request.body) == 65 * 1024 * 1024


def test_an_upload_whose_answer_is_lost_counts_as_uploaded(
    written: Written, azurite: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client repeats the request, and finds the name taken by this very file.

    It must not make a second blob.
    """
    monkeypatch.setattr("time.sleep", lambda _: None)
    lost = [(500, b"")]
    with proxy(azurite.port) as through, event_files_at(through.port, "events-lost") as files:
        through.after = lambda request: (
            lost.pop() if lost and request.method == "PUT" and ".db" in request.path else None
        )
        assert files.upload(written(b"content"), BEGUN_AT) == "events_20260201T000059Z.db"
    assert not lost
    with connect(connection_string(azurite.port), "", "") as service:
        (blob,) = service.get_container_client("events-lost").list_blobs(include=["metadata"])
    assert blob.metadata == {
        "sha256": "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    }


def test_a_cursor_is_loaded_as_it_was_saved(store: Store, cursors: ContainerClient) -> None:
    """A replay id may have any bytes.

    A position may lack a time or an event. The cursor's version, its ETag, is loaded too.
    """
    assert store.load_cursor(ORG, TOPIC) == StoredCursor(None, None)
    etag = store.save_cursor(cursor(), None)
    assert store.load_cursor(ORG, TOPIC) == StoredCursor(cursor(), etag)
    saved = json.loads(cursors.download_blob(NAME).readall())
    assert saved == {
        "org_id": ORG,
        "topic": TOPIC,
        "replay_id": base64.b64encode(b"\0\1\xff").decode(),
        "event_id": "e1",
        "position_at": "2026-02-01T00:00:00.000Z",
        "source": "event",
    }
    for position in (
        Position(b"x", None, "e"),
        Position(b"x", "2026-02-01T00:00:00.000Z", None),
        None,
    ):
        etag = store.save_cursor(Cursor(ORG, TOPIC, position), etag)
        assert store.load_cursor(ORG, TOPIC) == StoredCursor(Cursor(ORG, TOPIC, position), etag)


@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.parametrize("tried_at", ["2026-02-01T00:00:00.000Z", None])
def test_a_cursor_without_a_position_says_why_and_since_when(
    store: Store, cursors: ContainerClient, begun: bool, tried_at: Optional[str]
) -> None:
    """A topic was begun from LATEST, or it could not be read yet."""
    unread = Cursor(ORG, TOPIC, None, tried_at, begun)
    etag = store.save_cursor(unread, None)
    assert store.load_cursor(ORG, TOPIC) == StoredCursor(unread, etag)
    assert json.loads(cursors.download_blob(f"{ORG}{TOPIC}.json").readall()) == {
        "org_id": ORG,
        "topic": TOPIC,
        "replay_id": None,
        "state": "begun" if begun else "not_read",
        "tried_at": tried_at,
    }


def test_an_older_cursor_without_a_position_was_begun_from_latest() -> None:
    """Earlier versions stored no other cursor without a position, and no time."""
    raw = json.dumps({"org_id": ORG, "topic": TOPIC, "replay_id": None}).encode()
    assert from_json(raw, ORG, TOPIC) == Cursor(ORG, TOPIC, None, None, begun=True)


@pytest.mark.parametrize("wrong", [{"state": "x"}, {"tried_at": "then"}, {"tried_at": 7}])
def test_a_damaged_cursor_without_a_position_is_unreadable(wrong: dict[str, Any]) -> None:
    """It leaves a gap, as any other damaged cursor."""
    fields = {"org_id": ORG, "topic": TOPIC, "replay_id": None, "state": "not_read", **wrong}
    with pytest.raises(ValueError, match=r"state|isoformat|replace"):
        from_json(json.dumps(fields).encode(), ORG, TOPIC)


def test_only_the_version_that_was_read_is_replaced(store: Store) -> None:
    """Two runs may read the same cursor.

    The run that saves second learns that the other was ahead.
    """
    first = store.save_cursor(cursor(), None)
    assert store.save_cursor(cursor(b"late"), None) is None
    second = store.save_cursor(cursor(b"ahead"), first)
    assert store.save_cursor(cursor(b"late"), first) is None
    assert store.load_cursor(ORG, TOPIC) == StoredCursor(cursor(b"ahead"), second)


def test_a_save_whose_answer_is_lost_counts_as_saved(store: Store) -> None:
    """The repeated request finds the cursor that the first one saved."""
    etag = store.save_cursor(cursor(), None)
    assert store.save_cursor(cursor(), None) == etag


IMMUTABLE = (
    b'<?xml version="1.0"?><Error><Code>BlobImmutableDueToPolicy</Code><Message>This operation is'
    b" not permitted as the blob is immutable due to a policy.</Message></Error>"
)


@pytest.mark.parametrize("first", [True, False])
def test_a_refused_cursor_is_not_mistaken_for_one_that_another_run_has_moved(
    store: Store, azurite: Server, cursors: ContainerClient, first: bool
) -> None:
    """Azure's reason is in the error. Otherwise each poll would read the same events again."""
    etag = None if first else store.save_cursor(cursor(), None)
    with (
        proxy(azurite.port) as through,
        connect(connection_string(through.port), "", "") as service,
    ):
        kept = Cursors(service.get_container_client(cursors.container_name))
        through.before = lambda request: (409, IMMUTABLE) if request.method == "PUT" else None
        with pytest.raises(StorageRefusedError) as raised:
            kept.save(cursor(b"new"), etag)
    assert raised.value.text == (
        f"cursor {NAME}: This operation is not permitted as the blob is immutable due to a policy."
        " (BlobImmutableDueToPolicy) – remove the immutability policy from the container or the"
        " blob"
    )
    assert store.load_cursor(ORG, TOPIC).cursor == (None if first else cursor())


def test_a_leased_cursor_needs_a_person(store: Store, cursors: ContainerClient) -> None:
    """A lease without end never goes away by itself. Azure answers 412, as for another version."""
    etag = store.save_cursor(cursor(), None)
    cursors.get_blob_client(NAME).acquire_lease(-1)
    with pytest.raises(StorageRefusedError, match=r"LeaseIdMissing.*az storage blob lease break"):
        store.save_cursor(cursor(b"new"), etag)
    assert store.load_cursor(ORG, TOPIC) == StoredCursor(cursor(), etag)


def test_a_leased_cursor_that_another_run_has_moved_stays_as_it_is(
    store: Store, cursors: ContainerClient
) -> None:
    """The other run was ahead, whatever the lease says."""
    etag = store.save_cursor(cursor(), None)
    assert store.save_cursor(cursor(b"ahead"), etag)
    cursors.get_blob_client(NAME).acquire_lease(-1)
    assert store.save_cursor(cursor(b"late"), etag) is None


def changed(**fields: Any) -> bytes:
    """A stored cursor with other values in these fields."""
    return json.dumps({**json.loads(to_json(cursor())), **fields}).encode()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"[]", b"\xff", b"{}", b"null", b"[" * 100_000),
        changed(org_id="00D000000000002EAA"),
        changed(topic="/event/Other__e"),
        changed(replay_id="!"),
        changed(replay_id=""),
        changed(replay_id=5),
        changed(position_at="x"),
        changed(position_at="2026-02-01T00:00:00"),
        changed(position_at=5),
    ],
    ids=lambda content: content[:40].decode(errors="replace"),
)
def test_an_unreadable_cursor_is_not_mistaken_for_an_absent_one(
    store: Store, cursors: ContainerClient, content: bytes
) -> None:
    """An unreadable cursor may be replaced, and it causes a gap."""
    cursors.upload_blob(NAME, content)
    stored = store.load_cursor(ORG, TOPIC)
    assert stored.cursor is None
    assert stored.unreadable == content
    assert store.save_cursor(cursor(), stored.etag)


def test_a_missing_container_is_not_mistaken_for_an_absent_cursor(
    azurite: Server, cursors: ContainerClient
) -> None:
    """A topic without a cursor starts from the beginning.

    If the container is missing, nobody knows whether the topic has a cursor.
    """
    with connect(connection_string(azurite.port), "", "") as service:
        kept = Cursors(service.get_container_client("never-made"))
        with pytest.raises(StorageRefusedError, match=f"cursor {NAME}.*ContainerNotFound"):
            kept.load(ORG, TOPIC)


def test_a_storage_that_does_not_answer_is_an_error_that_the_next_run_retries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error names the container."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    with (
        pytest.raises(StorageUnavailableError, match="container events"),
        event_files_at(free_port(), "events"),
    ):
        pass


def test_a_request_that_fails_for_a_while_is_retried_within_the_run(
    azurite: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage client retries the request."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    failures = [(503, b""), (500, b"")]
    with proxy(azurite.port) as through:
        through.before = lambda _: failures.pop() if failures else None
        with event_files_at(through.port, "events-retry"):
            pass
    assert not failures


@pytest.mark.parametrize("method", ["HEAD", "PUT"])
def test_a_brief_upload_sends_each_request_once(
    written: Written, azurite: Server, method: str
) -> None:
    """A poll that failed uploads its last file like this, because its time may be over."""
    with (
        proxy(azurite.port) as through,
        event_files_at(through.port, f"events-brief-{method.lower()}") as files,
    ):
        asked: list[str] = []

        def refuse(request: Request) -> Optional[tuple[int, bytes]]:
            asked.append(request.method)
            return (503, b"") if request.method == method else None

        through.before = refuse
        with pytest.raises(StorageUnavailableError):
            files.upload(written(b"content"), BEGUN_AT, briefly=True)
        assert asked.count(method) == 1
        through.before = lambda _: None
        name = files.upload(written(b"content"), BEGUN_AT, briefly=True)
        assert name == "events_20260201T000059Z.db"


@pytest.mark.parametrize("method", ["HEAD", "PUT"])
def test_a_brief_upload_waits_only_a_few_seconds_for_an_answer(
    written: Written, azurite: Server, method: str
) -> None:
    """The host would end a run that waits longer, and its own error would be lost."""
    answered = threading.Event()
    with (
        proxy(azurite.port) as through,
        event_files_at(through.port, f"events-hangs-{method.lower()}") as files,
    ):
        through.before = lambda request: (
            (503, b"") if request.method == method and answered.wait(30) else None
        )
        began = time.monotonic()
        with pytest.raises(StorageUnavailableError):
            files.upload(written(b"content"), BEGUN_AT, briefly=True)
        assert 4 < time.monotonic() - began < 15
        answered.set()


def test_closing_one_client_leaves_the_others_open(
    written: Written, azurite: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each client has its own connections, and uses them for its retries too."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    failures = [(503, b"")]
    with (
        proxy(azurite.port) as through,
        event_files_at(through.port, "events-two-clients") as files,
    ):
        with event_files_at(through.port, "events-two-clients"):
            pass
        through.before = lambda request: (
            failures.pop() if failures and request.method == "PUT" else None
        )
        assert files.upload(written(b"content"), BEGUN_AT)
    assert not failures


REFUSED = (
    b'<?xml version="1.0"?><Error><Code>AuthorizationFailure</Code>'
    b"<Message>This request is not authorized.</Message></Error>"
)


def told(status: int, message: str) -> bytes:
    """An answer of the identity endpoint, as Azure Functions words it."""
    return json.dumps({"statusCode": status, "message": message, "correlationId": "1"}).encode()


NOT_FOUND = "No User Assigned or Delegated Managed Identity found for specified ClientId"


@pytest.fixture
def identity_endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityEndpoint]:
    """An identity endpoint. It is the only way to log in to Azure, and retries do not wait."""
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_TOKEN_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")  # no tool with a login of its own is found
    monkeypatch.setattr("time.sleep", lambda _: None)
    with IdentityEndpoint() as endpoint:
        for name, value in endpoint.settings.items():
            monkeypatch.setenv(name, value)
        yield endpoint


def storage_error() -> str:
    """The error of an app that has its token from the identity endpoint. Storage is not there."""
    with (
        pytest.raises((StorageRefusedError, StorageUnavailableError)) as raised,
        connect("", f"https://127.0.0.1:{free_port()}", "my-identity") as service,
    ):
        container(service, "events")
    return f"{type(raised.value).__name__}: {raised.value.text}"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_an_identity_that_the_endpoint_refuses_needs_a_person(
    identity_endpoint: IdentityEndpoint, status: int
) -> None:
    """The error has the endpoint's reason and says what to check."""
    identity_endpoint.refusal = (status, told(status, NOT_FOUND))
    assert storage_error() == (
        "StorageRefusedError: container events: the app's identity gets no token:"
        f" {status}, {NOT_FOUND} – check that the identity is assigned to the app, and that"
        " EVENTS_STORAGE__clientId or AZURE_CLIENT_ID names it"
    )


@pytest.mark.parametrize("status", [404, 408, 410, 429, 500, 503])
def test_an_identity_endpoint_that_is_not_ready_is_an_error_that_the_next_run_retries(
    identity_endpoint: IdentityEndpoint, status: int
) -> None:
    """For a while after a start, Azure's endpoint answers like this."""
    identity_endpoint.refusal = (status, told(status, "An unexpected error occured"))
    assert storage_error() == (
        "StorageUnavailableError: container events: the app's identity gets no token for now:"
        f" {status}, An unexpected error occured"
        " – if this stays, check EVENTS_STORAGE, and look the error up in docs/operations.md"
    )


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (0, b"", "('Connection aborted.'"),
        (404, b"", "Expecting value"),
        (503, b"<html>Starting</html>", "JSON is invalid"),
        (500, b'{"StatusCode":500}', "None, None –"),
        (500, told(500, "x" * 5000), f"500, {'x' * 295} –"),
    ],
    ids=["no answer", "empty answer", "a page", "another form", "a long text"],
)
def test_an_answer_of_the_identity_endpoint_that_says_little_is_retried_too(
    identity_endpoint: IdentityEndpoint, status: int, body: bytes, reason: str
) -> None:
    """It does not say that the identity is refused."""
    identity_endpoint.refusal = (status, body)
    error = storage_error()
    assert error.startswith(
        "StorageUnavailableError: container events: the app's identity gets no token for now:"
        f" {reason}"
    )
    assert "\n" not in error


def test_an_identity_endpoint_that_is_not_there_is_retried_too(
    identity_endpoint: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azure has named its address, so the endpoint is only not running yet."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{free_port()}/")
    assert "StorageUnavailableError" in (error := storage_error())
    assert "refused" in error


def test_an_app_without_an_identity_needs_a_person(
    identity_endpoint: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Azure names no endpoint then."""
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{free_port()}")
    error = storage_error()
    assert error.startswith("StorageRefusedError: container events: the app's identity gets no")
    assert "no response from the IMDS endpoint" in error
    assert "check that the identity is assigned to the app" in error


def test_a_way_to_log_in_that_is_set_up_and_fails_is_named(
    identity_endpoint: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """azure-identity does not try the managed identity after it."""
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.setenv(name, "wrong")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"https://127.0.0.1:{free_port()}")
    error = storage_error()
    assert error.startswith("StorageRefusedError: ")
    assert "EnvironmentCredential: " in error
    assert identity_endpoint.asked == []


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script in place of the command az. By default nobody is logged in."""
    script = tmp_path / "bin" / "az"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho \"Please run 'az login' to set up account.\" >&2\nexit 1\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/bin:/usr/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    return script


def test_a_person_who_is_not_logged_in_is_told_to_do_so(
    identity_endpoint: IdentityEndpoint, az: Path
) -> None:
    """A command uses the person's own login, and asks for no identity of the machine."""
    with pytest.raises(StorageRefusedError) as raised:
        container_of_a_person()
    assert raised.value.text == (
        "container events: nobody is logged in to Azure on this machine: Please run 'az login' to"
        " set up an account – run az login, as a person who has a role for blobs on the storage"
        " account"
    )
    assert identity_endpoint.asked == []


def test_a_person_who_is_logged_in_needs_no_key(
    identity_endpoint: IdentityEndpoint, az: Path
) -> None:
    """The token of az is used, and Storage itself is asked."""
    token = (
        '{"accessToken": "t", "expiresOn": "2099-01-01 00:00:00.000000", "expires_on": 4070908800}'
    )
    az.write_text(f"#!/bin/sh\necho '{token}'\n")
    with pytest.raises(StorageUnavailableError) as raised:
        container_of_a_person()
    assert "logged in" not in str(raised.value)
    assert identity_endpoint.asked == []


def container_of_a_person() -> None:
    """Nothing answers at the address, so a container needs a token first and then fails."""
    uri = f"https://127.0.0.1:{free_port()}/account"
    with connect("", uri, "my-identity", connection_seconds=1, person=True) as service:
        container(service, "events")


def test_with_a_token_storage_itself_is_asked(identity_endpoint: IdentityEndpoint) -> None:
    """The token is for the configured identity."""
    error = storage_error()
    assert error.startswith("StorageUnavailableError: container events: ")
    assert "identity" not in error
    assert {asked["client_id"] for asked in identity_endpoint.asked} == {"my-identity"}


def test_a_slow_line_has_time_for_a_file(written: Written, azurite: Server) -> None:
    """An upload may take longer than a connection attempt.

    A connection attempt must end soon if nobody answers.
    """
    with slow_line(azurite.port, bytes_a_second=LARGE // 2) as port:
        began = time.monotonic()
        with event_files_at(port, "events-slow", connection_seconds=1) as files:
            assert files.upload(written(bytes(LARGE)), BEGUN_AT) == "events_20260201T000059Z.db"
    assert time.monotonic() - began > 1.5


@pytest.mark.parametrize("error", [ServiceRequestError, ServiceResponseError])
@pytest.mark.parametrize(("size", "seconds"), [(1_000, 10), (30_000_000, 25)])
def test_a_larger_file_has_more_time_for_its_upload(
    written: Written, size: int, seconds: int, error: type[AzureError]
) -> None:
    """A small file has less time, so an attempt that hangs ends soon.

    After a time-out the error tells the operator which setting makes files smaller.
    """
    seen: list[float] = []

    class Blob:
        """A blob that never answers in time."""

        blob_name = "events_20260201T000059Z.db"

        def exists(self) -> bool:
            """The name is free."""
            return False

        def upload_blob(self, _: bytes, *, connection_timeout: float, **__: Any) -> None:
            """Fail as the client does after its own attempts."""
            seen.append(connection_timeout)
            raise error("The write operation timed out")

    class Container:
        """A container with only that blob."""

        url = "https://account.blob.core.windows.net/events"

        def get_blob_client(self, _: str) -> Blob:
            """The only blob."""
            return Blob()

    events: Any = Container()
    with pytest.raises(
        StorageUnavailableError,
        match=r"events_20260201T000059Z\.db: The write .*timed out.*lower MAX_FILE_ROWS",
    ):
        EventFiles(events).upload(written(bytes(size)), BEGUN_AT)
    assert seen == [seconds]


def test_if_a_name_is_taken_at_the_last_moment_the_upload_uses_the_next_one(
    written: Written, azurite: Server
) -> None:
    """Another collector takes the name after this one has found it free."""
    with (
        connect(connection_string(azurite.port), "", "") as service,
        proxy(azurite.port) as through,
    ):
        other = service.get_container_client("events-late")
        with event_files_at(through.port, "events-late") as files:
            late = [b"another's"]

            def take(request: Request) -> None:
                if request.method == "PUT" and late:
                    other.upload_blob("events_20260201T000059Z.db", late.pop())

            through.before = take
            assert files.upload(written(b"content"), BEGUN_AT) == "events_20260201T000100Z.db"
        assert other.download_blob("events_20260201T000059Z.db").readall() == b"another's"
        assert other.download_blob("events_20260201T000100Z.db").readall() == b"content"


@pytest.mark.parametrize(
    "code", ["ContainerBeingDeleted", "LeaseIdMissing", "BlobImmutableDueToPolicy"]
)
def test_a_conflict_that_is_not_about_the_name_is_reported_unchanged(
    written: Written, azurite: Server, code: str
) -> None:
    """The upload tries no other name, as that would not help."""
    conflict = (
        f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>It cannot be.</Message></Error>'
    ).encode()
    with proxy(azurite.port) as through, event_files_at(through.port, "events-going") as files:
        through.before = lambda request: (409, conflict) if request.method == "PUT" else None
        with pytest.raises(
            StorageRefusedError, match=rf"events_20260201T000059Z\.db: It cannot be.*{code}"
        ):
            files.upload(written(b"content"), BEGUN_AT)
        assert (
            len(
                [
                    request
                    for request in through.seen
                    if request.method == "PUT" and ".db" in request.path
                ]
            )
            == 1
        )


@pytest.mark.parametrize("elsewhere", [False, True])
def test_the_service_checks_the_bytes_if_nothing_else_protects_them(
    written: Written, azurite: Server, elsewhere: bool
) -> None:
    """With plain http to another machine, the upload sends an MD5 that Blob Storage checks."""
    name = f"events-md5-{elsewhere}".lower()
    with (
        proxy(azurite.port) as through,
        connect(connection_string(through.port), "", "") as service,
    ):
        events = container(service, name)
        files = EventFiles(events, this_machine=frozenset()) if elsewhere else EventFiles(events)
        files.upload(written(b"content"), BEGUN_AT)
    (request,) = [
        request for request in through.seen if request.method == "PUT" and ".db" in request.path
    ]
    assert ("Content-MD5" in request.headers) == elsewhere


def test_uploads_in_the_same_second_keep_their_own_content(
    written: Written, event_files: EventFiles, events: ContainerClient
) -> None:
    """All uploads try the same name before any of the blobs exists."""
    with ThreadPoolExecutor(3) as pool:
        names = list(
            pool.map(
                lambda number: event_files.upload(written(bytes([number]) * LARGE), BEGUN_AT),
                range(3),
            )
        )
    assert len(set(names)) == 3
    for number, name in enumerate(names):
        blob = events.download_blob(name)
        content = blob.readall()
        assert content == bytes([number]) * LARGE
        assert blob.properties.metadata["sha256"] == hashlib.sha256(content).hexdigest()


def test_an_identity_that_may_not_create_containers_uses_existing_ones(
    azurite: Server,
) -> None:
    """The role of an identity may cover two containers and not the account."""
    with event_files_at(azurite.port, "events-given"):
        pass
    with proxy(azurite.port) as through:
        through.before = lambda request: (403, REFUSED) if request.method == "PUT" else None
        with event_files_at(through.port, "events-given"):
            pass
        with (
            pytest.raises(StorageRefusedError, match="container events-absent"),
            event_files_at(through.port, "events-absent"),
        ):
            pass


def test_a_storage_that_refuses_a_request_needs_a_person(azurite: Server) -> None:
    """The error names the container or the setting to check."""
    with proxy(azurite.port) as through:
        through.before = lambda _: (403, REFUSED)
        with (
            pytest.raises(StorageRefusedError, match="container events"),
            event_files_at(through.port, "events"),
        ):
            pass
    with pytest.raises(StorageRefusedError, match="EVENTS_STORAGE"):
        connect("no=account", "", "").__enter__()
