"""Each function runs in its own process, loaded as the Functions worker loads it.

The tests follow deletes from Salesforce to the warehouse.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local import apps, truth

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, certificate
from salesforce_client.src.app.mock_salesforce.org import RETENTION, Org

REPOSITORY = Path(__file__).resolve().parent.parent.parent
NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
LATER = NOW + timedelta(hours=12)


def test_polls_and_sweeps_leave_exactly_what_was_published(
    settings: Mapping[str, str], connection: Any
) -> None:
    """The second poll continues at the cursor. The second sweep reads only the new file.

    The third poll finds nothing. The third sweep reads the file that this poll leaves too.
    """
    for moment, files in ((NOW, 1), (LATER, 2), (LATER, 3)):
        polled = apps.poll({**settings, "MOCK_NOW": moment.isoformat()})
        assert polled.succeeded, polled.log
        swept = apps.sweep(settings)
        assert swept.succeeded, swept.log
        assert f"files={files} synced=1" in swept.log
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, LATER)


def test_three_collectors_with_different_topics_share_the_same_containers(
    settings: Mapping[str, str], connection: Any
) -> None:
    """Several Function apps can run at once, each with a part of the topics."""
    running = [
        apps.start(
            "salesforce_client",
            "TimerPoller",
            {**settings, "MOCK_NOW": NOW.isoformat(), "SALESFORCE_TOPICS": topic},
        )
        for topic in DEFAULT_TOPICS
    ]
    for process in running:
        polled = apps.finish(process)
        assert polled.succeeded, polled.log
    swept = apps.sweep(settings)
    assert "files=3 synced=3" in swept.log
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, NOW)


@contextlib.contextmanager
def salesforce(*arguments: str) -> Iterator[dict[str, str]]:
    """Run a mock Salesforce in its own process; yield the settings that it prints."""
    command = [sys.executable, "-m", "salesforce_client.src.app", "mock", "--json"]
    command += ["--port", "0", "--pubsub-port", "0", *arguments]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            told = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
            yield told
        finally:
            process.send_signal(signal.SIGTERM)


def test_the_collector_reaches_another_salesforce_by_its_settings_alone(
    settings: Mapping[str, str], connection: Any, tmp_path: Path
) -> None:
    """The mock runs in another process and uses TLS.

    One setting names the certificate authority that gRPC and requests trust.
    """
    (tmp_path / "other.pem").write_bytes(certificate.make().authority)
    with salesforce(
        "--tls",
        "--interval",
        "3600",
        "--now",
        NOW.isoformat(),
        "--batch",
        "7",
        "--keepalive",
        "0.7",
    ) as server:
        given = {name: value for name, value in server.items() if name.startswith("SALESFORCE_")}
        given = {**settings, **given, "MOCK_MODE": "false"}
        polled = apps.poll({**given, "REQUESTS_CA_BUNDLE": server["ca_file"]})
        assert polled.succeeded, polled.log
        untrusted = apps.poll({**given, "REQUESTS_CA_BUNDLE": str(tmp_path / "other.pem")})
        assert not untrusted.succeeded
        assert "NetworkRefusedError" in untrusted.log
        assert "add the authority to this file" in untrusted.log
    assert apps.sweep(settings).succeeded
    assert not truth.difference(connection, Org(3600), DEFAULT_TOPICS, NOW - RETENTION, NOW)


@pytest.mark.parametrize("function", ["poll", "sweep"])
def test_all_missing_settings_are_reported_in_one_error(function: str) -> None:
    """An operator who starts an app without settings sees which settings are missing."""
    failed = getattr(apps, function)({"SNOWFLAKE_ACCOUNT": "", "MOCK_MODE": ""})
    assert not failed.succeeded
    assert re.search(
        r"SettingsError: the app's settings need attention\. .*:\n  - EVENTS_STORAGE is missing",
        failed.log,
    )


def test_a_wrong_key_is_reported_in_salesforces_own_words(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    """The error has Salesforce's message and says what to check. It does not show the key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    with salesforce("--interval", "3600") as server:
        given = {name: value for name, value in server.items() if name.startswith("SALESFORCE_")}
        wrong = {
            "SALESFORCE_PRIVATE_KEY": pem.replace("\n", "\\n"),
            "SALESFORCE_PRIVATE_KEY_FILE": "",
            "MOCK_MODE": "false",
        }
        failed = apps.poll({**settings, **given, **wrong})
    assert (
        "invalid_grant: invalid assertion – check that SALESFORCE_PRIVATE_KEY belongs" in failed.log
    )
    assert pem.splitlines()[1] not in failed.log


def test_event_files_are_named_by_time_and_cursors_by_org_and_topic(
    settings: Mapping[str, str], events: ContainerClient, cursors: ContainerClient
) -> None:
    """Blobs have the names that the docs describe."""
    assert apps.poll({**settings, "MOCK_NOW": NOW.isoformat()}).succeeded
    (blob,) = events.list_blobs()
    assert datetime.strptime(blob.name, "events_%Y%m%dT%H%M%SZ.db")
    org = Org().org_id
    assert sorted(blob.name for blob in cursors.list_blobs()) == sorted(
        f"{org}{topic}.json" for topic in DEFAULT_TOPICS
    )
