"""The doctor: a healthy set-up passes, and each check names what is broken.

The broken set-ups are those of ``tests/doctor.md``.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest
from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ResourceTypes,
    Services,
    generate_account_sas,
)
from local.command_line import Done, command
from local.doctor_checks import kind, named_in, seen
from local.emulators import AZURITE_KEY, Server, connection_string, free_port
from local.environments import REPOSITORY

from salesforce_client.src.app.commands.installation import versions
from salesforce_client.src.app.commands.machine_checks import clock
from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, MockSalesforce
from salesforce_client.src.app.model.rows import Poll
from salesforce_client.src.app.model.times import is_ahead, timestamp
from salesforce_client.src.app.storage.event_file import EventFile

TABLE = REPOSITORY / "tests/doctor.md"
TOPIC = DEFAULT_TOPICS[0]
OTHER_ORG = "00DXX0000000001EAA"
STORAGE = "EVENTS_STORAGE"
CHECKED = {"SALESFORCE_TOPICS": TOPIC, "CHECK_OBJECTS": "Account"}


class Row(NamedTuple):
    """A row of the table."""

    what: str
    settings: str
    mock: str
    prepared: str
    check: str
    status: str
    says: str


def rows() -> list[Row]:
    lines = [line.strip("|").split("|") for line in TABLE.read_text().splitlines()]
    cells = [[cell.strip().strip("`") for cell in line] for line in lines if len(line) == 7]
    return [Row(*line) for line in cells if line[5] in ("warning", "failure")]


ROWS = rows()
KINDS = {kind(row.check) for row in ROWS}


class Place:
    """A set-up in which something is prepared before the doctor comes."""

    def __init__(
        self,
        org_id: str,
        events: ContainerClient,
        cursors: ContainerClient,
        folder: Path,
    ) -> None:
        self.org_id = org_id
        self.events = events
        self.cursors = cursors
        self.folder = folder
        (folder / "requirements.txt").write_text(
            (REPOSITORY / "salesforce_client/requirements.txt").read_text()
        )
        for container in (events, cursors):
            container.create_container()

    def prepare(self, what: str) -> None:
        """Break what the row names."""
        hours_ago = re.fullmatch(r"a cursor of (-?\d+) hours", what)
        if hours_ago:
            self.cursor(hours=int(hours_ago[1]))
        elif what:
            ways: dict[str, Callable[[], object]] = {
                "a cursor": self.cursor,
                "no poll yet": lambda: None,
                "an encrypted file": self.encrypted,
                "another requirements.txt": self.other_requirements,
                "a cursor that is no JSON": lambda: self.put_cursor(self.org_id, b"{"),
                "a cursor of another topic": lambda: self.cursor(topic="/event/Other__e"),
                "cursors of another org": self.two_orgs,
                "cursors of another org alone": self.other_org,
                "a cursor with a lease without end": lambda: self.leased(-1),
                "a cursor with a lease of a minute": lambda: self.leased(60),
                "progress with a lease without end": self.leased_progress,
                "a foreign blob": lambda: self.events.upload_blob("notes.txt", b"x"),
                "a poll of 30 hours ago": lambda: self.poll(hours=30),
                "a poll of -2 hours ago": lambda: self.poll(hours=-2),
                "a poll of -240 hours ago, and three that failed": self.failing_since_the_future,
                "polls of -240 and of 30 hours ago": self.silent_since_the_future,
                "a poll that failed": lambda: self.poll(error="SalesforceUnavailableError: x"),
            }
            ways[what]()

    def encrypted(self) -> None:
        """The settings as ``func`` may fetch them."""
        content = {"IsEncrypted": True, "Values": {"A": "CfDJ8"}}
        (self.folder / "local.settings.json").write_text(json.dumps(content))

    def other_requirements(self) -> None:
        """Pins of another release."""
        (self.folder / "requirements.txt").write_text("grpcio==1.0.0\n")

    def put_cursor(self, org_id: str, content: bytes) -> None:
        """Store a cursor's blob."""
        self.cursors.upload_blob(f"{org_id}{TOPIC}.json", content, overwrite=True)

    def cursor(self, hours: float = 0, topic: str = TOPIC) -> None:
        """Store a cursor of this age."""
        at = timestamp(datetime.now(timezone.utc) - timedelta(hours=hours))
        fields = {"org_id": self.org_id, "topic": topic, "replay_id": "AAAAAAAAAAAAAA=="}
        content = {**fields, "event_id": None, "position_at": at, "source": "event"}
        self.put_cursor(self.org_id, json.dumps(content).encode())

    def leased(self, seconds: int) -> None:
        """Store a cursor, and lease it."""
        self.cursor()
        self.cursors.get_blob_client(f"{self.org_id}{TOPIC}.json").acquire_lease(seconds)

    def leased_progress(self) -> None:
        """Store the progress of a check, and lease it."""
        name = f"{self.org_id}/check/Account.json"
        self.cursors.upload_blob(name, b"{}").acquire_lease(-1)

    def other_org(self) -> None:
        """Store a cursor of another org."""
        self.put_cursor(OTHER_ORG, b"{}")

    def two_orgs(self) -> None:
        """Store cursors of both orgs."""
        self.cursor()
        self.other_org()

    def failing_since_the_future(self) -> None:
        """Upload the file of a poll of the future, and those of polls that failed since."""
        self.poll(hours=-240)
        for hours in (0.5, 1, 1.5):
            self.poll(hours, error="AuthenticationError: x")

    def silent_since_the_future(self) -> None:
        """Upload the file of a poll of the future, and that of an old one."""
        self.poll(hours=-240)
        self.poll(hours=30)

    def poll(self, hours: float = 0.5, error: str | None = None) -> None:
        """Upload the file of a poll."""
        began_at = datetime.now(timezone.utc) - timedelta(hours=hours)
        at = timestamp(began_at)
        file = EventFile(self.folder / f"{uuid.uuid4().hex}.db", began_at)
        file.add(
            [
                Poll(
                    *("p", self.org_id, "0", TOPIC, at, at, None, "failed" if error else "idle"),
                    *(at, 0, 0, 0, 0, 0, 0, error),
                )
            ]
        )
        file.close()
        name = f"events_{began_at:%Y%m%dT%H%M%SZ}.db"
        self.events.upload_blob(name, file.path.read_bytes())


