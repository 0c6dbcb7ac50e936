"""The demo: what it prints at 80 columns, the commands that it names, and what it leaves behind."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pytest
from local import emulators, environments, installation, node, screen
from local.emulators import free_port, in_use
from local.environments import LOCAL, REPOSITORY
from local.installation import Part

COLUMNS = 80
START = """
import signal, sys
# As in a terminal: what starts the tests may ignore signals, as nohup does.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, "tests")
import demo
sys.exit(demo.main(sys.argv[3:], int(sys.argv[1]), int(sys.argv[2])))
"""


@dataclass(frozen=True)
class Demo:
    """A demo in a process group of its own, as a terminal makes it.

    Attributes:
        temporary: the folder for temporary files, which is empty at the start.
    """

    process: subprocess.Popen[str]
    blob_port: int
    snowflake_port: int
    temporary: Path

    def read_until(self, words: str) -> list[str]:
        """The lines up to the one with these words."""
        assert self.process.stdout
        lines = []
        for line in self.process.stdout:
            lines.append(line.rstrip("\n"))
            if words in line:
                return lines
        raise AssertionError("\n".join(lines))

    @property
    def left(self) -> list[str]:
        """What is in the folder for temporary files."""
        return [it.name for it in self.temporary.iterdir()]


@contextlib.contextmanager
def running(temporary: Path, *options: str) -> Iterator[Demo]:
    """A demo whose emulators have free ports."""
    ports = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", START, *map(str, ports), *options],
        cwd=REPOSITORY,
        env={**os.environ, "COLUMNS": str(COLUMNS), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    try:
        yield Demo(process, *ports, temporary)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


# -- one whole run


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Demo, list[str]]]:
    """A demo with ``--keep`` that has done its work, and what it printed. Ctrl-C ends it."""
    temporary = tmp_path_factory.mktemp("temporary")
    with running(temporary, "--keep") as demo:
        yield demo, demo.read_until("press Ctrl-C")
        assert demo.left
        os.killpg(demo.process.pid, signal.SIGINT)
        assert demo.process.wait(30) == 0
        assert demo.left == []


def test_the_demo_fits_in_80_columns_and_finds_all_deletes(kept: tuple[Demo, list[str]]) -> None:
    """A value that is missing is NULL. No heading is an expression of SQL."""
    _, lines = kept
    assert [line for line in lines if len(line) > COLUMNS] == []
    text = "\n".join(lines)
    assert "  0 missing, 0 duplicated, 0 unknown" in text
    (hidden, found) = re.findall(r"([\d,]+) deletes that no event told of, ([\d,]+) found", text)[0]
    assert hidden == found != "0"
    assert "NULL" in text
    assert "None" not in text
    headings = [lines[at - 1] for at, line in enumerate(lines) if line.startswith("  ──")]
    assert len(headings) >= 9
    assert [it for it in headings if not re.fullmatch(r"[a-z_ ]+", it)] == []


def test_the_demo_counts_deletes_by_the_day_on_which_they_happened(
    kept: tuple[Demo, list[str]],
) -> None:
    """All of them arrived today."""
    _, lines = kept
    at = next(at for at, line in enumerate(lines) if "Deletes by day" in line)
    days = [date.fromisoformat(line.split()[0]) for line in lines[at + 3 : lines.index("", at)]]
    assert len(days) >= 15
    assert days == sorted(set(days), reverse=True)


def test_the_query_that_the_demo_prints_works(kept: tuple[Demo, list[str]]) -> None:
    """Only the port is another one here. The README has the same query."""
    demo, lines = kept
    text = "\n".join(lines)
    (query,) = re.findall(r"^    (\.venv/bin/python .*?)\n\n", text, re.DOTALL | re.MULTILINE)
    assert query.replace("\n    ", "\n") in (REPOSITORY / "README.md").read_text()
    answer = subprocess.run(
        ["bash", "-c", query.replace(" query ", " query --json ")],
        cwd=REPOSITORY,
        env={**os.environ, "SNOWFLAKE_PORT": str(demo.snowflake_port)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    told = json.loads(answer.stdout)
    assert len(told["rows"]) == 10
    assert "DELETES" in map(str.upper, told["columns"])


def test_the_launcher_commands_that_the_demo_prints_exist(kept: tuple[Demo, list[str]]) -> None:
    """They run the functions without ``func``. Other tests run the launcher."""
    _, lines = kept
    commands = [line.split() for line in lines if "tests/launch.py" in line]
    assert [it[2] for it in commands] == ["salesforce_client", "delete_sync"]
    for _, script, app in commands:
        assert (REPOSITORY / script).is_file()
        assert (REPOSITORY / app / "host.json").is_file()


@pytest.mark.parametrize("taken", ["blob", "snowflake"])
def test_a_second_demo_is_told_who_may_be_on_its_port(
    kept: tuple[Demo, list[str]], taken: str
) -> None:
    """It starts and installs nothing."""
    demo, _ = kept
    blob = demo.blob_port if taken == "blob" else free_port()
    snowflake = demo.snowflake_port if taken == "snowflake" else free_port()
    second = subprocess.run(
        [sys.executable, "-c", START, str(blob), str(snowflake), "--keep"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    what, who = {
        "blob": ("Azurite", "an Azurite of your own (npm, Docker, VS Code or Visual Studio)"),
        "snowflake": ("the stand-in for Snowflake", "a server of your own"),
    }[taken]
    port = blob if taken == "blob" else snowflake
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr == (
        f"demo: {what} needs port {port}, and a program already listens there.\n"
        f"It may be another demo with --keep, or {who}. Nothing was started.\n"
        "End that program, or run the demo without --keep: it then takes free ports.\n"
        f"`lsof -i :{port}` shows the program.\n"
    )


def test_a_port_that_another_program_has_on_all_addresses_is_in_use() -> None:
    """A connection that has ended does not count."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        server.accept()[0].close()  # the side that closes first keeps the port for a while
        client.close()
        assert in_use(port)
    assert not in_use(port)
    with socket.create_server(("", 0)) as server:
        assert in_use(server.getsockname()[1])


