"""The sync's doctor: a healthy set-up passes, and each check names what is broken.

The broken set-ups are those of ``tests/doctor-sync.md``.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

import pytest
from azure.storage.blob import (
    ContainerClient,
    ResourceTypes,
    Services,
    generate_account_sas,
)
from local.account import Account
from local.command_line import Done, sync_command
from local.doctor_checks import kind, named_in, seen
from local.emulators import AZURITE_KEY, Server, connection_string, free_port
from local.environments import REPOSITORY

from delete_sync.src.commands.storage_checks import reader
from delete_sync.src.commands.warehouse_checks import place
from delete_sync.src.commands.warehouse_checks import rows as judged
from delete_sync.src.run import opened
from delete_sync.src.warehouse.inspection import RIGHTS, Books, Who

from .conftest import PASSWORD, Place, Put

TABLE = REPOSITORY / "tests/doctor-sync.md"
STORAGE = "EVENTS_STORAGE"
NEWER = REPOSITORY / "tests/contract/broken/newer_version.db"


class Row(NamedTuple):
    """A row of the table."""

    what: str
    settings: str
    statements: str
    prepared: str
    check: str
    status: str
    says: str


def read_rows() -> list[Row]:
    lines = [line.strip("|").split("|") for line in TABLE.read_text().splitlines()]
    cells = [[cell.strip().strip("`") for cell in line] for line in lines if len(line) == 7]
    return [Row(*line) for line in cells if line[5] in ("warning", "failure")]


ROWS = read_rows()
KINDS = {kind(row.check) for row in ROWS}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The app's folder, as far as the doctor reads it."""
    shutil.copy(REPOSITORY / "delete_sync/requirements.txt", tmp_path)
    return tmp_path


@pytest.fixture
def healthy(place: Place, put: Put) -> Place:
    """A set-up after the first sweep."""
    put("e1", "e2")
    assert sync_command(place.settings, "sweep", "--yes").code == 0
    return place


class Broken:
    """What may be prepared before the doctor comes."""

    def __init__(
        self, place: Place, put: Put, events: ContainerClient, account: Account, app: Path
    ) -> None:
        self._place, self._put, self._events = place, put, events
        self._account, self._app = account, app

    def prepare(self, what: str) -> None:
        """Break what the row names."""
        ways: dict[str, Callable[[], object]] = {
            "": lambda: None,
            "an encrypted file": self._encrypted,
            "another requirements.txt": self._other_requirements,
            "foreign blobs alone": self._foreign,
            "no event file": self._empty,
            "a newer file": lambda: self._put(content=NEWER.read_bytes()),
            "a damaged file": lambda: self._put(content=b"not an event file"),
            "a changed file": self._changed,
            "a user with another role too": self._both_roles,
            "a session that ends": lambda: self._account.fault("end", "information_schema"),
            "an upload that fails": lambda: self._account.fault("refuse", "PUT ", number="000630"),
        }
        ways[what]()

    def _encrypted(self) -> None:
        content = {"IsEncrypted": True, "Values": {"A": "CfDJ8"}}
        (self._app / "local.settings.json").write_text(json.dumps(content))

    def _other_requirements(self) -> None:
        (self._app / "requirements.txt").write_text("azure-core==1.0.0\n")

    def _empty(self) -> None:
        for blob in self._events.list_blobs():
            self._events.delete_blob(blob.name)

    def _foreign(self) -> None:
        self._empty()
        self._events.upload_blob("notes.txt", b"x")

    def _changed(self) -> None:
        self._events.get_blob_client(self._put("e9")).set_blob_metadata({"sha256": "0" * 64})

    def _both_roles(self) -> None:
        more, user = f"more_{self._place.schema}", f"both_{self._place.schema}"
        self._place.run(
            f"CREATE ROLE {more}; GRANT USAGE ON DATABASE audit TO ROLE {more};"
            f"GRANT USAGE ON SCHEMA audit.salesforce TO ROLE {more};"
            f"GRANT INSERT ON TABLE delete_tracker_gaps TO ROLE {more};"
            f"CREATE USER {user} TYPE = SERVICE DEFAULT_ROLE = delete_sync_loader;"
            f"GRANT ROLE delete_sync_loader TO USER {user}; GRANT ROLE {more} TO USER {user}"
        )
        self._place.settings["SNOWFLAKE_USER"] = user


