"""Parses each command of Azure's command line by its own parser, without login and network.

The pages' blocks are given to Bash with no commands to find, and the scripts run with a recorder in
place of ``az``. So the parser gets the words that ``az`` would get.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from local import azure_cli, create_script, pages
from local.azure_cli import Words
from local.environments import REPOSITORY

from .test_azd import ID, STORE, run
from .test_publish_script import Azure

SCRIPTS = ("create.sh", "publish.sh", "store_secret.sh")
COMMAND = re.compile(r"""(?<![\w./`'"-])az (?=[a-z])""")
SOURCES = [
    *REPOSITORY.glob("salesforce_client/src/**/*.py"),
    *REPOSITORY.glob("delete_sync/**/*.py"),
]


def of_blocks() -> Iterator[Words]:
    """The commands in the blocks of the pages; none is missed."""
    for block in pages.blocks("bash"):
        found = [words[1:] for words in azure_cli.recorded(block.filled) if words[0] == "az"]
        assert len(found) == len(COMMAND.findall(block.text)), block
        yield from found


def in_sentences() -> Iterator[tuple[Words, bool]]:
    """Commands in sentences, tables, comments and messages. Those of the set-up are whole."""
    for page in pages.PAGES:
        for code in pages.inline(page):
            if code.startswith("az "):
                words = pages.VALUE.sub("x", code).split()[1:]
                whole = page.is_relative_to(pages.SET_UP) and any(it[0] == "-" for it in words)
                yield words, whole
    for path in pages.SET_UP.rglob("*.sql"):
        for line in re.findall(r"--.*?\baz ([a-z]+ .*)", path.read_text()):
            yield line.split(), True
    for path in SOURCES:
        for code in re.findall(r"\baz ((?:keyvault|login|storage)\b[^,.)\"'`]*)", path.read_text()):
            yield code.split(), False


@pytest.fixture(scope="module")
def of_scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Words]]:
    """The commands that each script ran."""
    create, store, publish = (tmp_path_factory.mktemp(name) for name in SCRIPTS)
    key = store / "key"
    key.write_text("secret")
    run(STORE, store, "v", "s", str(key), ID)
    Azure(publish).publish()
    return {
        "create.sh": create_script.run(create, unique="4711").commands,
        "publish.sh": azure_cli.split((publish / "words").read_text()),
        "store_secret.sh": azure_cli.split((store / "record.words").read_text()),
    }


def test_the_commands_of_a_pipe_are_recorded_each_by_itself() -> None:
    """They run at once, so their words could be mixed."""
    expected = [["az", "a", "--b", "c d", ""], ["az", "e", "f"], ["jq", "-r", "."]]
    for _ in range(100):
        found = azure_cli.recorded("az a --b 'c d' '' | jq -r . | az e f")
        assert sorted(found) == expected


def test_az_understands_every_command(of_scripts: dict[str, list[Words]]) -> None:
    """Commands, options and choices are known, and no required option is missing."""
    given = [(words, True) for words in [*of_blocks(), *chain(*of_scripts.values())]]
    assert len(given) > 60
    sentences = list(in_sentences())
    assert len(sentences) > 12
    assert azure_cli.problems([*given, *sentences]) == []


def test_every_command_of_a_script_was_run(of_scripts: dict[str, list[Words]]) -> None:
    """A command that the recorder does not reach would not be parsed. No other file has any."""
    for name, ran in of_scripts.items():
        text = re.sub(r"^\s*#.*", "", (pages.SET_UP / "azure" / name).read_text(), flags=re.M)
        lines = {" ".join(words) for words in ran}
        written = re.findall(COMMAND.pattern + r"((?:[a-z][a-z-]* ?)+)", text)
        assert written
        assert [it for it in written if not any(line.startswith(it) for line in lines)] == []
    others = [*REPOSITORY.glob(".github/**/*.*"), *REPOSITORY.glob("docs/**/*.*")]
    with_commands = {
        path.name
        for path in others
        if path.suffix in (".sh", ".yml", ".yaml") and COMMAND.search(_code(path))
    }
    assert with_commands == set(SCRIPTS)


def _code(path: Path) -> str:
    return re.sub(r"#.*", "", path.read_text())


WHOLE = {
    "group creat --name x --location y": "'creat' is misspelled or not recognized",
    "group create --nam3 x --name y --location z": "unrecognized arguments: --nam3 x",
    "group create --name x": "the following arguments are required: --location",
    "storage account show": "(--name | --ids) are required",
    "storage account create --name x --resource-group g --sku Standard": (
        "'Standard' is not a valid value for '--sku'"
    ),
    "group show --name x --query [[": "invalid jmespath_type value",
}
IN_A_SENTENCE = {"storage blob set-tier --teir Hot": "unrecognized arguments: --teir Hot"}


def test_a_mistake_in_a_command_is_found() -> None:
    """If the parser missed mistakes, the test above would prove nothing.

    In a sentence, options may be missing.
    """
    given = [*((it.split(), True) for it in WHOLE), *((it.split(), False) for it in IN_A_SENTENCE)]
    told = azure_cli.problems([*given, (["storage", "blob", "set-tier", "--tier", "Hot"], False)])
    expected = [*WHOLE.values(), *IN_A_SENTENCE.values()]
    assert len(told) == len(expected)
    assert [said for said, one in zip(expected, told) if said not in one] == []
