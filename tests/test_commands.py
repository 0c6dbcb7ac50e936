"""What every command of both apps has in common, and that the page has each task of an operator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from local.command_line import Done, command, sync_command
from local.environments import REPOSITORY

from delete_sync.src.__main__ import COMMANDS as OF_SYNC
from salesforce_client.src.app.__main__ import COMMANDS as OF_COLLECTOR

PAGE = REPOSITORY / "docs/operations.md"
# What each command needs beside its settings.
NEEDED = {
    "replay": ["/event/Delete_Event__e"],
    "reprocess": ["all"],
    "show": ["events_20260201T000000Z.db"],
    "find": ["--record", "0015f00000AbCdEAAV"],
    "acknowledge": ["5b1e", "--why", "a test"],
    "query": ["SELECT 1"],
    "erase": ["--record", "0015f00000AbCdEAAV"],
    "move": ["--from", "audit.salesforce.delete_tracker"],
}
COMMANDS = [
    *(pytest.param("python -m src.app", command, name, id=f"collector-{name}")
      for name in OF_COLLECTOR),
    *(pytest.param("python -m src", sync_command, name, id=f"sync-{name}") for name in OF_SYNC),
]  # fmt: skip
every_command = pytest.mark.parametrize(("program", "run", "name"), COMMANDS)
# The mock needs no settings: it prints some.
with_settings = pytest.mark.parametrize(
    ("program", "run", "name"), [it for it in COMMANDS if it.values[2] != "mock"]
)
SECRET = "correct-horse-9"
VAULT = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"
Run = Callable[..., Done]


def fetched(folder: Path, values: Mapping[str, str], *, encrypted: bool = False) -> Path:
    """A file as ``func azure functionapp fetch-app-settings`` writes it."""
    content = {"IsEncrypted": encrypted, "Values": dict(values), "ConnectionStrings": {}}
    (folder / "local.settings.json").write_text(json.dumps(content))
    return folder


@every_command
def test_the_help_has_an_example_and_the_exit_codes(
    program: str, run: Run, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example is of this command."""
    assert run({}, name, "--help").code == 0
    shown = capsys.readouterr().out
    assert f"example: {program} {name}" in shown
    assert "exit codes: 0 well · 1 findings · 2 usage or settings · 3 try again · 4 a" in shown
    for option in ("--settings FILE", "--json", "--yes"):
        assert option in shown


@with_settings
def test_a_fetched_file_that_is_encrypted_says_how_to_decrypt_it(
    program: str, run: Run, name: str, tmp_path: Path
) -> None:
    """The values are not shown."""
    folder = fetched(tmp_path, {"SNOWFLAKE_PASSWORD": SECRET}, encrypted=True)
    call = run({}, name, *NEEDED.get(name, []), "--json", folder=folder)
    assert call.code == call.json["exit_code"] == 2
    assert "is encrypted (IsEncrypted is true)" in call.out
    assert "run 'func settings decrypt'" in call.out
    assert SECRET not in call.text


@with_settings
def test_a_key_vault_reference_says_how_to_get_the_secret(
    program: str, run: Run, name: str, tmp_path: Path
) -> None:
    """Nothing is asked or changed, also with --yes. No value of another secret is shown."""
    key = "SALESFORCE_PRIVATE_KEY" if run is command else "SNOWFLAKE_PRIVATE_KEY"
    storage = f"AccountName=a;AccountKey={SECRET};DefaultEndpointsProtocol=https"
    folder = fetched(tmp_path, {"EVENTS_STORAGE": storage, key: VAULT})
    call = run({}, name, *NEEDED.get(name, []), "--json", "--yes", folder=folder)
    assert call.code == 2, call.text
    told = json.dumps(call.json)
    assert key in told
    assert "is a Key Vault reference, which only Azure resolves" in told
    assert "az keyvault secret show --vault-name v --name s --query value" in told
    assert SECRET not in call.text


def test_the_page_shows_what_the_command_of_each_task_prints() -> None:
    """The outputs are those of the commands: see ``test_commands_docs.py`` of both apps."""
    text = PAGE.read_text()
    section = text.partition("| you want to | command |\n")[2].partition("\n\n")[0]
    tasks = re.findall(r"^\| (.*?) \| `python -m (src(?:\.app)?) (.*?)` \|$", section, re.MULTILINE)
    assert len(tasks) == 17
    for task, app, line in tasks:
        mark = "output" if app == "src.app" else "sync output"
        shown = re.findall(rf"^<!-- {mark}: (.*?)(?: --yes)? -->$", text, re.MULTILINE)
        assert any(one == line or (line == "query" and one.startswith(line)) for one in shown), task
