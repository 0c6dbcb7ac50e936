"""The rules of ``docs/architecture.md`` that a machine can hold."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
APPS = {"salesforce_client": ("TimerPoller", "src/app"), "delete_sync": ("SnowflakePusher", "src")}
OWN_CODE = sorted(
    path
    for app, (function, source) in APPS.items()
    for folder in (REPOSITORY / app / function, REPOSITORY / app / source)
    for path in folder.rglob("*.py")
    if "wire" not in path.parts
)
# Who may import whom inside an app: what decides does no input or output, adapters know nothing of the use case.
USE_CASES = {"collect", "publisher", "drain", "sync", "run", "settings"}
ADAPTERS = {"auth", "pubsub", "storage", "event_file", "warehouse", "downloads", "staging"}
MAY_NOT_IMPORT = {
    **dict.fromkeys(("values", "credits", "rpc_errors", "decode", "deletes", "errors", "refusals"), USE_CASES | ADAPTERS),
    **dict.fromkeys(("auth", "event_file", "pubsub"), USE_CASES | (ADAPTERS - {"auth"})),
    "storage": USE_CASES | (ADAPTERS - {"event_file"}),
    "avro_reader": USE_CASES | ADAPTERS | {"decode", "deletes"},
    "staging": USE_CASES | (ADAPTERS - {"event_file"}),
    "downloads": USE_CASES | (ADAPTERS - {"storage"}),
    "warehouse": USE_CASES | (ADAPTERS - {"staging"}),
    "interpreter": USE_CASES | (ADAPTERS - {"pubsub"}),
    "report": USE_CASES | ADAPTERS,
    "drain": {"collect", "publisher", "run", "settings", "storage", "event_file"},
    "publisher": {"collect", "drain", "pubsub", "run", "settings"},
    "collect": {"run", "settings"},
    "sync": {"run", "settings"},
}


def imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Import, ast.ImportFrom))]


@pytest.mark.parametrize("path", OWN_CODE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_all_imports_of_own_code_are_relative(path: Path) -> None:
    """An absolute one would load a module twice in the Functions worker, or fail there."""
    own = {"salesforce_client", "delete_sync", "src", "app", "__app__"}
    for node in imports(path):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        absolute = isinstance(node, ast.Import) or node.level == 0
        assert not (absolute and {name.split(".")[0] for name in names} & own), ast.unparse(node)


@pytest.mark.parametrize("path", OWN_CODE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_the_environment_is_read_in_function_folders_and_main_modules_alone(path: Path) -> None:
    """Everything else is given what it needs."""
    allowed = path.name == "__main__.py" or path.parent.name in ("TimerPoller", "SnowflakePusher")
    assert allowed or not re.search(r"os\.(environ|getenv)", path.read_text())


@pytest.mark.parametrize("path", OWN_CODE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_point_inward(path: Path) -> None:
    """Who may import whom is a table, above."""
    forbidden = MAY_NOT_IMPORT.get(path.stem, set()) if "mock_salesforce" not in path.parts else {"collect", "drain", "run"}
    for node in imports(path):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            imported = {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
            assert not imported & forbidden, ast.unparse(node)


@pytest.mark.parametrize("path", OWN_CODE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_but_definitions_runs_at_import_time(path: Path) -> None:
    """No client, no socket and no file but packaged text is opened by importing a module."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant), ast.unparse(node)
        if isinstance(node, (ast.For, ast.While, ast.With, ast.Try)):
            pytest.fail(ast.unparse(node))


def test_both_apps_have_the_same_host_configuration() -> None:
    """They run on the same kind of plan."""
    for name in ("host.json", ".funcignore", "scripts/setup_venv.sh"):
        assert (REPOSITORY / "salesforce_client" / name).read_text() == (REPOSITORY / "delete_sync" / name).read_text()


@pytest.mark.parametrize("app", APPS)
def test_a_function_has_one_timer_whose_schedule_is_a_setting_of_six_fields(app: str) -> None:
    """The host reads the schedule; the worker hands the timer to ``main`` by the binding's name."""
    function, _ = APPS[app]
    (binding,) = json.loads((REPOSITORY / app / function / "function.json").read_text())["bindings"]
    example = json.loads((REPOSITORY / app / "local.settings.example.json").read_text())["Values"]
    setting = re.fullmatch(r"%(\w+)%", binding["schedule"])
    assert binding["type"] == "timerTrigger"
    assert setting
    assert len(example[setting[1]].split()) == 6
    (main,) = [
        node
        for node in ast.parse((REPOSITORY / app / function / "__init__.py").read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == "main"
    ]
    assert [argument.arg for argument in main.args.args] == [binding["name"]]