def made(value: str, azurite: Server) -> str:
    """The value for a text in ``<…>``."""
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


def changed(settings: Mapping[str, str], change: str, azurite: Server) -> dict[str, str]:
    if change == "*":
        return {}
    result = dict(settings)
    for part in filter(None, change.split(" + ")):
        name, equals, value = part.partition("=")
        result.pop(name, None)
        if equals:
            result[name] = made(value, azurite)
    return result


@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_the_doctor_names_what_is_broken(
    row: Row,
    healthy: Place,
    put: Put,
    azurite: Server,
    events: ContainerClient,
    account: Account,
    app: Path,
) -> None:
    """The finding has the check's name, its status, and what to do."""
    healthy.run(row.statements)
    Broken(healthy, put, events, account, app).prepare(row.prepared)
    settings = changed(healthy.settings, row.settings, azurite)
    call = sync_command(settings, "doctor", "--json", "--yes", folder=app)
    check = row.check.replace("<events>", events.container_name)
    found = [it for it in call.json["findings"] if it["check"] == check]
    assert [it for it in found if it["status"] == row.status], call.text
    assert [it for it in found if row.says in f"{it['told']} {it['cure']}"], found
    assert call.code == call.json["exit_code"] == (2 if row.check == "settings" else 1)
    assert all(it["cure"] for it in call.json["findings"] if it["status"] != "ok")
    assert seen(call.json["findings"]) <= KINDS
    others = [it for it in call.json["findings"] if it["status"] in ("failure", "warning")]
    assert {it["check"] for it in others} <= {check, "rows"}, others
    for secret in (AZURITE_KEY, PASSWORD, "sig="):
        assert secret not in call.text


def test_the_table_has_a_broken_set_up_for_each_check() -> None:
    """A new check needs a row. Each run of the doctor looks for those that no literal names."""
    assert len(ROWS) >= 12
    named = named_in(REPOSITORY / "delete_sync/src/commands")
    assert {"versions", "login", "format", "upload", "rights", "load"} <= named
    assert named <= KINDS
    lacking = {
        right for row in ROWS for right in re.findall(r"REVOKE (\w+) ON TABLE", row.statements)
    }
    assert lacking == {right for rights in RIGHTS.values() for right in rights}


def state(place: Place, events: ContainerClient) -> tuple[object, ...]:
    tables = ("", "_loads", "_lock", "_gaps", "_acknowledged", "_checks")
    return (
        [(blob.name, blob.etag) for blob in events.list_blobs()],
        [place.rows(f"SELECT * FROM delete_tracker{one} ORDER BY 1") for one in tables],
        place.rows("LIST @delete_tracker_stage"),
    )


def doctor(place: Place, app: Path, *options: str, typed: str | None = None) -> Done:
    return sync_command(place.settings, "doctor", *options, typed=typed, folder=app)


def test_a_healthy_set_up_passes_every_check_and_nothing_is_changed(
    healthy: Place, events: ContainerClient, app: Path, account: Account
) -> None:
    """Each check that can fail has passed, with the rights of the set-up and no more."""
    before = state(healthy, events)
    account.forget_statements()
    call = doctor(healthy, app, "--json", "--yes")
    assert call.code == 0, call.text
    assert {it["status"] for it in call.json["findings"]} == {"ok"}
    assert seen(call.json["findings"]) <= KINDS
    tables = [f"DELETE_TRACKER_{part.upper()}" for part in RIGHTS if part != "table"]
    assert [it["check"] for it in call.json["findings"]] == [
        *("versions", "settings", f"container {events.container_name}", "format"),
        *("login", "warehouse", "database", "schema"),
        *(
            f"{what} {one}"
            for one in ("DELETE_TRACKER", *tables)
            for what in ("table", "rights on")
        ),
        *("lock", "stage DELETE_TRACKER_STAGE", "rights on DELETE_TRACKER_STAGE"),
        *("rows", "load records", "duplicates", "upload to DELETE_TRACKER_STAGE"),
    ]
    sent = account.statements()
    loader = healthy.name("delete_sync_loader").upper()
    assert {one.role for one in sent} == {loader}
    assert {one.outcome for one in sent} == {"ok"}
    assert sent[0].line == "USE SECONDARY ROLES NONE"
    assert state(healthy, events) == before


