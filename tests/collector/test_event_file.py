"""How event files are written: memory, full files, duplicate keys, and a full disk."""

from __future__ import annotations

import itertools
import resource
import signal
import sqlite3
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from salesforce_client.src.app.errors import LocalStorageError
from salesforce_client.src.app.model.rows import Delete, RejectedEvent, Schema
from salesforce_client.src.app.storage.event_file import EventFile

REPOSITORY = Path(__file__).resolve().parent.parent.parent
WRITE = """
import re, sys
from datetime import datetime, timezone
from pathlib import Path
from salesforce_client.src.app.model.rows import Delete
from salesforce_client.src.app.storage.event_file import EventFile

def rows(response, count):
    return [
        Delete(f"{response}:{row}", "t", "o", "r", "u", "d", None, "x" * 1800, "i", b"", "s")
        for row in range(count)
    ]

file = EventFile(Path(sys.argv[1]), datetime.now(timezone.utc))
for response in range(100):
    file.add(rows(response, 900 + response))
file.close()
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def test_memory_does_not_grow_with_responses_of_different_sizes(tmp_path: Path) -> None:
    """A response may have any number of rows, as a change may name many records.

    The rows of earlier responses must not stay in memory.
    """
    command = [sys.executable, "-c", WRITE, str(tmp_path / "x.db")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 48  # MiB; SQLite's page cache takes 16 of them


BEGUN_AT = datetime(2026, 2, 1, tzinfo=timezone.utc)


def delete(number: int) -> Delete:
    return Delete(f"e{number}", "t", "o", "r", "u", "d", None, "x" * 1800, "i", b"", "s")


def test_a_file_is_full_by_rows_or_by_bytes(tmp_path: Path) -> None:
    """The limit that is reached first counts.

    Bytes are limited because a file is in memory while it is uploaded.
    """
    by_rows, by_bytes = (
        EventFile(tmp_path / "1.db", BEGUN_AT),
        EventFile(tmp_path / "2.db", BEGUN_AT, fill_bytes=300_000),
    )
    for file in (by_rows, by_bytes):
        file.add([delete(number) for number in range(9)])
        assert not file.is_full(10)
    by_rows.add([delete(9)])
    assert by_rows.is_full(10)
    by_bytes.add([delete(number) for number in range(10, 200)])
    assert by_bytes.is_full(1_000_000)
    for file in (by_rows, by_bytes):
        file.close()


def test_closing_a_file_flushes_it_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash of the machine right after the upload must do no harm.

    A large file is written again with larger pages. This must not switch the flushing off.
    """
    said: list[str] = []

    class Connection(sqlite3.Connection):
        """A connection that records its statements."""

        def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
            """Record the statement, then execute it."""
            said.append(statement)
            return super().execute(statement, *values)

    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *given, **options: connect(*given, **options, factory=Connection)
    )
    begin = ["PRAGMA synchronous = OFF", "PRAGMA synchronous = FULL", "BEGIN"]
    for rows, expected in ((1, [*begin, "COMMIT"]), (600, [*begin, "COMMIT", *begin, "COMMIT"])):
        said.clear()
        file = EventFile(tmp_path / f"{rows}.db", BEGUN_AT)
        file.add([delete(number) for number in range(rows)])
        file.close()
        assert [
            statement
            for statement in said
            if "synchronous" in statement or statement in ("BEGIN", "COMMIT")
        ] == expected


def test_of_rows_with_the_same_key_the_earliest_stays(tmp_path: Path) -> None:
    """The time decides, then the topic. The order in which the rows are added does not matter."""
    early, late = (
        delete(1)._replace(ingested_at="2026-01", topic="/b"),
        delete(1)._replace(ingested_at="2026-02", topic="/a"),
    )
    other = early._replace(topic="/a")
    for number, order in enumerate(itertools.permutations((early, late, other))):
        file = EventFile(tmp_path / f"{number}.db", BEGUN_AT)
        for row in order:
            file.add([row])
        file.close()
        connection = sqlite3.connect(file.path)
        assert connection.execute("SELECT ingested_at, topic FROM events").fetchall() == [
            ("2026-01", "/a")
        ]
        connection.close()