def test_an_emulator_whose_port_another_program_takes_tells_what_it_said() -> None:
    """That the port answers does not show that the emulator runs."""
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(RuntimeError, match=r"(?s)^Azurite ended with exit code 1 .*EADDRINUSE"),
        emulators.azurite(other.getsockname()[1]),
    ):
        pytest.fail("it counts as running")


# -- an end before the end


@pytest.mark.parametrize(
    ("words", "number", "to_all", "code"),
    [
        ("Start Azurite", signal.SIGINT, True, 130),
        ("Start Azurite", signal.SIGHUP, True, 129),
        ("On the mock's clock", signal.SIGINT, True, 130),
        ("On the mock's clock", signal.SIGTERM, False, 143),
    ],
    ids=["Ctrl-C at the start", "the terminal is closed", "Ctrl-C in a poll", "SIGTERM in a poll"],
)
def test_a_demo_that_is_interrupted_leaves_nothing_behind(
    words: str, number: signal.Signals, to_all: bool, code: int, tmp_path: Path
) -> None:
    """A terminal sends Ctrl-C to all its processes, and other senders to the demo only."""
    with running(tmp_path, "--keep") as demo:
        demo.read_until(words)
        (os.killpg if to_all else os.kill)(demo.process.pid, number)
        assert demo.process.wait(60) == code
        assert demo.process.stdout
        assert "Traceback" not in demo.process.stdout.read()
        assert demo.left == []
        assert not in_use(demo.blob_port)
        assert not in_use(demo.snowflake_port)
        with pytest.raises(ProcessLookupError):  # no process of the group is left
            os.killpg(demo.process.pid, 0)


class Impatient(io.StringIO):
    """A terminal at which somebody presses Ctrl-C as soon as a line is there."""

    def flush(self) -> None:
        """Press it."""
        raise KeyboardInterrupt


