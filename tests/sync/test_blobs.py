"""How the sync sorts the errors of Blob Storage, and how it closes its connections."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.transport import HttpRequest, RequestsTransport
from azure.storage.blob import ContainerClient
from local import emulators
from local.in_memory import BEGUN_AT, DAMAGED, GOOD, A, B, C, D, World, sha256
from local.proxy import Answer, Request, proxy

from delete_sync.src.budget import RESERVE_SECONDS, Budget
from delete_sync.src.errors import (
    FilesUnavailableError,
    OutOfTimeError,
    StorageRefusedError,
    StorageUnavailableError,
    SweepFailedError,
    SyncError,
    UnreadableBlobError,
    WarehouseUnavailableError,
)
from delete_sync.src.event_files import blobs
from delete_sync.src.event_files.blob_errors import translated
from delete_sync.src.event_files.blobs import EventContainer
from delete_sync.src.event_files.transport import BoundedRetry
from delete_sync.src.freshness import Patience
from delete_sync.src.model import EventBlob
from delete_sync.src.report import Report
from salesforce_client.src.app.storage.blobs import blob_name


@contextlib.contextmanager
def at(port: int, name: str, seconds: float = 600) -> Iterator[EventContainer]:
    """The container with this name, through an address of its own. The sweep has some seconds."""
    budget = Budget.of(seconds, seconds + RESERVE_SECONDS)
    with blobs.connect(emulators.connection_string(port), "", "", budget) as service:
        yield EventContainer(service, name, budget)


@pytest.fixture
def container(events: ContainerClient, azurite: emulators.Server) -> Iterator[EventContainer]:
    """The test's container, as the sync sees it."""
    with at(azurite.port, events.container_name) as opened:
        yield opened


def put(
    events: ContainerClient,
    name: str,
    *,
    content: bytes = GOOD,
    metadata: Mapping[str, str] | None = None,
) -> str:
    """Upload a file as the collector does. Returns its ETag without quotes."""
    if not events.exists():
        events.create_container()
    given = {"sha256": sha256(content)} if metadata is None else dict(metadata)
    etag = events.upload_blob(name, content, metadata=given).get_blob_properties().etag
    return str(etag).strip('"')


def listed(container: EventContainer) -> list[EventBlob]:
    return [blob for page in container.pages() for blob in page]


def error(code: str) -> bytes:
    """The body of an error of Blob Storage."""
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>No.</Message></Error>'.encode()


def answered(status: int) -> HttpResponseError:
    """The storage client's error for a response with this status."""
    response = SimpleNamespace(
        status_code=status, reason="reason", headers={}, content_type="text/plain"
    )
    return HttpResponseError("what the service said\nand more", response=response)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        *((answered(status), StorageRefusedError) for status in (400, 403, 404, 409, 499)),
        *((answered(status), StorageUnavailableError) for status in (408, 412, 429, 500, 503, 399)),
        (HttpResponseError("no answer"), StorageUnavailableError),
        (ServiceRequestError("no connection"), StorageUnavailableError),
        (ClientAuthenticationError("who are you"), StorageRefusedError),
        (ResourceNotFoundError("not there"), StorageRefusedError),
        (ValueError("not a connection string"), StorageRefusedError),
    ],
    ids=lambda value: (
        value.__name__
        if isinstance(value, type)
        else f"{getattr(value, 'status_code', None) or value}"[:20]
    ),
)
def test_errors_of_storage_are_sorted_by_who_has_to_act(
    error: Exception, kind: type[SyncError]
) -> None:
    """The message names the container, and holds one line of the service's answer."""
    with pytest.raises(kind) as raised, translated("container events"):
        raise error
    assert str(raised.value).startswith("container events: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "error",
    [
        ClientAuthenticationError("x", response=SimpleNamespace(status_code=403, reason="no")),
        ResourceNotFoundError("x"),
    ],
    ids=["refused", "not found"],
)
def test_the_error_of_a_refused_identity_says_what_to_check(error: Exception) -> None:
    """The operator must check the setting and the roles of the identity."""
    with (
        pytest.raises(
            StorageRefusedError,
            match="check EVENTS_STORAGE: its key or SAS, the roles of its identity",
        ),
        translated("x"),
    ):
        raise error


