"""Both published apps run in Microsoft's own runtime on Python 3.13, as in Azure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local import apps, crashes, emulators, truth
from local.account import Account
from local.environments import REPOSITORY

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS
from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
LATER = NOW + timedelta(hours=12)


def answer(invocation: apps.Invocation) -> dict[str, str]:
    """Return the answer that the host gets."""
    told: dict[str, str] = json.loads(invocation.log.splitlines()[-1])
    return told


def test_polls_and_sweeps_load_every_delete_whether_past_due_or_not(
    settings: Mapping[str, str], connection: Any, microsoft: apps.Worker
) -> None:
    """``delete_tracker`` holds what the org published, and the logs say ``past_due``."""
    for moment, past_due in ((NOW, False), (LATER, True)):
        polled = apps.poll(
            {**settings, "MOCK_NOW": moment.isoformat()}, worker=microsoft, past_due=past_due
        )
        assert answer(polled)["status"] == "Success", polled.log
        assert f"past_due={past_due}" in polled.log
        swept = apps.sweep(settings, worker=microsoft, past_due=past_due)
        assert answer(swept)["status"] == "Success", swept.log
        assert f"past_due={past_due}" in swept.log
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, LATER)


LOADED = """
import gc, sys
from pathlib import Path
from local.invoke import load
load(Path(sys.argv[1]), sys.argv[2])
print(gc.isenabled())
"""


@pytest.mark.parametrize(
    ("app", "function"),
    [("salesforce_client", "TimerPoller"), ("delete_sync", "SnowflakePusher")],
)
def test_a_process_that_has_loaded_a_function_collects_garbage(app: str, function: str) -> None:
    """The function switches the collection off while it imports its modules."""
    told = subprocess.run(
        [sys.executable, "-c", LOADED, REPOSITORY / app, function],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "tests")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout == "True\n"


def test_a_failed_poll_reports_the_topic_and_the_reason_to_the_host(
    settings: Mapping[str, str], microsoft: apps.Worker
) -> None:
    """The message names the topic. The log does not show an access token."""
    failed = apps.poll(
        {
            **settings,
            "MOCK_NOW": NOW.isoformat(),
            "SALESFORCE_TOPICS": "/event/Delete_Event__e,/event/Nobody__e",
        },
        worker=microsoft,
    )
    told = answer(failed)
    assert told["status"] == "Failure", failed.log
    assert "/event/Nobody__e" in told["message"]
    assert "TimerPoller" in told["stack_trace"]
    assert "accesstoken" not in failed.log.lower()


@pytest.mark.parametrize(
    ("app", "wrong", "named"),
    [
        ("poll", {"EVENTS_STORAGE": "{storage}"}, "container events-"),
        (
            "sweep",
            {
                "SNOWFLAKE_PASSWORD": "",
                "SNOWFLAKE_TOKEN": "secret-token-of-a-user",
                "SNOWFLAKE_PORT": "1",
            },
            "SNOWFLAKE_",
        ),
        (
            "sweep",
            {"SNOWFLAKE_PASSWORD": "", "SNOWFLAKE_PRIVATE_KEY": "secret-not-a-key"},
            "SNOWFLAKE_PRIVATE_KEY",
        ),
    ],
    ids=["no storage", "no warehouse", "no key"],
)
def test_a_failure_names_its_cause_and_no_secret(
    app: str,
    wrong: Mapping[str, str],
    named: str,
    settings: Mapping[str, str],
    microsoft: apps.Worker,
) -> None:
    """Application Insights gets the text of the failure unchanged."""
    first = {**settings, "MOCK_NOW": NOW.isoformat(), "MAX_RUN_SECONDS": "10"}
    if app == "sweep":
        assert apps.poll(first).succeeded
    unreachable = emulators.connection_string(1)
    given = {name: value.format(storage=unreachable) for name, value in wrong.items()}
    failed = getattr(apps, app)({**first, **given}, worker=microsoft)
    told = answer(failed)
    assert told["status"] == "Failure", failed.log
    assert named in told["message"]
    for secret in ("secret-", emulators.AZURITE_KEY):
        assert secret not in failed.log


def test_sigterm_in_the_middle_of_a_poll_and_of_a_sweep_loses_nothing(
    settings: Mapping[str, str],
    azurite: emulators.Server,
    snowflake: emulators.Server,
    connection: Any,
    events: ContainerClient,
    microsoft: apps.Worker,
) -> None:
    """The worker ends at once and runs no ``finally``.

    The poll ends between upload and cursor, the sweep between MERGE and COMMIT.
    """
    first = {**settings, "MOCK_NOW": NOW.isoformat()}
    how: dict[str, Any] = {"by": signal.SIGTERM, "worker": microsoft}
    crashes.run_until_ended(
        crashes.COLLECTOR, first, azurite, crashes.through_storage, crashes.cursor, **how
    )
    assert apps.poll(first, worker=microsoft).succeeded
    Account(snowflake, settings["SNOWFLAKE_SCHEMA"]).set(idle_seconds=2)
    crashes.run_until_ended(
        crashes.SYNC,
        settings,
        snowflake,
        crashes.through_warehouse,
        crashes.statement("COMMIT"),
        **how,
    )
    assert apps.sweep(settings, worker=microsoft).succeeded
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, NOW)