def test_ctrl_c_ends_the_demo_as_soon_as_it_is_named() -> None:
    with contextlib.redirect_stdout(Impatient()) as told:
        screen.until_ctrl_c("until you press Ctrl-C", "more")
    assert told.getvalue() == "\n── until you press Ctrl-C\n"


# -- tables

NAMES = ["object_name", "deletes", "last", "note"]
ROWS = [
    ("Account", 12345, datetime(2026, 2, 1, 12, 30, 59, 999), None),
    (None, None, None, "a\nb"),
]


@pytest.mark.parametrize("room", [43, 44, 80, 120, 200])
def test_a_table_is_never_wider_than_the_terminal(room: int) -> None:
    """The last columns are left out, and a line names them."""
    lines = screen.as_table(NAMES, ROWS, room)
    assert max(map(len, lines)) <= room
    whole = [
        "  object_name  deletes  last              note",
        "  ───────────  ───────  ────────────────  ────",
        "  Account       12,345  2026-02-01 12:30  NULL",
        "  NULL            NULL  NULL              a b",
    ]
    if room >= 46:
        assert lines == whole
    else:
        assert lines[:4] == [line[:42].rstrip() for line in whole]
        assert " ".join(it.strip() for it in lines[4:]) == (
            "(also there, if the terminal is wider: note)"
        )


def test_only_columns_of_numbers_are_aligned_to_the_right() -> None:
    """Texts that look like numbers are texts."""
    _, _, *lines = screen.as_table(["n", "sum", "text"], [(1, 2, "3"), (10, None, "30")], 80)
    assert lines == ["   1     2  3", "  10  NULL  30"]


def test_a_table_without_rows_has_its_headings() -> None:
    """A view may be empty."""
    assert screen.as_table(["object_name", "days"], [], 80) == [
        "  object_name  days",
        "  ───────────  ────",
    ]


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_lines_and_headlines_are_wrapped_to_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A word is never cut, because it may be an id or a command."""
    monkeypatch.setenv("COLUMNS", str(columns))
    text = " ".join(f"name{number}=value" for number in range(40))
    screen.headline(text)
    screen.line(text)
    lines = capsys.readouterr().out.splitlines()
    assert columns - 20 < max(map(len, lines)) <= columns
    assert " ".join(lines).split() == ["──", *text.split(), *text.split()]


# -- what the demo installs


def test_the_demo_says_what_it_installs_before_it_begins(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It names what is missing, and counts while it installs."""
    done: list[str] = []

    def part(name: str, megabytes: int, *, there: bool) -> Part:
        return Part(name, megabytes, lambda: there, lambda: done.append(name))

    needed = [
        part("the packages", 290, there=False),
        part("Node", 180, there=True),
        part("Azurite", 70, there=False),
    ]
    installation.install(needed)
    assert done == ["the packages", "Azurite"]
    assert capsys.readouterr().out == (
        f"The demo needs a few tools, and installs them into {LOCAL}:\n\n"
        "   290 MB  the packages\n"
        "    70 MB  Azurite\n\n"
        "360 MB in all. It takes one to five minutes, which depends on your connection.\n"
        "To get rid of it, remove the folder. The next runs install nothing.\n\n"
        "── 1 of 2: the packages\n\n"
        "── 2 of 2: Azurite\n"
    )
    installation.install(needed[1:2])
    assert capsys.readouterr().out == ""


def test_the_sizes_that_the_demo_names_are_those_on_the_disk() -> None:
    """They may differ by a fifth: packages grow with each update."""
    assert importlib.util.find_spec("azure.functions")  # this is the development environment
    folders = {
        "Python packages": [Path(sys.prefix), LOCAL / "uv"],
        "the stand-in": [environments.group("fakesnow").parent.parent],
        "Azurite": [node.node_modules()],
    }
    for name, places in folders.items():
        (part,) = (it for it in installation.parts() if it.what.startswith(name))
        size = sum(it.lstat().st_size for place in places for it in place.rglob("*")) / 1e6
        assert part.megabytes == pytest.approx(size, rel=0.2), name