def test_a_sweep_closes_its_connections_to_storage(
    events: ContainerClient, azurite: emulators.Server, world: World
) -> None:
    """A failed sweep closes them too, although its error still refers to the client."""
    put(events, A)
    world.warehouse.fails[A] = WarehouseUnavailableError("no answer")
    with proxy(azurite.port) as through:
        with (
            pytest.raises(WarehouseUnavailableError) as raised,
            at(through.port, events.container_name) as container,
        ):
            world.sweep(store=container)
        assert through.seen
        assert emulators.connections_to(through.port) == 0
    assert raised.value.__traceback__


def test_two_clients_share_no_connection(
    events: ContainerClient, azurite: emulators.Server
) -> None:
    """Each client has its own retry policy. A policy keeps the connections of its client."""
    events.create_container()
    with proxy(azurite.port) as through:
        with at(through.port, events.container_name) as first:
            with at(through.port, events.container_name) as second:
                assert listed(second) == []
            assert listed(first) == []
        assert emulators.connections_to(through.port) == 0


# -- the list


def test_the_list_has_name_size_etag_and_digest_of_each_event_file(
    events: ContainerClient, container: EventContainer
) -> None:
    """The files come in the order of their names, which is that of their times."""
    uploaded = [put(events, name) for name in (B, A)]
    assert listed(container) == [
        EventBlob(name, len(GOOD), etag, sha256(GOOD)) for name, etag in zip((A, B), uploaded[::-1])
    ]


@pytest.mark.parametrize(
    ("metadata", "digest"),
    [
        ({}, ""),
        ({"sha256": "ab" * 32}, "ab" * 32),
        ({"sha256": "AB" * 32}, "ab" * 32),
        ({"Sha256": "ab" * 32}, "ab" * 32),
        ({"SHA256": "Ab" * 32}, "ab" * 32),
        ({"other": "ab" * 32}, ""),
        ({"sha256": "ab" * 31}, ""),
        ({"sha256": "ab" * 33}, ""),
        ({"sha256": "xy" * 32}, ""),
        ({"sha256": "unknown"}, ""),
    ],
    ids=[
        *("none", "plain", "capital digest", "capital letter in the key", "capital key"),
        *("another key", "too short", "too long", "no hex", "text"),
    ],
)
def test_a_digest_is_believed_only_if_it_is_one(
    events: ContainerClient, container: EventContainer, metadata: dict[str, str], digest: str
) -> None:
    """The names of metadata have no fixed case. Copying tools write digests in capital letters."""
    put(events, A, metadata=metadata)
    assert [blob.sha256 for blob in listed(container)] == [digest]
    found = container.find(A)
    assert found
    assert found.sha256 == digest


def test_a_file_that_is_asked_for_by_name_is_described_as_in_the_list(
    events: ContainerClient, container: EventContainer
) -> None:
    """The ETag has quotes in one answer of Blob Storage and none in the other.

    If they differed, a file without a digest would be pending again after each full sweep.
    """
    put(events, A)
    assert [container.find(A)] == listed(container)


def test_a_file_that_is_not_there_is_not_found(
    events: ContainerClient, container: EventContainer
) -> None:
    """A lifecycle rule may have removed it."""
    events.create_container()
    assert container.find(A) is None


def test_other_blobs_beside_event_files_are_ignored(
    events: ContainerClient, container: EventContainer
) -> None:
    """Their names differ from the pattern in one place."""
    put(events, A)
    for name in (
        "notes.txt",
        "events_.db",
        f"{A}.bak",
        f"old/{A}",
        A.replace("Z", ""),
        A.replace(".", "_"),
        A.replace("T", "t"),
    ):
        put(events, name)
    assert [blob.name for blob in listed(container)] == [A]


def test_a_container_that_does_not_exist_fails_the_sweep_and_names_the_setting(
    events: ContainerClient, container: EventContainer, world: World
) -> None:
    """A typo in the setting must not look like a quiet day."""
    with pytest.raises(StorageRefusedError) as raised:
        world.sweep(store=container)
    assert raised.value.text == (
        f"container {events.container_name} does not exist: check EVENTS_CONTAINER and "
        "EVENTS_STORAGE. The collector creates the container in its first poll"
    )


