"""The dashboard on this machine, over the stand-in, filled with the history of the mock."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from salesforce_client.src.app.mock_salesforce.faults import Faults
from salesforce_client.src.app.mock_salesforce.org import Org

from . import apps, emulators, environments
from .environments import REPOSITORY

FOLDER = REPOSITORY / "docs/setup/snowflake/dashboard"
INTERVAL = 3600  # seconds between two events of the org
# An empty response ends the read of a topic at once, as caught up.
HISTORY = "hide=update_delete:10,merge,mass_delete=14"
QUICK = ",keepalive=0.2"
BETWEEN_POLLS = timedelta(hours=60)  # less than the 72 hours that Salesforce keeps events


@dataclass(frozen=True)
class Shown:
    """What a visit to a page shows.

    Attributes:
        texts: all texts by kind, for example ``info`` and ``error``.
        tables: the rows of each table. Times are in ISO form.
        options: the options of each list, by its label.
        charts: how many charts there are.
    """

    texts: Mapping[str, list[str]]
    tables: list[list[list[Any]]]
    options: Mapping[str, list[str]]
    charts: int

    @property
    def text(self) -> str:
        """All texts."""
        return "\n".join(line for kind in self.texts.values() for line in kind)


def org() -> Org:
    """The org whose history :func:`fill` loads."""
    return Org(INTERVAL, faults=Faults(HISTORY))


def fill(
    settings: Mapping[str, str],
    begin: datetime,
    now: datetime,
    tell: Callable[[str], object] = len,
) -> None:
    """Poll from ``begin`` until ``now``, and sweep.

    The first poll gets the three days before it. Only the last poll checks. Its check asks for the
    fifteen days that Salesforce still lists.
    """
    moment = begin
    while moment < now:
        tell(f"poll at {moment:%Y-%m-%d %H:%M} UTC on the mock's clock")
        _poll(settings, moment, {"CHECK_OBJECTS": "none"})
        moment += BETWEEN_POLLS
    tell("the last poll, with checks")
    _poll(settings, now, {"CHECK_OBJECTS": "Account,Contact,Opportunity,Case"})
    tell("sweep")
    swept = apps.sweep(settings)
    if not swept.succeeded:
        raise RuntimeError(f"the sweep failed:\n{swept.log}")


def _poll(settings: Mapping[str, str], moment: datetime, checks: Mapping[str, str]) -> None:
    mock = {
        "MOCK_MODE": "true",
        "MOCK_NOW": moment.isoformat(),
        "MOCK_FAULTS": HISTORY + QUICK,
        "MOCK_INTERVAL_SECONDS": str(INTERVAL),
    }
    polled = apps.poll({**settings, **mock, **checks})
    if not polled.succeeded:
        raise RuntimeError(f"the poll failed:\n{polled.log}")


def login(settings: Mapping[str, str]) -> dict[str, Any]:
    """The secrets of ``st.connection``: the dashboard's role, as ``set_up.set_up_by`` makes it."""
    schema = settings["SNOWFLAKE_SCHEMA"].upper()
    return {
        "account": settings["SNOWFLAKE_ACCOUNT"],
        "user": settings["SNOWFLAKE_USER"],
        "password": settings["SNOWFLAKE_PASSWORD"],
        "host": settings["SNOWFLAKE_HOST"],
        "port": int(settings["SNOWFLAKE_PORT"]),
        "protocol": settings["SNOWFLAKE_PROTOCOL"],
        "role": f"DELETE_TRACKER_DASHBOARD_{schema}",
        "warehouse": f"DELETE_TRACKER_DASHBOARD_WH_{schema}",
        "database": settings["SNOWFLAKE_DATABASE"].upper(),
        "schema": schema,
        "login_timeout": 20,
        "network_timeout": 120,
    }


def visit(
    secrets: Mapping[str, Any], *visits: tuple[str, Mapping[str, Any]], folder: Path = FOLDER
) -> list[Shown]:
    """Open pages as Streamlit's AppTest does, one after another, and return what they show."""
    script = str(Path(__file__).with_name("dashboard_pages.py"))
    with _secrets_file(secrets) as path:
        asked = {
            "folder": str(folder),
            "secrets": path,
            "visits": [{"page": page, "inputs": dict(inputs)} for page, inputs in visits],
        }
        done = subprocess.run(
            [str(environments.group("dashboard")), "-P", script],  # tests/local has a snowflake too
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            env=apps.inherited(),
        )
    if done.returncode:
        raise RuntimeError(f"AppTest failed:\n{done.stderr[-4000:]}")
    return [_shown(one) for one in json.loads(done.stdout)]


def _shown(one: dict[str, Any]) -> Shown:
    tables, options, charts = (one.pop(name) for name in ("tables", "options", "charts"))
    return Shown(one, tables, options, charts)


@contextlib.contextmanager
def _secrets_file(secrets: Mapping[str, Any]) -> Iterator[str]:
    """The path of a file from which Streamlit reads the login."""
    with tempfile.TemporaryDirectory(prefix="dashboard-") as folder:
        path = Path(folder) / "secrets.toml"
        lines = [f"{name} = {json.dumps(value)}" for name, value in secrets.items()]
        path.write_text("\n".join(["[connections.snowflake]", *lines, ""]))
        yield str(path)


@contextlib.contextmanager
def served(secrets: Mapping[str, Any], port: int = 0) -> Iterator[str]:
    """Serve the dashboard on 127.0.0.1, and yield its address."""
    port = port or emulators.free_port()
    python = str(environments.group("dashboard"))
    with _secrets_file(secrets) as path_of_secrets:
        options = {
            "server.address": "127.0.0.1",
            "server.port": str(port),
            "server.headless": "true",
            "server.fileWatcherType": "none",
            "secrets.files": path_of_secrets,
        }
        command = [python, "-m", "streamlit", "run", "streamlit_app.py"]
        command += [f"--{name}={value}" for name, value in options.items()]
        with emulators.process("Streamlit", command, port, cwd=FOLDER):
            yield f"http://127.0.0.1:{port}/"