@contextlib.contextmanager
def an_hour_ahead() -> Iterator[str]:
    """A server whose clock is an hour ahead. It refuses every login. Yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(400)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.do_HEAD()

        def date_time_string(self, timestamp: float | None = None) -> str:
            later = datetime.now(timezone.utc) + timedelta(hours=1)
            return f"{later:%a, %d %b %Y %H:%M:%S GMT}"

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def made(value: str, azurite: Server, stack: contextlib.ExitStack) -> str:
    """The value for a text in ``<…>``."""
    if value == "<an hour ahead>":
        return stack.enter_context(an_hour_ahead())
    if value == "<nothing>":
        return f"http://127.0.0.1:{free_port()}"
    if value == "<no storage>":
        return connection_string(free_port())
    if value == "<another key>":
        return azurite.settings[STORAGE].replace("AccountKey=E", "AccountKey=F")
    if match := re.fullmatch("<SAS: (.*)>", value):
        sas = generate_account_sas(
            "devstoreaccount1",
            AZURITE_KEY,
            ResourceTypes(container=True, object=True),
            match[1],
            datetime.now(timezone.utc) + timedelta(hours=1),
            services=Services(blob=True),
        )
        endpoint = f"http://127.0.0.1:{azurite.port}/devstoreaccount1"
        return f"BlobEndpoint={endpoint};SharedAccessSignature={sas}"
    return value


def changed(
    settings: Mapping[str, str], change: str, azurite: Server, stack: contextlib.ExitStack
) -> dict[str, str]:
    if change == "*":
        return {}
    result = dict(settings)
    for part in filter(None, change.split(" + ")):
        name, equals, value = part.partition("=")
        result.pop(name, None)
        if equals:
            result[name] = made(value, azurite, stack)
    return result


def place_of(
    mock: MockSalesforce, events: ContainerClient, cursors: ContainerClient, folder: Path
) -> Place:
    return Place(mock.org.org_id, events, cursors, folder)


def blobs(*containers: ContainerClient) -> list[tuple[str, str]]:
    return [(blob.name, blob.etag) for one in containers for blob in one.list_blobs()]


def doctor(settings: Mapping[str, str], folder: Path, *options: str) -> Done:
    return command(settings, "doctor", "--listen", "0.5", *options, folder=folder)


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_the_doctor_names_what_is_broken(
    row: Row,
    azurite: Server,
    blob_settings: Mapping[str, str],
    events: ContainerClient,
    cursors: ContainerClient,
    tmp_path: Path,
) -> None:
    """The finding has the check's name, its status, and what to do."""
    with (
        contextlib.ExitStack() as stack,
        MockSalesforce(3600, faults=row.mock, keepalive_seconds=0.2) as mock,
    ):
        place = place_of(mock, events, cursors, tmp_path)
        place.prepare(row.prepared)
        settings = {**blob_settings, **mock.settings, **CHECKED}
        settings = changed(settings, row.settings, azurite, stack)
        call = doctor(settings, tmp_path, "--json", "--yes")
        key = Path(mock.settings["SALESFORCE_PRIVATE_KEY_FILE"]).read_text().splitlines()[1]
    check = row.check.replace("<topic>", TOPIC).replace("<events>", events.container_name)
    check = check.replace("<cursors>", cursors.container_name)
    found = [it for it in call.json["findings"] if it["check"] == check]
    assert [it for it in found if it["status"] == row.status], call.text
    assert [it for it in found if row.says in f"{it['told']} {it['cure']}"], found
    assert call.code == call.json["exit_code"] == (2 if row.check == "settings" else 1)
    assert all(it["cure"] for it in call.json["findings"] if it["status"] != "ok")
    assert seen(call.json["findings"]) <= KINDS
    for secret in (AZURITE_KEY, key, *mock.tokens.issued, "sig="):
        assert secret not in call.text