def test_a_container_with_blobs_but_no_event_file_fails_the_sweep(
    events: ContainerClient, container: EventContainer, world: World
) -> None:
    """It is another container, for example the one of the cursors."""
    put(events, f"{A}.bak")
    put(events, "zzz.txt")
    with pytest.raises(StorageRefusedError) as raised:
        world.sweep(store=container)
    assert raised.value.text == (
        f"container {events.container_name} has blobs, for example {A}.bak, but no event file "
        "(events_YYYYMMDDTHHMMSSZ.db): check EVENTS_CONTAINER"
    )


def test_the_list_is_read_page_by_page(events: ContainerClient, azurite: emulators.Server) -> None:
    """A page without event files is passed. Later pages are asked for only when they are needed."""
    pages = {None: ([f"{A}.bak"], "2"), "2": ([B, f"{B}.bak", A], "3"), "3": ([C], "")}

    def page(request: Request) -> Answer | None:
        query = parse_qs(urlsplit(request.path).query)
        names, following = pages[query.get("marker", [None])[0]]
        items = "".join(
            f"<Blob><Name>{name}</Name><Properties><Etag>e</Etag><Content-Length>1</Content-Length>"
            "<BlobType>BlockBlob</BlobType></Properties></Blob>"
            for name in names
        )
        return 200, (
            f'<?xml version="1.0"?><EnumerationResults><Blobs>{items}</Blobs>'
            f"<NextMarker>{following}</NextMarker></EnumerationResults>"
        ).encode()

    with proxy(azurite.port) as through, at(through.port, events.container_name) as container:
        through.before = page
        found = container.pages()
        assert [blob.name for blob in next(found)] == [A, B]
        assert len(through.seen) == 2
        assert [blob.name for blob in next(found)] == [C]
        assert next(found, None) is None
        assert len(through.seen) == 3


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "ResourceNotFound", StorageRefusedError),
        (403, "AuthorizationPermissionMismatch", StorageRefusedError),
        (412, "Unknown", StorageUnavailableError),
    ],
)
def test_another_error_of_the_list_is_told_as_it_is(
    events: ContainerClient,
    azurite: emulators.Server,
    status: int,
    code: str,
    kind: type[SyncError],
) -> None:
    """Only ``ContainerNotFound`` is about the name of the container.

    The code has the spelling of Microsoft's pages, so that an operator can look it up.
    """
    with proxy(azurite.port) as through, at(through.port, events.container_name) as container:
        through.before = lambda _: (status, error(code))
        with pytest.raises(kind, match=rf"^container {events.container_name}: No\. \({code}\)"):
            listed(container)


def test_a_file_that_must_not_be_asked_for_is_an_error(
    events: ContainerClient, azurite: emulators.Server
) -> None:
    """The error names the file. The client gives no code for an answer without a body."""
    with proxy(azurite.port) as through, at(through.port, events.container_name) as container:
        through.before = lambda _: (403, b"")
        with pytest.raises(StorageRefusedError, match=f"^event file {A}: "):
            container.find(A)


# -- downloads


def test_a_download_returns_the_digest_of_what_it_has_written(
    events: ContainerClient, container: EventContainer, tmp_path: Path
) -> None:
    """The file has several portions of a megabyte."""
    content = bytes(range(256)) * 10_000
    put(events, A, content=content, metadata={"sha256": "0" * 64})
    (blob,) = listed(container)
    assert container.download(blob, tmp_path / "x") == sha256(content)
    assert (tmp_path / "x").read_bytes() == content


@pytest.mark.parametrize("change", ["replaced", "removed", "new metadata"])
def test_a_file_that_changed_after_it_was_listed_is_not_downloaded(
    events: ContainerClient, container: EventContainer, tmp_path: Path, change: str
) -> None:
    """The next sweep lists it again, so nobody has to act."""
    put(events, A)
    (blob,) = listed(container)
    if change == "replaced":
        events.upload_blob(A, GOOD, overwrite=True)
    elif change == "removed":
        events.delete_blob(A)
    else:
        events.get_blob_client(A).set_blob_metadata({"sha256": "0" * 64})
    with pytest.raises(
        UnreadableBlobError, match=r"^it was changed or removed after it was listed: "
    ) as raised:
        container.download(blob, tmp_path / "x")
    assert not raised.value.needs_a_person


