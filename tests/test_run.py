"""The one command for lint, types and tests: what it runs, what it installs and what it says."""

from __future__ import annotations

import ast
import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from local import commands, environments, prose

REPOSITORY = Path(__file__).resolve().parent.parent
STYLE = ["-m ruff check .", "-m ruff format --check .", "-m tests.local.prose"]
TOOLS = [
    f"tests/setup/in_{tool}.py" for tool in ("az", "bicep", "github", "kusto", "salesforce", "snow")
]
ALL_TESTS = "-m pytest --numprocesses 5 --dist worksteal"


def steps(*arguments: str) -> list[str]:
    return [" ".join(command) for command in commands.chosen(arguments)]


def test_without_arguments_it_runs_everything() -> None:
    """Lint comes first because it takes a second."""
    types = ["-m mypy"] if sys.version_info >= (3, 10) else []
    assert steps() == [*STYLE, *types, ALL_TESTS]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lint"], STYLE),
        (["lock"], ["-m tests.local.requirements"]),
        (["browser"], ["-m pytest tests/dashboard/in_browser.py"]),
        (["pages"], [f"-m pytest {' '.join(TOOLS)}"]),
        (["versions"], ["-m pytest tests/runtime/in_versions.py"]),
        (["mutants"], ["-m tests.local.mutants"]),
        (["test"], [ALL_TESTS]),
        (["test", "-k", "cursor"], ["-m pytest -k cursor"]),
        (["tests/sync/test_sql.py", "-k", "merge"], ["-m pytest tests/sync/test_sql.py -k merge"]),
        (["tests/test_run.py::test_x"], ["-m pytest tests/test_run.py::test_x"]),
        (["-k", "cursor"], ["-m pytest -k cursor"]),
    ],
)
def test_a_word_runs_one_part_and_a_file_or_an_option_runs_pytest_alone(
    arguments: list[str],
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without lint and types, one test takes seconds. A file may be named from any folder."""
    for word in commands.WORDS:  # mutation testing makes a folder of that name
        (tmp_path / word).mkdir()
    monkeypatch.chdir(tmp_path)
    assert steps(*arguments) == expected


def test_every_step_names_a_script_or_a_module_that_exists() -> None:
    """A renamed benchmark or module is noticed here."""
    for steps_of_word in commands.WORDS.values():
        for command in steps_of_word:
            if command[0] != "-m":
                assert (REPOSITORY / command[0]).exists()
            elif command[1].startswith("tests."):
                assert (REPOSITORY / command[1].replace(".", "/")).with_suffix(".py").exists()


@pytest.mark.parametrize("version", [(3, 9), (3, 10)])
def test_types_need_python_3_10(version: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest mypy needs Python 3.10. On 3.9, everything else is checked."""
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    if version < (3, 10):
        with pytest.raises(ValueError, match=r"types cannot run here: mypy needs Python 3\.10"):
            steps("types")
        assert "-m mypy" not in steps()
    else:
        assert steps("types") == ["-m mypy"]
        assert "-m mypy" in steps()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lnit"], "'lnit' is neither"),
        (["lnit", "x"], "'lnit' is neither"),
        (["tests/absent.py", "-k", "x"], "'tests/absent.py' is neither"),
        (["lint", "x"], "lint takes no arguments"),
    ],
)
def test_an_unknown_argument_is_an_error(arguments: list[str], message: str) -> None:
    """The command does not run something else instead."""
    with pytest.raises(ValueError, match=message):
        commands.chosen(arguments)


def test_help_fits_on_a_screen_and_installs_nothing() -> None:
    """The help works with the plain Python of a new machine."""
    command = [sys.executable, "-S", "tests/run.py", "--help"]
    shown = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    assert "python3 tests/run.py lint" in shown
    assert len(shown.splitlines()) <= 24
    assert max(map(len, shown.splitlines())) <= 100
    assert all(f"tests/run.py {word} " in shown for word in commands.WORDS)


def test_a_failed_installation_shows_the_reason_of_the_installer(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The installer prints the reason. The last line is the command, to try it by hand."""
    command = [sys.executable, "-c", "import sys; sys.exit('no space left on the disk')"]
    with pytest.raises(SystemExit, match=r"Installing failed(.|\n)*-c import sys"):
        environments.install(command)
    assert "no space left on the disk" in capfd.readouterr().err


def test_an_environment_is_made_again_only_if_its_requirements_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second start installs nothing, and a build that failed is repeated."""
    monkeypatch.setattr(environments, "visibly", contextlib.nullcontext)  # so capsys gets it
    home, file, built = tmp_path / "home", tmp_path / "requirements.txt", []

    def build() -> None:
        home.mkdir(exist_ok=True)
        built.append(file.read_text())
        if "broken" in file.read_text():
            raise SystemExit("installing failed")

    file.write_text("one==1")
    for _ in range(2):
        environments.once(home, [file], "a thing", build)
    assert built == ["one==1"]
    assert re.fullmatch(
        r"installing a thing …\ninstalled a thing: 0 MB in 0 s\n", capsys.readouterr().out
    )
    file.write_text("broken")
    for _ in range(2):
        with pytest.raises(SystemExit):
            environments.once(home, [file], "a thing", build)
    file.write_text("one==1")
    environments.once(home, [file], "a thing", build)
    assert built == ["one==1", "broken", "broken", "one==1"]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("a.py", "x" * 101, "a.py:1: 101 columns; at most 100 here"),
        ("a.sql", "\n" + "x" * 101, "a.sql:2: 101 columns; at most 100 here"),
        ("a.md", "x" * 121, "a.md:1: 121 columns; at most 120 here"),
        ("a.md", "|" + "x" * 400, "a.md:1: 401 columns; at most 400 here"),
        ("a.md", "It can be" + " had.", "a.md:1: 'can be" + " had' is hard to read"),
        ("a.py", "# Told" + " apart", "a.py:1: 'told" + " apart' is hard to read"),
    ],
)
def test_lint_names_each_wide_line_and_each_phrase(name: str, text: str, fault: str) -> None:
    """Code has 100 columns, pages have 120, and rows of tables 400."""
    (found,) = prose.faults(name, text)
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.py", "x" * 100), ("a.md", "x" * 120), ("a.md", "|" + "x" * 399), ("a.svg", "x" * 900)],
)
def test_lint_accepts_lines_within_their_width(name: str, text: str) -> None:
    """Drawings and data have no limit."""
    assert list(prose.faults(name, text)) == []


@pytest.mark.parametrize("script", ["run.py", "demo.py", "launch.py"])
def test_an_older_python_is_told_which_version_is_needed(script: str) -> None:
    """The user gets one sentence instead of a traceback.

    The scripts check the version first of all.
    """
    older = "import sys; sys.version_info = (3, 8, 0); import runpy; runpy.run_path(sys.argv[1])"
    command = [sys.executable, "-c", older, str(REPOSITORY / "tests" / script)]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=REPOSITORY / "tests"
    )
    assert ran.returncode == 1
    assert re.fullmatch(r"This needs Python 3\.9 or newer, and .* is Python 3\.8\.\n", ran.stderr)


@pytest.mark.parametrize("script", ["run.py", "demo.py", "launch.py", "local/__init__.py"])
def test_the_scripts_of_users_are_readable_for_python_3_7(script: str) -> None:
    """With newer syntax, a SyntaxError would appear instead of the sentence about the version."""
    ast.parse((REPOSITORY / "tests" / script).read_text(), feature_version=(3, 7))
