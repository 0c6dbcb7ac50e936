"""Checks the rules of ``docs/architecture.md`` that a program can check."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from delete_sync.src import errors as sync_errors
from salesforce_client.src.app import errors as collector_errors

REPOSITORY = Path(__file__).resolve().parent.parent
APPS = {"salesforce_client": ("TimerPoller", "src/app"), "delete_sync": ("SnowflakePusher", "src")}
MODULES = sorted(
    path
    for app, (function, source) in APPS.items()
    for folder in (REPOSITORY / app / function, REPOSITORY / app / source)
    for path in folder.rglob("*.py")
)
# The stubs in wire/ are generated.
OWN_CODE = [path for path in MODULES if "wire" not in path.parts]
# For each module of an app, the modules of the same app that it may import. The names are paths
# below the app's source folder, and ``*`` matches anything. If several entries match a module, the
# longest one counts. A module without an entry fails the test.
RULES: dict[str, dict[str, set[str]]] = {
    "salesforce_client": {
        "__init__": set(),
        "model/__init__": set(),
        "model/*": {"model/*"},
        "errors": set(),
        "scratch": {"errors"},
        "addresses": set(),
        "spelling": set(),
        "private_key": set(),
        "settings_reader": {"addresses", "errors", "private_key", "spelling"},
        "settings": {"addresses", "model/*", "settings_reader", "topic_settings"},
        "topic_settings": {"model/*", "settings_reader"},
        "budget": {"errors"},
        "objects": {"model/*"},
        "report": {"__init__", "errors", "model/*"},
        "backlog": {"errors", "model/*"},
        "retries": {"errors", "model/*"},
        "drain": {"backlog", "errors", "model/*", "retries"},
        "publisher": {"errors", "model/*", "report"},
        "reprocess": {"errors", "model/*", "publisher"},
        "collect": {"backlog", "drain", "errors", "model/*", "objects", "publisher", "report"},
        "completeness": {"model/*"},
        "checks/__init__": set(),
        "checks/calls": {"completeness", "model/*"},
        "checks/poll": {"model/*"},
        "checks/topics": {"backlog", "checks/poll", "errors", "model/*", "objects", "report"},
        "checks/reasons": {"completeness", "model/*"},
        "checks/listing": {"completeness", "model/*"},
        "checks/file": {"errors", "model/*", "publisher"},
        "checks/schedule": {"checks/file", "checks/poll", "completeness", "errors", "model/*"},
        "checks/days": {"checks/file", "model/*"},
        "checks/rows": {
            *("__init__", "checks/file", "checks/poll", "completeness", "model/*", "report"),
        },
        "checks/details": {
            *("checks/file", "checks/listing", "checks/poll", "checks/rows", "completeness"),
            *("errors", "model/*"),
        },
        "checks/windows": {
            *("checks/days", "checks/details", "checks/file", "checks/listing", "checks/poll"),
            *("checks/reasons", "checks/rows", "completeness", "errors", "model/*"),
        },
        "checks/one_object": {
            *("checks/days", "checks/file", "checks/poll", "checks/reasons", "checks/rows"),
            *("checks/windows", "completeness", "errors", "model/*", "report"),
        },
        "checks/all_objects": {
            *("checks/calls", "checks/file", "checks/one_object", "checks/poll"),
            *("checks/schedule", "checks/topics", "completeness", "errors", "report"),
        },
        # Only these two modules build adapters. The second one alone decides which, and runs them.
        "adapters": {
            *("model/*", "settings", "salesforce/*", "decoding/*", "storage/*"),
        },
        "run": {
            *(
                "adapters",
                "budget",
                "checks/*",
                "collect",
                "errors",
                "mock_salesforce/*",
                "model/*",
            ),
            *(
                "report",
                "reprocess",
                "scratch",
                "settings",
                "decoding/interpreter",
                "salesforce/lists",
            ),
            *("salesforce/pubsub", "salesforce/rest", "storage/blobs"),
        },
        "settings_sources": {"errors"},
        "console": {"drawing", "errors"},
        "drawing": set(),
        # The commands get every adapter from the composition root.
        "commands/*": {
            *("commands/*", "console", "errors", "model/*", "report", "run", "settings_sources"),
            "adapters",
            # Their types, and the rules for objects.
            *("reprocess", "storage/cursors", "salesforce/pubsub", "salesforce/lists"),
            "objects",
        },
        "commands/replay": {
            *("adapters", "collect", "commands/call", "console", "errors", "model/*"),
            *("salesforce/pubsub", "storage/blobs"),
        },
        "commands/mock": {"commands/call", "console", "mock_salesforce/*"},
        "__main__": {"commands/*", "errors"},
        "salesforce/*": {"salesforce/*", "errors", "model/*"},
        "decoding/*": {"decoding/*", "errors", "model/*"},
        "decoding/avro/*": {"decoding/avro/*"},
        "storage/*": {"storage/*", "errors", "model/*", "scratch"},
        "mock_salesforce/*": {
            *("mock_salesforce/*", "errors", "model/*", "salesforce/wire/*"),
        },
        "TimerPoller/__init__": {"run"},
    },
    "delete_sync": {
        "__init__": set(),
        "model": set(),
        "errors": set(),
        "scratch": {"errors"},
        "addresses": set(),
        "spelling": set(),
        "private_key": set(),
        "settings_reader": {"addresses", "errors", "private_key", "spelling"},
        "settings": {"addresses", "settings_reader"},
        "settings_sources": {"errors"},
        "console": {"drawing", "errors"},
        "drawing": set(),
        "budget": {"errors"},
        "report": {"errors", "model"},
        "freshness": {"errors", "model"},
        # The commands get every adapter from the composition root.
        "commands/*": {
            *("commands/*", "console", "errors", "model", "report", "run", "settings_sources"),
            "adapters",
            # Their types, the rules for pending files and freshness, and record ids.
            *("event_files/contents", "event_files/values", "freshness", "pending"),
            *("warehouse/columns", "warehouse/inspection", "warehouse/move", "warehouse/overview"),
            # What erasing needs, and how it finds and clears values.
            *("event_files/erasure", "event_files/rewrite", "warehouse/places"),
        },
        "__main__": {"commands/*", "errors"},
        "culprits": {"errors", "model"},
        "pending": {"model", "report"},
        "sync": {
            *("budget", "culprits", "errors", "freshness", "model", "pending", "report", "scratch"),
            *("event_files/downloads", "event_files/event_file", "event_files/file_format"),
            *("event_files/erasure", "warehouse/staging"),
        },
        # Only these two modules build adapters. The second one runs a sweep.
        "adapters": {
            *("budget", "model", "scratch", "settings", "event_files/blobs"),
            *("event_files/contents", "event_files/downloads", "event_files/file_format"),
            *("event_files/erasure", "event_files/replacement", "warehouse/erasure"),
            *("warehouse/inspection", "warehouse/names", "warehouse/overview"),
            "warehouse/session",
        },
        "run": {
            *("adapters", "budget", "freshness", "model", "report", "settings", "sync"),
            *("event_files/blobs", "event_files/file_format", "warehouse/load"),
        },
        "event_files/*": {"event_files/*", "errors", "model", "scratch"},
        "event_files/transport": {"budget"},
        "event_files/blobs": {"event_files/*", "budget", "errors", "model", "scratch"},
        "event_files/downloads": {"budget", "errors", "model", "scratch"},
        "warehouse/*": {"warehouse/*", "errors", "model"},
        "warehouse/session": {"warehouse/snowflake_errors", "addresses", "budget", "errors"},
        "warehouse/staging": {"errors", "model", "scratch"},
        "warehouse/erasure": {"warehouse/*", "errors", "model", "scratch"},
        "SnowflakePusher/__init__": {"run"},
    },
}
TWINS = {  # path in salesforce_client: path in delete_sync
    "src/app/addresses.py": "src/addresses.py",
    "src/app/spelling.py": "src/spelling.py",
    "src/app/settings_reader.py": "src/settings_reader.py",
    "src/app/private_key.py": "src/private_key.py",
    "src/app/scratch.py": "src/scratch.py",
    "src/app/settings_sources.py": "src/settings_sources.py",
    "src/app/console.py": "src/console.py",
    "src/app/drawing.py": "src/drawing.py",
    "src/app/storage/blob_errors.py": "src/event_files/blob_errors.py",
    "src/app/commands/call.py": "src/commands/call.py",
    "src/app/commands/command_line.py": "src/commands/command_line.py",
    "src/app/commands/findings.py": "src/commands/findings.py",
    "src/app/commands/installation.py": "src/commands/installation.py",
}
CORE = [
    *(
        f"delete_sync.src.{module}"
        for module in (
            *("model", "errors", "addresses", "spelling", "private_key", "settings_reader"),
            *("scratch", "settings_sources", "console", "drawing"),
            *("budget", "report", "freshness", "culprits", "pending", "sync", "settings"),
        )
    ),
    *(
        f"salesforce_client.src.app.{module}"
        for module in (
            *("model.checks", "model.event_rules", "model.events", "model.ids"),
            *("model.limits", "model.positions", "model.rows", "model.times"),
            *("errors", "addresses", "spelling", "private_key", "settings_reader"),
            *("settings", "topic_settings", "scratch", "report"),
            *("settings_sources", "console", "drawing"),
            *("retries", "backlog", "drain", "publisher", "collect", "reprocess"),
            *("budget", "objects", "completeness"),
            *("checks.poll", "checks.reasons", "checks.listing", "checks.calls", "checks.file"),
            *("checks.days", "checks.rows", "checks.details", "checks.topics", "checks.one_object"),
            *("checks.windows", "checks.schedule", "checks.all_objects"),
        )
    ),
]


def name_of(app: str, path: Path) -> str:
    """Return a module's name in the rules.

    It is the path below the source folder. For a function folder it is the path below the app.
    """
    source = REPOSITORY / app / APPS[app][1]
    home = source if source in path.parents else REPOSITORY / app
    return path.relative_to(home).with_suffix("").as_posix()


def imported_by(app: str, path: Path) -> set[str]:
    """Return the names of the app's own modules that a module imports."""
    found = set()
    for node in imports(path):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for target in (
                {base}
                if base.with_suffix(".py").exists()
                else {base / alias.name for alias in node.names}
            ):
                module = (
                    target.with_suffix(".py")
                    if target.with_suffix(".py").exists()
                    else target / "__init__.py"
                )
                found.add(name_of(app, module if module.exists() else base / "__init__.py"))
    return found