def test_a_file_that_changes_during_its_download_is_not_downloaded(
    events: ContainerClient, azurite: emulators.Server, tmp_path: Path
) -> None:
    """The download has several requests. All of them are about the listed content."""
    content = bytes(range(256)) * 10_000
    put(events, A, content=content)

    def replace(_: Request) -> None:
        through.after = lambda _: None
        events.upload_blob(A, content[::-1], overwrite=True)

    with proxy(azurite.port) as through, at(through.port, events.container_name) as container:
        (blob,) = listed(container)
        through.after = replace
        with pytest.raises(UnreadableBlobError, match=r"^it was changed or removed") as raised:
            container.download(blob, tmp_path / "x")
    assert not raised.value.needs_a_person


def test_an_archived_file_needs_a_person(
    events: ContainerClient, container: EventContainer, tmp_path: Path
) -> None:
    """The message says how to move it to a tier that can be read. Then it is downloaded."""
    put(events, A)
    events.get_blob_client(A).set_standard_blob_tier("Archive")
    (blob,) = listed(container)
    with pytest.raises(UnreadableBlobError) as raised:
        container.download(blob, tmp_path / "x")
    assert raised.value.needs_a_person
    assert raised.value.text == (
        "This operation is not permitted on an archived blob. (BlobArchived) – if it is archived, "
        "move it to another tier: az storage blob set-tier --tier Hot. It can be read some hours "
        "later"
    )
    events.get_blob_client(A).set_standard_blob_tier("Hot")
    (blob,) = listed(container)
    assert container.download(blob, tmp_path / "x") == sha256(GOOD)


@pytest.mark.parametrize(
    ("status", "code", "needs_a_person", "message"),
    [
        (409, "BlobBeingRehydrated", False, "it is on its way back from the archive tier: No. "),
        (409, "BlobArchived", True, "No. (BlobArchived) – if it is archived, move it"),
        (403, "AuthorizationFailure", True, f"event file {A}: No. (AuthorizationFailure)"),
        (404, "BlobNotFound", False, "it was changed or removed after it was listed: No. "),
    ],
)
def test_a_file_that_storage_refuses_is_unreadable(
    events: ContainerClient,
    azurite: emulators.Server,
    tmp_path: Path,
    status: int,
    code: str,
    needs_a_person: bool,
    message: str,
) -> None:
    """Other files may still be downloaded, so this is an error of one file."""
    put(events, A)
    with proxy(azurite.port) as through, at(through.port, events.container_name) as container:
        (blob,) = listed(container)
        through.before = lambda _: (status, error(code))
        with pytest.raises(UnreadableBlobError) as raised:
            container.download(blob, tmp_path / "x")
    assert raised.value.needs_a_person == needs_a_person
    assert str(raised.value).startswith(message)


def test_a_download_that_fails_for_now_is_no_error_of_the_file_alone(
    events: ContainerClient, azurite: emulators.Server, tmp_path: Path
) -> None:
    """If Storage is busy, the next file fails too. Only the sweep can see whether it does."""
    put(events, A)
    with proxy(azurite.port) as through, at(through.port, events.container_name) as container:
        (blob,) = listed(container)
        through.before = lambda _: (429, error("TooManyRequests"))
        with pytest.raises(StorageUnavailableError, match=f"^event file {A}: "):
            container.download(blob, tmp_path / "x")


def test_the_answer_to_a_try_that_is_repeated_keeps_no_connection(
    azurite: emulators.Server,
) -> None:
    """The storage client drops it unread, and keeps it in its history meanwhile."""
    with proxy(azurite.port) as through:
        through.before = lambda _: (503, error("ServerBusy"))
        retry = BoundedRetry(Budget.of(60, 600))
        request = HttpRequest("GET", f"http://127.0.0.1:{through.port}/")
        settings = retry.configure_retries(PipelineRequest(request, PipelineContext(None)))
        with RequestsTransport() as transport:
            answer = transport.send(request, stream=True)
            assert emulators.connections_to(through.port) == 1
            assert retry.increment(settings, request, response=answer)
            assert emulators.connections_to(through.port) == 0


