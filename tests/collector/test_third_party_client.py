"""An unmodified Pub/Sub client of another author reads from the mock over TLS.

What this client understands, any other client should understand.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from local import node

from salesforce_client.src.app.mock_salesforce import CLIENT_ID, USERNAME, MockSalesforce
from salesforce_client.src.app.mock_salesforce.org import ORG_ID, RETENTION

SCRIPT = Path(node.__file__).with_name("third_party_client.mjs")
NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
TOPIC = "/event/Delete_Event__e"


@pytest.fixture
def salesforce() -> Iterator[MockSalesforce]:
    with MockSalesforce(600, NOW, tls=True, keepalive_seconds=1) as running:
        yield running


def told(mock: MockSalesforce, changes: dict[str, Any], **what: Any) -> list[dict[str, Any]]:
    """Run the client with this configuration, and return the lines that it prints."""
    endpoint = {
        "pubSubEndpoint": mock.settings["SALESFORCE_PUBSUB_ENDPOINT"],
        "rejectUnauthorizedSsl": False,
    }
    arguments = {"config": {**endpoint, **changes}, "topic": TOPIC, **what}
    package = node.node_modules() / "salesforce-pubsub-api-client"
    ended = subprocess.run(
        [node.node(), SCRIPT, package, json.dumps(arguments)],
        env={**os.environ, "NODE_EXTRA_CA_CERTS": mock.ca_file},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def by_jwt(mock: MockSalesforce) -> dict[str, Any]:
    key = Path(mock.settings["SALESFORCE_PRIVATE_KEY_FILE"]).read_text()
    login = {
        "loginUrl": mock.settings["SALESFORCE_LOGIN_URL"],
        "clientId": CLIENT_ID,
        "username": USERNAME,
    }
    return {"authType": "oauth-jwt-bearer", "privateKey": key, **login}


def test_the_client_logs_in_and_receives_all_events_and_keepalives(
    salesforce: MockSalesforce,
) -> None:
    """The topic has more events than one request gives credit for."""
    lines = told(salesforce, by_jwt(salesforce))
    events = [line for line in lines if line["kind"] == "event"]
    published = salesforce.org.deletes((TOPIC,), NOW - RETENTION, NOW)
    assert [(line["id"], line["payload"]["Record_Id__c"]) for line in events] == [
        (it.key.partition(":")[0], it.record_id) for it in published
    ]
    assert len(events) > 100
    assert lines[-1] == {"kind": "grpcKeepAlive"}


def test_the_client_gets_the_documented_error_for_a_bad_token(
    salesforce: MockSalesforce,
) -> None:
    """The error has the documented code, and its details have the rpc id."""
    bad = {
        "authType": "user-supplied",
        "accessToken": "00D!wrong",
        "instanceUrl": salesforce.tokens.instance_url,
        "organizationId": ORG_ID,
    }
    (error,) = [line for line in told(salesforce, bad) if line["kind"] == "error"]
    assert error["code"] == 16
    assert error["errorCode"] == "sfdc.platform.eventbus.grpc.service.auth.error"
    assert "rpcId: " in error["details"]


def test_the_client_gets_the_documented_error_for_a_bad_replay_id(
    salesforce: MockSalesforce,
) -> None:
    """The client sends a replay id of eight bytes, and those of the org have ten."""
    (error,) = [
        line for line in told(salesforce, by_jwt(salesforce), replayId=5) if line["kind"] == "error"
    ]
    assert error["code"] == 3
    assert error["errorCode"] == "sfdc.platform.eventbus.grpc.subscription.fetch.replayid.corrupted"