def rule_for(app: str, module: str, rules: dict[str, set[str]]) -> set[str]:
    """Return what the module may import.

    Raises:
        LookupError: no entry matches. The message says where to add one.
    """
    matching = [entry for entry in rules if fnmatch.fnmatchcase(module, entry)]
    if not matching:
        raise LookupError(
            f"{app} has a module {module!r} without a rule: add an entry for it to "
            f"RULES[{app!r}] in tests/test_architecture.py, with the modules that it may import"
        )
    return rules[max(matching, key=len)]


def imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
    ]


@pytest.mark.parametrize("path", OWN_CODE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_all_imports_of_own_code_are_relative(path: Path) -> None:
    """An absolute import would fail in the Functions worker, or load a module twice."""
    own = {"salesforce_client", "delete_sync", "src", "app", "__app__"}
    for node in imports(path):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
        )
        absolute = isinstance(node, ast.Import) or node.level == 0
        assert not (absolute and {name.split(".")[0] for name in names} & own), ast.unparse(node)


@pytest.mark.parametrize("path", OWN_CODE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_only_function_folders_and_main_modules_read_the_environment(path: Path) -> None:
    """Every other module gets its values as arguments."""
    allowed = path.name == "__main__.py" or path.parent.name in ("TimerPoller", "SnowflakePusher")
    assert allowed or not re.search(r"os\.(environ|getenv)", path.read_text())


@pytest.mark.parametrize("path", OWN_CODE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_module_imports_what_its_rule_allows(path: Path) -> None:
    """The table ``RULES`` lists the allowed imports."""
    app = path.relative_to(REPOSITORY).parts[0]
    module = name_of(app, path)
    allowed = rule_for(app, module, RULES[app])
    for imported in sorted(imported_by(app, path)):
        assert any(fnmatch.fnmatchcase(imported, entry) for entry in allowed), (
            f"{module} of {app} imports {imported}: remove the import, or allow it in "
            f"RULES[{app!r}] of {Path(__file__).name}"
        )


def test_a_module_without_a_rule_fails_with_a_hint_where_to_add_one() -> None:
    """If several entries match, the longest one counts."""
    rules = {"model": set[str](), "storage/*": {"model"}, "storage/sql": set[str]()}
    assert rule_for("x", "storage/blobs", rules) == {"model"}
    assert rule_for("x", "storage/sql", rules) == set()
    with pytest.raises(LookupError, match="'helpers' without a rule: add an entry for it to RULES"):
        rule_for("x", "helpers", rules)


@pytest.mark.parametrize("app", APPS)
def test_every_rule_matches_a_module(app: str) -> None:
    """A removed module leaves no entry behind, also not among the allowed imports."""
    modules = [
        name_of(app, path) for path in MODULES if path.relative_to(REPOSITORY).parts[0] == app
    ]
    for entry in {
        *RULES[app],
        *(allowed for several in RULES[app].values() for allowed in several),
    }:
        assert fnmatch.filter(modules, entry), entry


@pytest.mark.parametrize("module", CORE)
def test_a_core_module_loads_no_client_of_a_foreign_system(module: str) -> None:
    """The test imports each core module alone, in a new process."""
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert not {"azure", "snowflake", "grpc", "avro", "fastavro", "requests", "jwt"} & set(
        ran.stdout.split()
    )


def test_only_the_composition_root_builds_the_app() -> None:
    """The commands get their adapters from an App, and only ``run.py`` decides what is mocked."""
    builders = {
        name_of("salesforce_client", path)
        for path in OWN_CODE
        if path.relative_to(REPOSITORY).parts[0] == "salesforce_client"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("App", "adapters.App")
    }
    assert builders == {"run"}


@pytest.mark.parametrize(("collector", "sync"), TWINS.items())
def test_twin_files_are_equal(collector: str, sync: str) -> None:
    """Each app is deployed alone, so code that both need is in both, byte for byte."""
    assert (REPOSITORY / "salesforce_client" / collector).read_bytes() == (
        REPOSITORY / "delete_sync" / sync
    ).read_bytes()


FUNCTIONS = ("TimerPoller", "SnowflakePusher")


def is_about_garbage(node: ast.stmt) -> bool:
    """Whether the statement is ``gc.disable()``, or imports something and ends that."""
    if isinstance(node, ast.Try):
        imports = all(isinstance(inner, ast.ImportFrom) for inner in node.body)
        ends = [ast.unparse(it) for it in node.finalbody]
        return imports and ends == ["gc.freeze()", "gc.enable()"]
    return ast.unparse(node) == "gc.disable()"


@pytest.mark.parametrize("path", OWN_CODE, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_but_definitions_runs_at_import_time(path: Path) -> None:
    """Importing a module opens no client and no socket, and reads no file but packaged text.

    The functions switch garbage collection off while they import the app, and do no more.
    """
    for node in ast.parse(path.read_text()).body:
        if path.parent.name in FUNCTIONS and is_about_garbage(node):
            continue
        if isinstance(node, ast.Expr):
            assert isinstance(node.value, ast.Constant), ast.unparse(node)
        if isinstance(node, (ast.For, ast.While, ast.With, ast.Try)):
            pytest.fail(ast.unparse(node))


@pytest.mark.parametrize("errors", [collector_errors, sync_errors], ids=APPS)
def test_our_errors_are_not_caught_as_errors_of_a_library(errors: ModuleType) -> None:
    """The adapters catch ValueError and OSError of storage and disk, but not our own errors."""
    ours = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ]
    assert len(ours) > 10
    assert not [kind for kind in ours if issubclass(kind, (ValueError, OSError))]


def test_both_apps_have_the_same_host_configuration() -> None:
    """Both apps run on the same kind of plan."""
    for name in ("host.json", ".funcignore", "scripts/setup_venv.sh"):
        assert (REPOSITORY / "salesforce_client" / name).read_text() == (
            REPOSITORY / "delete_sync" / name
        ).read_text()


@pytest.mark.parametrize("app", APPS)
def test_a_function_has_one_timer_whose_schedule_is_a_setting_of_six_fields(app: str) -> None:
    """The host reads the schedule. The worker passes the timer by the name of the binding."""
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


# The diagrams leave these out. They are for all modules, or only for the settings.
GROUND = {
    "model",
    "errors",
    "scratch",
    "settings_reader",
    "addresses",
    "spelling",
    "report",
    "budget",
    "settings_sources",
    "console",
}
ADAPTERS = {
    "salesforce_client": {"salesforce", "decoding", "storage"},
    "delete_sync": {"event_files", "warehouse"},
}


def rooms(app: str) -> dict[str, set[str]]:
    """Return the imports between the folders and top-level modules of an app."""
    found: dict[str, set[str]] = {}
    for path in OWN_CODE:
        if path.relative_to(REPOSITORY).parts[0] == app and name_of(app, path) != "__init__":
            room = name_of(app, path).partition("/")[0]
            others = {name.partition("/")[0] for name in imported_by(app, path)} - {
                room,
                "__init__",
            }
            found.setdefault(room, set()).update(others)
    return found


@pytest.mark.parametrize("app", APPS)
def test_the_diagrams_of_imports_match_the_code(app: str) -> None:
    """The diagrams of the architecture page leave out what nearly every module imports."""
    page = (REPOSITORY / "docs/architecture.md").read_text().partition(f"### Modules of {app}\n")[2]
    drawn = set(
        re.findall(
            r"^    (\w+) --> (\w+)$",
            page.partition("```mermaid")[2].partition("```")[0],
            re.MULTILINE,
        )
    )
    assert drawn == {
        (room, other)
        for room, others in rooms(app).items()
        for other in others - GROUND
        if room not in GROUND
    }


@pytest.mark.parametrize("app", APPS)
def test_no_adapter_imports_another_and_imports_are_at_most_eight_levels_deep(app: str) -> None:
    """Levels are counted by folder. ``model`` is the lowest, and the commands are the highest."""
    arrows = rooms(app)

    def floor(room: str) -> int:
        return 1 + max((floor(other) for other in arrows[room]), default=0)

    assert max(map(floor, arrows)) <= 8
    assert arrows["model"] == set()
    for adapter in ADAPTERS[app]:
        assert not arrows[adapter] & (ADAPTERS[app] - {adapter})
