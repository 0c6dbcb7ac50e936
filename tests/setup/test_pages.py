"""Walks the pages as a person does who has not seen them.

Every command is parsed or run, every value has its source, and every file that a page names exists.
A tool without an entry in ``TOOLS`` fails: add how its own parser checks a command.
"""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from local import environments, pages, warehouse
from local.environments import REPOSITORY
from local.pages import Block

from delete_sync.src.__main__ import PROGRAM as SYNC
from salesforce_client.src.app.__main__ import PROGRAM as COLLECTOR

from .test_snowflake import slips

CHECKLIST = pages.SET_UP / "README.md"
PROGRAMS = {
    "src": SYNC.parser,
    "delete_sync.src": SYNC.parser,
    "src.app": COLLECTOR.parser,
    "salesforce_client.src.app": COLLECTOR.parser,
}
SCRIPTS = {
    path
    for pattern in ("tests/**/*.py", "proto/*.py", "docs/**/*.py")
    for path in REPOSITORY.glob(pattern)
}
# Files that a command or a service makes, and that no page can link to.
MADE = {
    "delete_tracker.key",
    "delete_tracker.crt",
    "local.settings.json",
    "snowflake.p8",
    "new_private_key.pem",
}


def homes(block: Block) -> list[Path]:
    """The folders in which a person may be: those that the blocks of the page change to."""
    text = "\n".join(one.text for one in pages.blocks("bash") if one.page == block.page)
    named = [REPOSITORY / it for it in re.findall(r"^cd (?:\.\./)?(\S+)", text, re.MULTILINE)]
    apps = [REPOSITORY / app for app in ("salesforce_client", "delete_sync")]
    return [REPOSITORY, block.page.parent, *apps, *(it for it in named if it.is_dir())]


def there(block: Block, name: str) -> bool:
    """Whether there is this file or folder in one of the folders."""
    return any((home / name).exists() for home in homes(block))


def run_by_python(block: Block, words: Sequence[str]) -> None:
    """A command of an app goes through the parser of the app. A script exists."""
    if words[1] == "-m" and words[2] in PROGRAMS:
        PROGRAMS[words[2]]().parse_args(list(words[3:]))
    else:
        (found,) = {(home / words[1]).resolve() for home in homes(block)} & SCRIPTS
        options = [word.partition("=")[0] for word in words if word.startswith("--")]
        text = found.read_text()
        assert [it for it in options if f'"{it}"' not in text] == [], words


def made_or_there(name: str) -> bool:
    """Whether a word names nothing of the repository: a file that is made, or one elsewhere."""
    return Path(name).name in MADE or name.startswith(("/", "~", ".venv/"))


def folder(block: Block, words: Sequence[str]) -> None:
    """The folder is in the repository, or a clone made it."""
    assert words[1] == "delete-tracker" or there(block, words[1]), words


def script(block: Block, words: Sequence[str]) -> None:
    """The script is there, and Bash can read it."""
    found = {(home / words[1]).resolve() for home in homes(block) if (home / words[1]).exists()}
    assert found, words
    for one in found:
        subprocess.run(["bash", "-n", one], check=True)


def sourced(block: Block, words: Sequence[str]) -> None:
    """The file is made before, or is there."""
    assert made_or_there(words[1]) or there(block, words[1]), words


def copied(block: Block, words: Sequence[str]) -> None:
    """What is copied is there."""
    assert there(block, words[1]), words


def shell_only(block: Block, words: Sequence[str]) -> None:
    """Bash parses the block, and no more is known here."""


Check = Callable[[Block, Sequence[str]], None]
TOOLS: Mapping[str, Check] = {
    "python": run_by_python,
    "python3": run_by_python,
    ".venv/bin/python": run_by_python,
    "bash": script,
    "cd": folder,
    "cp": copied,
    "source": sourced,
    # Parsed by the tools themselves, in the files in_*.py.
    **dict.fromkeys(("az", "sf", "snow"), shell_only),
    # No package has their parsers, or everybody knows them.
    **dict.fromkeys(("azd", "func", "curl", "git", "openssl", "pip"), shell_only),
    **dict.fromkeys(("echo", "export", "rm", "set"), shell_only),
}