def test_rows_keep_their_values(tmp_path: Path) -> None:
    """Rows of several statements, each with its own replay id, also an empty one."""
    rows = [
        delete(number)._replace(replay_id=b"\0\xff" * (number % 9), owner_id=f"{number}")
        for number in range(250)
    ]
    file = EventFile(tmp_path / "x.db", BEGUN_AT)
    file.add(rows)
    file.close()
    connection = sqlite3.connect(file.path)
    columns = ", ".join(Delete._fields)
    assert connection.execute(f"SELECT {columns} FROM events ORDER BY id").fetchall() == rows
    connection.close()


@pytest.mark.parametrize(
    ("rows", "page_bytes", "most_bytes"),
    [(0, 4096, 70_000), (20, 4096, 130_000), (600, 32768, 1_900_000), (5000, 32768, 12_000_000)],
)
@pytest.mark.parametrize("at_once", [1, 100, 5000])
def test_a_file_has_small_pages_until_it_is_large(
    tmp_path: Path, rows: int, page_bytes: int, most_bytes: int, at_once: int
) -> None:
    """Each table and each key needs a page of its own, so small pages make a small file small.
    Large pages waste less space with many rows. The change keeps all rows, their order and the
    format's version.
    """
    file = EventFile(tmp_path / "x.db", BEGUN_AT)
    for start in range(0, rows, at_once):
        file.add([delete(number) for number in range(start, min(start + at_once, rows))])
    file.close()
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]
    assert file.path.stat().st_size < most_bytes
    connection = sqlite3.connect(file.path)
    for pragma, value in (
        ("page_size", page_bytes),
        ("user_version", 2),
        ("application_id", 0x53446454),
        ("journal_mode", "delete"),
        ("quick_check", "ok"),
    ):
        assert connection.execute(f"PRAGMA {pragma}").fetchone() == (value,)
    assert connection.execute("SELECT id, event_id FROM events ORDER BY id").fetchall() == [
        (number + 1, f"e{number}") for number in range(rows)
    ]
    connection.close()


def test_a_schema_is_kept_once_for_all_rejected_events(tmp_path: Path) -> None:
    """Each response with rejected events adds its schema again."""
    file = EventFile(tmp_path / "x.db", BEGUN_AT)
    for number in range(2):
        file.add(
            [
                RejectedEvent(str(number), "t", "e", b"", "s", b"\xff", "error", "i"),
                Schema("s", '{"type":"record"}'),
            ]
        )
    file.close()
    connection = sqlite3.connect(file.path)
    assert connection.execute("SELECT * FROM schemas").fetchall() == [("s", '{"type":"record"}')]
    assert connection.execute("SELECT count(*) FROM rejected_events").fetchone() == (2,)
    connection.close()


def test_a_full_disk_is_an_error_of_this_machine(tmp_path: Path) -> None:
    """The error appears when a file is created, when rows are added, or when the file is closed."""
    with pytest.raises(LocalStorageError, match="unable to open"):
        EventFile(tmp_path / "absent/x.db", BEGUN_AT)
    file = EventFile(tmp_path / "x.db", BEGUN_AT)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, limit[1]))
    try:
        some = [delete(number) for number in range(100_000)]  # more than SQLite keeps in memory
        with pytest.raises(
            LocalStorageError, match=r"event file x\.db: (disk I/O error|database or disk is full)"
        ):
            file.add(some)
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            file.close()  # nobody can finish a file with half of its rows
        short = EventFile(tmp_path / "y.db", BEGUN_AT)
        short.add([delete(number) for number in range(300)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limit[1]))
        with pytest.raises(LocalStorageError, match=r"event file y\.db"):
            short.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