# -- whole sweeps


def test_each_file_that_cannot_be_loaded_is_named_and_the_others_are_loaded(
    events: ContainerClient, azurite: emulators.Server, world: World
) -> None:
    """One file is archived, one is forbidden, one is not what its metadata says."""
    for name in (A, B, D):
        put(events, name)
    put(events, C, metadata={"sha256": "0" * 64})
    events.get_blob_client(A).set_standard_blob_tier("Archive")
    with proxy(azurite.port) as through, at(through.port, events.container_name) as container:
        through.before = lambda request: (
            (403, error("AuthorizationFailure")) if f"/{B}" in request.path else None
        )
        report = world.sweep(store=container)
    assert report.synced == [D]
    assert (list(report.refused), list(report.unavailable), report.left) == ([C], [A, B], 2)
    with pytest.raises(SweepFailedError) as raised:
        report.raise_if_failed()
    told = str(raised.value)
    assert f"{A}: This operation is not permitted on an archived blob" in told
    assert f"{B}: event file {B}: No. (AuthorizationFailure)" in told
    assert f"{C}: its content does not match the SHA-256 in its metadata" in told
    assert D not in told


def test_a_file_whose_download_always_fails_stops_no_other_file(
    events: ContainerClient, azurite: emulators.Server, world: World
) -> None:
    """Each sweep loads the files before and after it, and fails with the file's name."""
    put(events, A)
    put(events, B)
    with proxy(azurite.port) as through, at(through.port, events.container_name) as container:
        through.before = lambda request: (
            (500, error("InternalError")) if f"/{B}" in request.path else None
        )
        for names in ([A, C], [D]):
            put(events, names[-1])
            report = world.sweep(store=container)
            assert (report.synced, list(report.unavailable), report.left) == (names, [B], 1)
            with pytest.raises(FilesUnavailableError, match=rf"{B}: .*No\. \(InternalError\)"):
                report.raise_if_failed()
        through.before = lambda _: None
        assert world.sweep(store=container).synced == [B]


def test_a_storage_that_no_longer_answers_ends_the_sweep_after_the_retries_of_one_file(
    events: ContainerClient, azurite: emulators.Server, world: World
) -> None:
    """It is asked for no more files than are downloaded at once."""
    names = [blob_name(BEGUN_AT, number) for number in range(40)]
    for name in names:
        put(events, name)
    with proxy(azurite.port) as through, at(through.port, events.container_name) as container:
        through.before = lambda request: (
            None if "comp=list" in request.path else (503, error("ServerBusy"))
        )
        with pytest.raises(StorageUnavailableError, match=r"No\. \(ServerBusy\)"):
            world.sweep(store=container)
    assert len({it.path for it in through.seen if "/events_" in it.path}) == 4


@pytest.mark.parametrize("full", [False, True])
def test_a_sweep_only_reads_the_container(
    events: ContainerClient, azurite: emulators.Server, world: World, full: bool
) -> None:
    """Leases without an end, immutable blobs and an identity that may only read are no problem."""
    for name in (A, B):
        put(events, name)
    put(events, C, content=DAMAGED)
    events.acquire_lease()
    events.get_blob_client(A).acquire_lease()
    with proxy(azurite.port) as through, at(through.port, events.container_name) as container:
        through.before = lambda request: (
            None if request.method in ("GET", "HEAD") else (403, error("BlobImmutableDueToPolicy"))
        )
        for repeated in (False, full):
            report = world.sweep(store=container, full=repeated)
    assert (report.synced, report.left) == ([A, B] if full else [], 0)
    assert {request.method for request in through.seen} == ({"GET", "HEAD"} if full else {"GET"})


def test_an_empty_container_fails_the_sweep_only_because_the_collector_is_silent(
    events: ContainerClient, container: EventContainer, world: World
) -> None:
    """The collector has just made it, or it never ran with this container."""
    events.create_container()
    assert world.sweep(store=container) == Report("s1")
    (silence,) = world.sweep(store=container, patience=Patience(48, 24)).overdue
    assert "no event file has ever arrived" in str(silence)