@pytest.mark.parametrize("block", pages.blocks("bash"), ids=str)
def test_bash_parses_every_block(block: Block) -> None:
    """An open quote or bracket fails."""
    done = subprocess.run(
        ["bash", "-n"], check=False, input=block.filled, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr


def test_every_command_is_known_to_its_tool() -> None:
    """Commands of the apps go through the apps' own parsers, also those in sentences and tables."""
    checked = 0
    for block, words in pages.commands():
        assert words[0] in TOOLS, (str(block), words)
        try:
            TOOLS[words[0]](block, words)
        except SystemExit:
            pytest.fail(f"{block}: {' '.join(words)}")
        checked += TOOLS[words[0]] is not shell_only
    for page in pages.PAGES:
        for code in pages.inline(page):
            filled = pages.VALUE.sub("x", code)
            if found := re.fullmatch(
                r"python -m (src|src\.app) (\w+ .*|doctor|status|poll|check|login|sweep)", filled
            ):
                block = Block(page, "bash", filled, 0)
                words = [*found[0].split()[:3], *_words(found[2])]
                try:
                    run_by_python(block, words)
                except SystemExit:
                    pytest.fail(f"{page}: {code}")
                checked += 1
    assert checked > 60


def _words(text: str) -> list[str]:
    """Words as the shell sees them. An ellipsis stands for more of the same."""
    return [one.strip('"') for one in re.findall(r'"[^"]*"|\S+', text) if one != "…"]


def test_a_command_that_the_app_does_not_know_is_found() -> None:
    """If the parser took everything, the test above would prove nothing."""
    block = Block(REPOSITORY / "README.md", "bash", "", 1)
    for words in ("python -m src doctr", "python -m src.app replay --frm x /event/A__e"):
        with pytest.raises(SystemExit):
            run_by_python(block, words.split())
    with pytest.raises(ValueError, match="unpack"):
        run_by_python(block, ["python3", "tests/dmeo.py"])
    with pytest.raises(AssertionError):
        run_by_python(block, ["python3", "tests/demo.py", "--keeep"])


STATEMENTS = list(pages.statements())


@pytest.mark.parametrize(("where", "sql"), STATEMENTS, ids=[where for where, _ in STATEMENTS])
def test_every_statement_in_a_page_is_valid_in_snowflakes_dialect(where: str, sql: str) -> None:
    assert slips(sql) == []


def test_every_query_in_a_page_runs(connection: Any) -> None:
    """The queries read the tables and views of the set-up."""
    for one in warehouse.executable("1_tables.sql"):
        if "DATABASE" not in one and "SCHEMA" not in one:
            warehouse.query(connection, one)
    warehouse.run(connection, "3_views.sql")
    ran = 0
    for where, text in STATEMENTS:
        for one in re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE).split(";"):
            # The stand-in does not know who an account belongs to. 'x' stands for a time here.
            sql = one.strip().replace("'x'", "'2026-01-01'")
            if sql.startswith("SELECT") and "CURRENT_ORGANIZATION_NAME" not in sql:
                try:
                    warehouse.query(connection, sql)
                except Exception as error:  # noqa: BLE001
                    pytest.fail(f"{where}: {sql}: {error}")
                ran += 1
    assert ran > 6


def test_every_value_to_fill_in_has_its_source_in_the_checklist() -> None:
    """A value that no file has any more leaves no row behind."""
    told = {
        name
        for row in pages.rows(CHECKLIST, "value", "where it is made", "where it goes")
        for code in re.findall(r"`([^`]+)`", row[0])
        for name in pages.VALUE.findall(code)
    }
    used = pages.values()
    assert told, "the checklist has no table of values"
    missing = {name: files for name, files in used.items() if name not in told}
    assert not missing, f"add a row for each to the table of values in {CHECKLIST}: {missing}"
    assert not told - set(used), "no page and no file has these values: remove their rows"


