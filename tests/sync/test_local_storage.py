"""The disk of the machine: what a sweep leaves on it, and a disk that is full or fails."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient
from local import emulators
from local.disk import no_file_larger_than
from local.event_files import delete
from local.in_memory import BEGUN_AT, World

from delete_sync.src.budget import Budget
from delete_sync.src.errors import LocalStorageError
from delete_sync.src.event_files import blobs
from delete_sync.src.event_files.blobs import EventContainer
from delete_sync.src.event_files.event_file import EventFile
from delete_sync.src.report import Report
from delete_sync.src.scratch import local_storage, scratch_folder
from salesforce_client.src.app.storage.blobs import blob_name
from salesforce_client.src.app.storage.event_file import EventFile as Writer

TWO_HOURS = 7200
Sweep = Callable[[], Report]


def write(path: Path, *payloads: str) -> Path:
    """An event file with a delete for each payload."""
    file = Writer(path, BEGUN_AT)
    file.add([delete(f"e{number}", payload=it) for number, it in enumerate(payloads)])
    file.close()
    return path


@pytest.fixture
def temporary(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary directory of the machine, instead of the one that ``world`` sets."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def pending(events: ContainerClient, tmp_path: Path) -> str:
    """The name of an event file that waits for a sweep."""
    events.create_container()
    name = blob_name(BEGUN_AT)
    events.upload_blob(name, write(tmp_path / "pending.db", "{}").read_bytes())
    return name


@pytest.fixture
def sweep(events: ContainerClient, azurite: emulators.Server, world: World) -> Iterator[Sweep]:
    """Runs a sweep over the container, into the warehouse in memory."""
    address = azurite.settings["EVENTS_STORAGE"]
    budget = Budget.of(600, 600)
    with blobs.connect(address, "", "", budget) as service:
        yield lambda: world.sweep(store=EventContainer(service, events.container_name, budget))


def age(path: Path, seconds: float) -> None:
    """Make ``path`` look as if its last change was ``seconds`` ago."""
    changed_at = time.time() - seconds
    os.utime(path, (changed_at, changed_at), follow_symlinks=False)


@pytest.mark.usefixtures("pending")
def test_a_sweep_removes_only_the_folders_that_killed_sweeps_left_behind(
    temporary: Path, tmp_path: Path, sweep: Sweep
) -> None:
    """A folder of a sweep that may still run stays. So do folders and links of other programs."""
    elsewhere = tmp_path / "elsewhere"
    folders = [
        temporary / "sf-delete-tracker-sweep-old",
        temporary / "sf-delete-tracker-sweep-fresh",
        temporary / "foreign",
        elsewhere,
    ]
    for folder in folders:
        folder.mkdir()
        (folder / "rows").write_bytes(b"rows")
    link = temporary / "sf-delete-tracker-link"
    link.symlink_to(elsewhere)
    for path in (folders[0], folders[2], elsewhere, link):
        age(path, TWO_HOURS)
    assert sweep().inserted == 1
    assert sorted(path.name for path in temporary.iterdir()) == [
        "foreign",
        "sf-delete-tracker-link",
        "sf-delete-tracker-sweep-fresh",
    ]
    assert (elsewhere / "rows").read_bytes() == b"rows"


def test_the_age_of_a_folder_to_remove_is_a_parameter(temporary: Path) -> None:
    """The age counts from the last change of the folder."""
    left = temporary / "sf-delete-tracker-sweep-old"
    left.mkdir()
    age(left, 100)
    with scratch_folder("poll", left_behind_seconds=200) as folder:
        assert folder.name.startswith("sf-delete-tracker-poll-")
        assert left.exists()
    with scratch_folder("poll", left_behind_seconds=50):
        assert not left.exists()
    assert list(temporary.iterdir()) == []


def test_a_disk_that_is_full_while_downloading_refuses_no_file(
    pending: str, sweep: Sweep, world: World
) -> None:
    """The sweep fails and says why. The next sweep with enough room loads the file."""
    with (
        no_file_larger_than(20_000),
        pytest.raises(LocalStorageError, match=rf"{pending}.*disk of this machine"),
    ):
        sweep()
    assert world.warehouse.records_kept == []
    assert sweep().inserted == 1


@pytest.mark.usefixtures("pending")
def test_a_machine_without_room_for_a_folder_refuses_no_file(
    sweep: Sweep, world: World, temporary: Path
) -> None:
    """The sweep fails before it connects to Snowflake."""
    temporary.rmdir()
    with pytest.raises(LocalStorageError, match="temporary files: No such file"):
        sweep()
    assert world.steps == []


def test_a_disk_that_fails_while_a_file_is_read_refuses_no_file(tmp_path: Path) -> None:
    """If a failure of the disk counted as damage, a good file would be refused for ever."""
    path = write(tmp_path / "x.db", *('{"a":"' + "x" * 700_000 + '"}' for _ in range(10)))
    folder = os.open(tmp_path, os.O_RDONLY)
    with EventFile(path, "x.db", "f" * 64) as file:
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                if link.readlink() == path:
                    os.dup2(folder, int(link.name))  # reading fails from now on
        with pytest.raises(LocalStorageError, match=r"x\.db: disk I/O error"):
            list(file.lines())
    os.close(folder)


def test_a_file_that_can_no_longer_be_opened_is_not_refused(tmp_path: Path) -> None:
    """Another program has removed the file, or too many files are open."""
    with pytest.raises(LocalStorageError, match="No such file"):
        EventFile(tmp_path / "gone.db", "x.db", "f" * 64)


def test_other_errors_of_sqlite_are_raised_unchanged(tmp_path: Path) -> None:
    """Only errors of the disk become a ``LocalStorageError``."""
    connection = sqlite3.connect(tmp_path / "x.db")
    with pytest.raises(sqlite3.OperationalError, match="no such table"), local_storage("x"):
        connection.execute("SELECT * FROM t")
    connection.close()