def test_an_archived_file_fails_the_sweep_as_a_backlog_too(
    events: ContainerClient, container: EventContainer, world: World
) -> None:
    """The oldest file that waits is named, with the reason."""
    put(events, A)
    put(events, B)
    events.get_blob_client(A).set_standard_blob_tier("Archive")
    (backlog,) = world.sweep(store=container, patience=Patience(48, 0), hours=49).overdue
    assert str(backlog).startswith(
        f"{A} is still pending after 49.0 hours (MAX_BACKLOG_HOURS=48): This operation is not "
        "permitted on an archived blob. (BlobArchived) – if it is archived, move it"
    )


def test_a_file_without_a_digest_is_not_loaded_again_after_a_full_sweep(
    events: ContainerClient, container: EventContainer, world: World
) -> None:
    """A full sweep asks for it by name. Its load record must still fit the list."""
    put(events, A, metadata={})
    assert world.sweep(store=container).synced == [A]
    assert world.sweep(store=container, full=True).synced == [A]
    assert world.sweep(store=container).synced == []


def test_a_file_with_a_digest_in_capital_letters_is_loaded_once(
    events: ContainerClient, container: EventContainer, world: World
) -> None:
    """The digest of its content is compared without regard to case."""
    put(events, A, metadata={"Sha256": sha256(GOOD).upper()})
    assert world.sweep(store=container).synced == [A]
    assert world.sweep(store=container).synced == []


# -- the end of the time


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A port that accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server.getsockname()[1]


LISTED = EventBlob(A, 1, "etag", "")
OUT_OF_TIME = "{}: no time is left before the host ends the invocation; the next sweep goes on"


@pytest.mark.parametrize(
    ("about", "ask"),
    [
        ("container c", lambda container, _: list(container.pages())),
        (f"event file {A}", lambda container, _: container.find(A)),
        (f"event file {A}", lambda container, path: container.download(LISTED, path)),
    ],
    ids=["list", "find", "download"],
)
def test_a_silent_storage_is_given_up_when_the_time_of_the_sweep_is_over(
    tmp_path: Path, about: str, ask: Callable[[EventContainer, Path], object]
) -> None:
    """With time enough, it would be asked four times, for 91 seconds."""
    begun = time.monotonic()
    with silent_port() as port, at(port, "c", seconds=3) as container:
        with pytest.raises(OutOfTimeError) as raised:
            ask(container, tmp_path / "x")
        assert 2 < time.monotonic() - begun < 4.5
    assert raised.value.text == OUT_OF_TIME.format(about)


def test_a_silent_endpoint_of_the_identity_is_given_up_when_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client of the identity would wait for five minutes, several times."""
    budget = Budget.of(3, 3 + RESERVE_SECONDS)
    begun = time.monotonic()
    with silent_port() as port:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        with blobs.connect("", "https://localhost", "id", budget) as service:
            container = EventContainer(service, "c", budget)
            with pytest.raises(OutOfTimeError, match=r"^container c: no time is left"):
                list(container.pages())
    assert 2 < time.monotonic() - begun < 5


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


def test_a_persons_own_login_counts_and_not_the_machines_identity(
    az: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint of the identity is silent, and nobody asks it."""
    budget = Budget.of(60, 60 + RESERVE_SECONDS)
    with silent_port() as port:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        with blobs.connect("", "https://localhost", "id", budget, person=True) as service:
            container = EventContainer(service, "c", budget)
            with pytest.raises(StorageRefusedError, match="run az login, as a person who has"):
                list(container.pages())


def test_the_token_of_a_person_is_sent_to_storage(az: Path) -> None:
    """Nothing answers at the address, but the login is no problem."""
    az.write_text(
        """#!/bin/sh\necho '{"accessToken": "t", "expiresOn": "2099-01-01 00:00:00.000000","""
        """ "expires_on": 4070908800}'\n"""
    )
    budget = Budget.of(2, 2 + RESERVE_SECONDS)
    uri = f"https://127.0.0.1:{emulators.free_port()}/account"
    with blobs.connect("", uri, "", budget, person=True) as service:
        container = EventContainer(service, "c", budget)
        with pytest.raises((StorageUnavailableError, OutOfTimeError)) as raised:
            list(container.pages())
    assert "logged in" not in str(raised.value)