def test_every_output_that_the_checklist_names_is_one_of_the_deployment() -> None:
    """Other names would send the reader looking."""
    outputs = re.findall(r"^output (\w+)", (pages.SET_UP / "azure/main.bicep").read_text(), re.M)
    named = re.findall(r"output `(\w+)`", CHECKLIST.read_text())
    assert named
    assert set(named) <= set(outputs)


def test_every_step_of_the_checklist_is_whole_and_its_checks_are_those_of_the_doctor() -> None:
    """What, how long, what one sees, and the check that says whether it is done."""
    steps = pages.rows(CHECKLIST, "step", "what to do", "minutes", "you see", "doctor")
    assert [row[0] for row in steps] == [str(number) for number in range(1, len(steps) + 1)]
    operations = (REPOSITORY / "docs/operations.md").read_text()
    known = {
        app: re.findall(rf"^\$ {command} doctor.*?\n(.*?)```", operations, re.DOTALL | re.MULTILINE)
        for app, command in (("collector", r"python -m src\.app"), ("sync", "python -m src"))
    }
    for row in steps:
        assert len(row) == 5, row
        assert all(row), row
        assert row[2].isdigit(), row
        if row[4].startswith("none"):
            continue
        for app, names in re.findall(r"(collector|sync): ((?:`[\w ]+`(?:, )?)+)", row[4]):
            for name in re.findall(r"`([^`]+)`", names):
                (printed,) = known[app]
                assert re.search(rf"^ok +{name}\b", printed, re.MULTILINE), (app, name)


def test_everybody_who_must_be_present_has_a_step() -> None:
    steps = pages.rows(CHECKLIST, "step", "what to do", "minutes", "you see", "doctor")
    people = pages.rows(CHECKLIST, "who", "with which role", "in steps")
    busy = {int(number) for row in people for number in re.findall(r"\d+", row[2])}
    assert busy == {int(row[0]) for row in steps}


@pytest.mark.parametrize("page", sorted(pages.SET_UP.rglob("*.md")), ids=lambda it: it.parent.name)
def test_every_file_that_a_page_of_the_set_up_names_exists(page: Path) -> None:
    """A file that a command makes is in ``MADE``."""
    ends = "bicep|bicepparam|cls|crt|json|key|md|p8|pem|py|sh|sql|trigger|xml|ya?ml"
    known = {path.name for path in REPOSITORY.glob("docs/**/*")}
    known |= {
        path.name
        for app in ("delete_sync", "salesforce_client", ".github")
        for path in (REPOSITORY / app).rglob("*")
        if ".venv" not in path.parts
    }
    for code in pages.inline(page):
        if re.fullmatch(rf"[\w./][\w./-]*\.(?:{ends})", code):
            assert Path(code).name in known | MADE, code


def test_the_key_pair_of_the_page_belongs_together(tmp_path: Path) -> None:
    """The second command prints the public key of the first one, as RSA_PUBLIC_KEY wants it."""
    (block,) = [one for one in pages.blocks("bash") if "snowflake.p8" in one.text]
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", block.text],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    key = serialization.load_pem_private_key((tmp_path / "snowflake.p8").read_bytes(), None)
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert base64.b64decode(done.stdout) == public
    assert "\n" not in done.stdout


def test_the_versions_of_python_that_readme_calls_tested_are_those_of_the_tests() -> None:
    table = pages.rows(
        REPOSITORY / "README.md", "Python", "Microsoft supports it until", "this project"
    )
    assert [row[0] for row in table if row[2].startswith("tested")] == environments.SUPPORTED