@pytest.mark.parametrize("typed", [None, "n\n"])
def test_without_consent_nothing_is_uploaded(
    healthy: Place, app: Path, account: Account, typed: str | None
) -> None:
    """What was not tried is skipped, and that is no finding."""
    account.forget_statements()
    call = doctor(healthy, app, typed=typed)
    assert call.code == 0, call.text
    assert "skipped  upload to DELETE_TRACKER_STAGE: nothing may be written\n" in call.out
    assert "         → allow it with --yes, or answer the question with y\n" in call.out
    assert ", 0 warning, 0 failure, 1 skipped\n" in call.out
    assert ("May the doctor upload a line" in call.err) == (typed is not None)
    assert not [one for one in account.statements() if one.line.startswith("PUT")]


def test_an_upload_that_was_not_copied_leaves_nothing_on_the_stage(
    healthy: Place, app: Path, account: Account
) -> None:
    account.fault("refuse", "COPY INTO", number="000630")
    call = doctor(healthy, app, "--json", "--yes")
    assert call.code == 1
    assert healthy.rows("LIST @delete_tracker_stage") == []


@pytest.mark.parametrize(
    ("there", "loaded", "erased", "status"),
    [
        (5, 5, 0, "ok"),
        (4, 5, 0, "failure"),
        (4, 5, 1, "ok"),
        (3, 5, 1, "failure"),
        (6, 5, 0, "warning"),
        (6, 5, 2, "warning"),
        (5, 5, 2, "ok"),
    ],
)
def test_rows_may_be_fewer_by_those_that_erasing_removed(
    there: int, loaded: int, erased: int, status: str
) -> None:
    assert judged(Books(there, loaded, erased, 2), "T").status == status


@pytest.mark.parametrize(("newest", "status"), [(None, "ok"), (2, "ok"), (3, "failure")])
def test_load_records_of_a_newer_reader_are_a_failure(newest: int | None, status: str) -> None:
    assert reader(newest, 2).status == status


@pytest.mark.parametrize(
    ("warehouse", "schema", "status"),
    [
        ("W", "SALESFORCE", ["ok", "ok", "ok"]),
        (None, "SALESFORCE", ["failure", "ok", "ok"]),
        ("W", None, ["ok", "ok", "failure"]),
    ],
)
def test_a_session_may_have_no_warehouse_or_schema(
    blob_settings: Mapping[str, str],
    snowflake_settings: Mapping[str, str],
    warehouse: str | None,
    schema: str | None,
    status: list[str],
) -> None:
    """Snowflake may answer the first query also without a warehouse."""
    settings = {**blob_settings, **snowflake_settings, "SNOWFLAKE_SCHEMA": "salesforce"}
    with opened(settings) as app:
        found = list(place(app, Who("U", "R", warehouse, "AUDIT", schema)))
    assert [it.status for it in found] == status


def test_a_session_that_is_lost_is_a_failure(healthy: Place, app: Path, account: Account) -> None:
    """The other findings are told all the same."""
    account.fault("end", "information_schema")
    call = doctor(healthy, app, "--json")
    assert call.code == 1
    last = call.json["findings"][-1]
    assert (last["check"], last["status"]) == ("session", "failure")
    assert call.json["findings"][0]["check"] == "versions"