def test_the_status_too_tells_of_failed_polls_behind_a_file_of_the_future(
    mock: MockSalesforce,
    blob_settings: Mapping[str, str],
    events: ContainerClient,
    cursors: ContainerClient,
    tmp_path: Path,
) -> None:
    """Nobody would look for a failure if the poll of the future counted as the last one."""
    place_of(mock, events, cursors, tmp_path).failing_since_the_future()
    call = command({**blob_settings, **mock.settings, **CHECKED}, "status", "--json")
    assert call.json["topics"][0]["note"] == "the last poll failed: AuthenticationError"


def test_the_table_has_enough_broken_set_ups() -> None:
    """A new check needs a row. Each run of the doctor looks for those that no literal names."""
    assert len(ROWS) >= 30
    named = named_in(REPOSITORY / "salesforce_client/src/app/commands")
    assert {"versions", "clock", "org", "topic", "limits", "MOCK_MODE", "last"} <= named
    assert named <= KINDS


@pytest.fixture
def healthy(
    mock: MockSalesforce,
    blob_settings: Mapping[str, str],
    events: ContainerClient,
    cursors: ContainerClient,
    tmp_path: Path,
) -> tuple[dict[str, str], Path]:
    """Settings with which everything is well after the first poll, and the app's folder."""
    place_of(mock, events, cursors, tmp_path)
    settings = {**blob_settings, **mock.settings, **CHECKED}
    unchecked = {**settings, "CHECK_OBJECTS": "none"}
    assert command(unchecked, "poll", "--yes").code == 0
    return settings, tmp_path


def test_a_healthy_set_up_passes_every_check_and_nothing_is_left_behind(
    healthy: tuple[dict[str, str], Path], events: ContainerClient, cursors: ContainerClient
) -> None:
    """Each check that can fail has passed."""
    before = blobs(events, cursors)
    call = doctor(*healthy, "--json", "--yes")
    assert call.code == 0, call.text
    assert {it["status"] for it in call.json["findings"]} == {"ok"}
    assert seen(call.json["findings"]) <= KINDS
    checks = [it["check"] for it in call.json["findings"]]
    assert checks == [
        *("versions", "settings", "clock", "login"),
        *(f"container {events.container_name}", f"container {cursors.container_name}"),
        *(f"names in {events.container_name}", "last poll", "org"),
        *(f"leases in {cursors.container_name}", f"topic {TOPIC}", f"schema of {TOPIC}"),
        *(f"stream of {TOPIC}", f"cursor of {TOPIC}"),
        *("limits", "DailyDeliveredPlatformEvents", "DailyApiRequests", "rights on Account"),
        *(f"write {events.container_name}", f"write {cursors.container_name}"),
    ]
    assert blobs(events, cursors) == before


def test_in_a_pipe_each_finding_is_a_line_with_what_to_do_below(
    healthy: tuple[dict[str, str], Path], events: ContainerClient
) -> None:
    """The last line counts them."""
    call = doctor(*healthy)
    assert f"skipped  write {events.container_name}: nothing may be written\n" in call.out
    assert "         → allow it with --yes, or answer the question with y\n" in call.out
    assert call.out.endswith("18 ok, 0 warning, 0 failure, 2 skipped\n")
    assert call.code == 0


@pytest.mark.parametrize("typed", [None, "n\n"])
def test_without_consent_the_doctor_writes_nothing(
    healthy: tuple[dict[str, str], Path], azurite: Server, typed: str | None
) -> None:
    """With rights to read alone, nothing fails then, and what was not tried is skipped."""
    settings, folder = healthy
    with contextlib.ExitStack() as stack:
        read_only = changed(settings, f"{STORAGE}=<SAS: rl>", azurite, stack)
    call = command(read_only, "doctor", "--listen", "0.1", typed=typed, folder=folder)
    assert call.code == 0, call.text
    assert "2 skipped" in call.out
    assert ("May the doctor write" in call.err) == (typed is not None)


def test_before_the_first_poll_there_is_nothing_to_write_into(
    mock: MockSalesforce,
    blob_settings: Mapping[str, str],
    service: BlobServiceClient,
    events: ContainerClient,
    cursors: ContainerClient,
    tmp_path: Path,
) -> None:
    """The doctor creates no container."""
    (tmp_path / "requirements.txt").write_text("")
    settings = {**blob_settings, **mock.settings, **CHECKED}
    call = doctor(settings, tmp_path, "--json", "--yes")
    assert call.code == 0, call.text
    assert not events.exists()
    assert not cursors.exists()
    skipped = [it["cure"] for it in call.json["findings"] if it["status"] == "skipped"]
    assert skipped == ["run a poll first"] * 2


@pytest.mark.parametrize(
    ("seconds", "status", "told"),
    [
        (121, "failure", "121 s ahead of Salesforce's"),
        (-121, "failure", "121 s behind Salesforce's"),
        (120, "warning", "120 s ahead of Salesforce's"),
        (-31, "warning", "31 s behind Salesforce's"),
        (30, "ok", "30 s ahead of Salesforce's"),
    ],
)
def test_a_clock_may_differ_by_half_a_minute(seconds: float, status: str, told: str) -> None:
    """From two minutes on, Salesforce may refuse the JWT."""
    found = clock(seconds)
    assert (found.status, found.told) == (status, told)


@pytest.mark.parametrize(("age", "ahead"), [(-301, True), (-300, False), (300, False)])
def test_a_time_is_in_the_future_if_no_clock_differs_by_so_much(age: float, ahead: bool) -> None:
    """Five minutes, as for the publishing time of an event."""
    assert is_ahead(age) == ahead


def test_the_versions_are_those_of_requirements_txt(tmp_path: Path) -> None:
    """A package that is not installed is for another Python. Any of several pins is right."""
    file = tmp_path / "requirements.txt"
    file.write_text("a==1.0 ; python_version < '3.10'\na==2.0\nb>=1\nc==3.0\n")
    installed = {"a": "1.0"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    assert versions(file, (3, 9), (3, 9, 1), version).status == "ok"
    assert versions(file, (3, 9), (3, 8, 20), version).status == "failure"
    installed["c"] = "3.1"
    found = versions(file, (3, 9), (3, 9, 1), version)
    assert found.told == "Python 3.9.1, and other packages than in requirements.txt: c 3.1"
    assert versions(tmp_path / "none", (3, 9), (3, 9, 1), version).status == "warning"
