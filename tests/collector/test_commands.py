"""The operator's commands status, poll and login."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from local.command_line import Done, command, process
from local.emulators import AZURITE_KEY, connection_string, free_port
from local.environments import REPOSITORY

from salesforce_client.src.app.commands.poll import said, told
from salesforce_client.src.app.errors import TopicError
from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, MockSalesforce
from salesforce_client.src.app.model.times import timestamp
from salesforce_client.src.app.report import CheckReport, Report, TopicReport

EVENT, ACCOUNT, _ = DEFAULT_TOPICS
OTHER_ORG = "00DXX0000000001EAA"


@pytest.fixture
def org(mock: MockSalesforce, blob_settings: Mapping[str, str]) -> dict[str, str]:
    """Settings of a collector that reads one topic of the mock."""
    return {**blob_settings, **mock.settings, "SALESFORCE_TOPICS": EVENT}


@pytest.fixture
def done(mock: MockSalesforce) -> Iterator[list[Done]]:
    """Every call that a test puts here must not have printed a secret."""
    calls: list[Done] = []
    yield calls
    key = Path(mock.settings["SALESFORCE_PRIVATE_KEY_FILE"]).read_text()
    lines = [line for line in key.splitlines() if "-----" not in line]
    assert calls
    for call in calls:
        for secret in (*lines, AZURITE_KEY, *mock.tokens.issued, "AccountKey"):
            assert secret not in call.text


def names(container: ContainerClient) -> list[str]:
    return [blob.name for blob in container.list_blobs()] if container.exists() else []


def test_a_poll_reads_and_tells_what_it_read(
    org: dict[str, str], events: ContainerClient, cursors: ContainerClient, done: list[Done]
) -> None:
    """The result names the event file, and the exit code is 0."""
    done.append(call := command(org, "poll", "--yes"))
    assert call.code == 0, call.text
    (file,) = names(events)
    assert f"event file {file}" in call.out
    assert names(cursors)
    header, row, *_ = call.out.splitlines()
    assert header.split() == [
        *("topic", "ended", "received", "deletes", "rejected", "gaps", "cursor", "error"),
    ]
    topic, ended, received, deletes, *rest = row.split()
    assert (topic, ended, rest) == (EVENT, "caught_up", ["0", "0", "moved", "-"])
    assert int(received) == int(deletes) > 10
    told = f"{received} event(s) read, {deletes} delete(s); all is well"
    assert call.out.splitlines()[-1] == told
    done.append(again := command(org, "poll", "--yes"))
    assert again.out.splitlines()[-1] == "no new event; all is well"


def topic(
    ended: str, error: Exception | None = None, received: int = 0, deletes: int = 0
) -> TopicReport:
    return TopicReport("/event/A__e", ended=ended, error=error, received=received, deletes=deletes)


@pytest.mark.parametrize(
    ("topics", "checks", "code", "says"),
    [
        ([topic("caught_up")], [], 0, "no new event; all is well"),
        (
            [topic("idle", received=1_000, deletes=2), topic("deadline", received=1)],
            [],
            0,
            "1,001 event(s) read, 2 delete(s); 1 of 2 topic(s) not read to the end: the time was"
            " up; the next poll continues",
        ),
        (
            [topic("failed", TopicError("x"))],
            [],
            4,
            "no new event; 1 of 1 topic(s) failed; a person must act",
        ),
        (
            [topic("caught_up")],
            [CheckReport("A"), CheckReport("B", outcome="waits", reason="no time")],
            1,
            "no new event; 1 of 2 object(s) checked; look at what is listed above",
        ),
    ],
)
def test_one_sentence_says_what_a_poll_did(
    topics: list[TopicReport], checks: list[CheckReport], code: int, says: str
) -> None:
    """Also if there was nothing new."""
    report = Report("", {str(at): it for at, it in enumerate(topics)}, "", checks=checks)
    assert said(report, code) == says


def test_a_poll_as_json_is_one_object(
    org: dict[str, str], mock: MockSalesforce, events: ContainerClient, done: list[Done]
) -> None:
    """The rows of the topics are those of the table polls."""
    done.append(call := command(org, "poll", "--yes", "--json"))
    assert call.code == call.json["exit_code"] == 0
    assert call.json["org_id"] == mock.org.org_id
    assert call.json["files"] == names(events)
    (topic,) = call.json["topics"]
    assert (topic["topic"], topic["ended"]) == (EVENT, "caught_up")
    assert topic["received"] > 10


@pytest.mark.parametrize("typed", [None, "n\n", "\n", ""])
def test_a_poll_without_consent_changes_nothing(
    org: dict[str, str],
    events: ContainerClient,
    cursors: ContainerClient,
    done: list[Done],
    typed: str | None,
) -> None:
    """Nobody is asked without a terminal, and only yes is yes."""
    done.append(call := command(org, "poll", typed=typed))
    assert call.code == 2
    assert "Nothing was changed" in call.err
    assert "Read 1 topic(s) now" in call.err
    assert not events.exists()
    assert not cursors.exists()


def test_a_person_at_the_terminal_is_asked(
    org: dict[str, str], events: ContainerClient, done: list[Done]
) -> None:
    """The question is on stderr, so that the result can be redirected."""
    done.append(call := command(org, "poll", typed="y\n"))
    assert call.code == 0
    assert "[y/N]" in call.err
    assert "[y/N]" not in call.out
    assert names(events)


def test_a_poll_with_rejected_events_has_findings(
    blob_settings: Mapping[str, str], done: list[Done]
) -> None:
    """The rows are stored, but somebody should look."""
    with MockSalesforce(3600, faults="corrupt=5", keepalive_seconds=0.2) as mock:
        settings = {**blob_settings, **mock.settings, "SALESFORCE_TOPICS": EVENT}
        done.append(call := command(settings, "poll", "--yes"))
    assert call.code == 1, call.text


@pytest.mark.parametrize(
    ("faults", "code", "error"),
    [
        ("login_answer=ip_restricted", 4, "AuthenticationError"),
        ("deny_topic", 4, "TopicError"),
        ("delivery_limit=5", 3, "LimitExceededError"),
    ],
)
def test_a_poll_that_fails_says_who_must_act(
    blob_settings: Mapping[str, str], done: list[Done], faults: str, code: int, error: str
) -> None:
    """The table names the error, and stderr has its whole text."""
    with MockSalesforce(3600, faults=faults, keepalive_seconds=0.2) as mock:
        settings = {
            **blob_settings,
            **mock.settings,
            "SALESFORCE_TOPICS": EVENT,
            "MAX_RUN_SECONDS": "10",
        }
        done.append(call := command(settings, "poll", "--yes"))
    assert call.code == code, call.text
    assert error in call.out
    assert f"{error}: " in call.err


def test_the_line_of_progress_tells_events_rate_files_and_how_far_behind() -> None:
    """Only topics that still run count as behind."""
    hour_ago = timestamp(datetime.now(timezone.utc) - timedelta(minutes=61))
    slow = TopicReport("/event/A__e", received=900, published_at=hour_ago)
    quick = TopicReport("/event/B__e", received=100, published_at="2020-01-01T00:00:00.000Z")
    quick.end("idle")
    report = Report("", {"a": slow, "b": quick}, "", files=["one"])
    assert told(report, 10) == "1,000 events, 100/s, 1 files, 1 h 1 min behind"
    slow.end("idle")
    assert told(report, 10) == "1,000 events, 100/s, 1 files"


def test_a_long_poll_shows_its_progress(blob_settings: Mapping[str, str], done: list[Done]) -> None:
    """Each line is on stderr."""
    with MockSalesforce(3600, faults="trickle=0.1", keepalive_seconds=0.2) as mock:
        settings = {**blob_settings, **mock.settings, "SALESFORCE_TOPICS": EVENT}
        done.append(call := command(settings, "poll", "--yes", "--json"))
    assert " events, " in call.err
    assert call.json["exit_code"] == 0


def test_the_status_before_the_first_poll_names_what_was_never_read(
    org: dict[str, str], cursors: ContainerClient, events: ContainerClient, done: list[Done]
) -> None:
    """Looking creates no container."""
    done.append(call := command(org, "status", "--json"))
    assert call.code == 1
    (topic,) = call.json["topics"]
    assert topic["cursor"] == "none"
    assert topic["note"] == "no recent poll has read it"
    assert not cursors.exists()
    assert not events.exists()


def test_the_status_after_a_poll_shows_cursor_and_poll(
    org: dict[str, str], mock: MockSalesforce, done: list[Done]
) -> None:
    """The age is that of the position."""
    polled = command(org, "poll", "--yes", "--json").json["topics"][0]
    done += [call := command(org, "status", "--json"), plain := command(org, "status")]
    assert call.code == plain.code == 0, plain.text
    (topic,) = call.json["topics"]
    assert call.json["org_id"] == mock.org.org_id
    assert topic["cursor"] == "stored"
    assert 0 <= topic["age_seconds"] < 120
    assert topic["last_poll_at"] == topic["read_until"] == polled["began_at"]
    assert (topic["ended"], topic["note"], topic["error"]) == ("caught_up", "", None)
    assert plain.out.startswith(f"org: {mock.org.org_id}\n")
    assert polled["began_at"] in plain.out


def cursor_at(org_id: str, at: str | None) -> bytes:
    fields = {"org_id": org_id, "topic": EVENT, "replay_id": "AAAA", "event_id": None}
    return json.dumps({**fields, "position_at": at, "source": "event"}).encode()


@pytest.mark.parametrize(
    ("hours", "note"),
    [
        (47, ""),
        (49, "Salesforce accepts the cursor for 72 hours only: run a poll"),
        (73, "Salesforce no longer accepts the cursor: the next poll records a gap"),
        (0, ""),
        (
            -1,
            "the cursor's time is in the future: set this machine's clock or, if it is right, run"
            " a poll, which stores a new position",
        ),
        (None, "the next poll records a gap"),
    ],
)
def test_the_status_warns_of_a_cursor_that_is_too_old_or_wrong(
    org: dict[str, str],
    mock: MockSalesforce,
    cursors: ContainerClient,
    hours: int | None,
    note: str,
) -> None:
    """Salesforce accepts a replay id for 72 hours. ``None`` is a cursor that cannot be read."""
    assert command(org, "poll", "--yes").code == 0
    at = datetime.now(timezone.utc) - timedelta(hours=hours or 0)
    content = b"{" if hours is None else cursor_at(mock.org.org_id, timestamp(at))
    cursors.upload_blob(f"{mock.org.org_id}{EVENT}.json", content, overwrite=True)
    call = command(org, "status", "--json")
    assert call.json["topics"][0]["note"] == note
    assert call.code == (1 if note else 0)


def test_a_poll_gives_a_cursor_of_the_future_a_new_position(
    org: dict[str, str], mock: MockSalesforce, cursors: ContainerClient
) -> None:
    """So the advice of the status helps."""
    assert command(org, "poll", "--yes").code == 0
    (name,) = names(cursors)
    stored = json.loads(cursors.download_blob(name).readall())
    stored["position_at"] = "2130-01-01T00:00:00.000Z"
    cursors.upload_blob(name, json.dumps(stored), overwrite=True)
    assert command(org, "status").code == 1
    assert command(org, "poll", "--yes").code == 0
    assert command(org, "status").code == 0


def test_the_status_names_cursors_that_nobody_uses(
    org: dict[str, str], mock: MockSalesforce, cursors: ContainerClient, done: list[Done]
) -> None:
    """They are of other orgs, or of topics that are no longer read."""
    assert command(org, "poll", "--yes").code == 0
    cursors.upload_blob(f"{OTHER_ORG}{ACCOUNT}.json", b"{}")
    cursors.upload_blob(f"{OTHER_ORG}/check/Account.json", b"{}")
    cursors.upload_blob(f"{mock.org.org_id}{ACCOUNT}.json", b"{}")
    done += [call := command(org, "status", "--json"), plain := command(org, "status")]
    assert call.json["other_orgs"] == [{"org_id": OTHER_ORG, "topics": [ACCOUNT]}]
    assert call.json["not_configured"] == [ACCOUNT]
    assert f"status --remove-org {OTHER_ORG}" in plain.out
    assert f"{ACCOUNT} has a cursor, but SALESFORCE_TOPICS does not name it" in plain.out


def test_the_cursors_of_an_org_that_is_gone_are_removed_after_consent(
    org: dict[str, str], mock: MockSalesforce, cursors: ContainerClient, done: list[Done]
) -> None:
    """Everything in its folder goes, and nothing else."""
    assert command(org, "poll", "--yes").code == 0
    own = names(cursors)
    others = [f"{OTHER_ORG}/check/Account.json", f"{OTHER_ORG}{ACCOUNT}.json"]
    for name in others:
        cursors.upload_blob(name, b"{}")
    done.append(refused := command(org, "status", "--remove-org", OTHER_ORG))
    assert refused.code == 2
    assert "Remove 2 blobs of org" in refused.err
    assert "no gap is recorded" in refused.err
    assert sorted(names(cursors)) == sorted([*own, *others])
    done.append(call := command(org, "status", "--remove-org", OTHER_ORG, "--yes", "--json"))
    assert call.code == 0
    assert call.json["removed"] == others
    assert names(cursors) == own


@pytest.mark.parametrize("which", ["own", "unknown", "none"])
def test_only_a_known_org_that_is_not_in_use_can_be_removed(
    org: dict[str, str], mock: MockSalesforce, cursors: ContainerClient, which: str
) -> None:
    """The message names the orgs that are there."""
    if which != "none":
        assert command(org, "poll", "--yes").code == 0
    before = names(cursors)
    org_id = mock.org.org_id if which == "own" else OTHER_ORG
    call = command(org, "status", "--remove-org", org_id, "--yes")
    assert call.code == 2
    expected = {
        "own": "is the org of these settings: its cursors are in use",
        "unknown": f"the orgs there are {mock.org.org_id}",
        "none": "the orgs there are none",
    }
    assert expected[which] in call.err
    assert names(cursors) == before


def test_the_status_of_an_org_that_refuses_the_login_still_shows_the_cursors(
    blob_settings: Mapping[str, str], mock: MockSalesforce, org: dict[str, str], done: list[Done]
) -> None:
    """Nobody knows then which org is meant, so no cursor counts as its own."""
    assert command(org, "poll", "--yes").code == 0
    broken = {**org, "SALESFORCE_CLIENT_ID": "3MVG9other"}
    done.append(call := command(broken, "status", "--json"))
    assert call.code == 4
    assert call.json["org_id"] is None
    assert call.json["error"].startswith("AuthenticationError: ")
    assert call.json["other_orgs"] == [{"org_id": mock.org.org_id, "topics": [EVENT]}]
    assert call.json["topics"][0]["ended"] == "caught_up"


def test_a_storage_that_does_not_answer_is_tried_again_later(org: dict[str, str]) -> None:
    """The exit code is 3, and the JSON names the error."""
    nothing = {**org, "EVENTS_STORAGE": connection_string(free_port())}
    call = command(nothing, "status", "--json")
    assert call.code == call.json["exit_code"] == 3
    assert call.json["error"]["kind"] == "StorageUnavailableError"


def test_a_storage_that_refuses_the_key_needs_a_person(
    org: dict[str, str], done: list[Done]
) -> None:
    """The exit code is 4."""
    wrong = {**org, "EVENTS_STORAGE": org["EVENTS_STORAGE"].replace("AccountKey=E", "AccountKey=F")}
    done.append(call := command(wrong, "status", "--json"))
    assert call.code == 4
    assert call.json["error"]["kind"] == "StorageRefusedError"


def test_a_login_says_as_whom_and_shows_no_token(
    org: dict[str, str], mock: MockSalesforce, done: list[Done]
) -> None:
    """It sends nothing to Storage."""
    nothing = {**org, "EVENTS_STORAGE": connection_string(free_port())}
    done += [call := command(nothing, "login", "--json"), plain := command(nothing, "login")]
    assert call.code == plain.code == 0
    assert call.json["user"] == mock.settings["SALESFORCE_USERNAME"]
    assert call.json["org_id"] == mock.org.org_id
    assert mock.org.org_id in plain.out
    assert len(mock.tokens.issued) == 2


def test_a_login_tries_another_key_before_it_is_used(
    org: dict[str, str], tmp_path: Path, done: list[Done]
) -> None:
    """The key of the file counts, and not that of the settings."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (tmp_path / "new.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    current = command(org, "login", "--json").json
    done.append(refused := command(org, "login", "--key", str(tmp_path / "new.pem")))
    assert refused.code == 4
    assert "refused the JWT" in refused.err
    same = Path(org["SALESFORCE_PRIVATE_KEY_FILE"])
    inline = {**org, "SALESFORCE_PRIVATE_KEY": same.read_text(), "SALESFORCE_PRIVATE_KEY_FILE": ""}
    done.append(call := command(inline, "login", "--json", "--key", str(same)))
    assert call.json == current


def test_a_login_with_a_key_that_is_not_there_is_a_problem_of_the_settings(
    org: dict[str, str], tmp_path: Path
) -> None:
    """The exit code is 2."""
    call = command(org, "login", "--key", str(tmp_path / "none.pem"), "--json")
    assert call.code == 2
    (problem,) = call.json["error"]["problems"]
    assert "names a file that cannot be read" in problem


def test_a_login_in_mock_mode_takes_no_other_key(
    blob_settings: Mapping[str, str], org: dict[str, str]
) -> None:
    """The mock has made its own."""
    key = org["SALESFORCE_PRIVATE_KEY_FILE"]
    call = command({**blob_settings, "MOCK_MODE": "true"}, "login", "--key", key)
    assert call.code == 2
    assert "MOCK_MODE is true" in call.err


@pytest.mark.parametrize("folder", ["salesforce_client", "."])
def test_the_commands_run_in_the_apps_folder_and_in_the_root(
    org: dict[str, str], folder: str
) -> None:
    """Each has its help, with an example and the exit codes."""
    assert process(org, "login", "--json", folder=REPOSITORY / folder).code == 0
    for name in ("status", "poll", "login"):
        call = process({}, name, "--help", folder=REPOSITORY / folder)
        assert call.code == 0
        assert f"example: python -m src.app {name}" in call.out
        assert "0 well · 1 findings · 2 usage or settings · 3 try again · 4 a person" in call.out


def test_a_command_that_does_not_exist_is_an_error_of_usage() -> None:
    """The message lists those that do."""
    call = command({}, "explode")
    assert call.code == 2


def test_settings_of_the_file_reach_libraries_but_empty_ones_do_not(
    org: dict[str, str], tmp_path: Path
) -> None:
    """For OpenSSL, an empty name is a file that does not exist."""
    values = {**org, "SSL_CERT_FILE": "", "NO_PROXY": "example.com"}
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": values}))
    call = command({}, "login", folder=tmp_path)
    assert call.code == 0, call.text
    assert call.adopted["NO_PROXY"] == "example.com"
    assert "SSL_CERT_FILE" not in call.adopted


def test_a_person_uses_az_login_and_a_machine_in_azure_its_identity(
    org: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine in Azure has an endpoint for identities. This one answers nobody."""
    az = tmp_path / "az"
    az.write_text("#!/bin/sh\necho \"Please run 'az login' to set up account.\" >&2\nexit 1\n")
    az.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("time.sleep", lambda _: None)
    uri = f"https://127.0.0.1:{free_port()}/account"
    keyless = {**org, "EVENTS_STORAGE": "", "EVENTS_STORAGE__blobServiceUri": uri}
    person = command(keyless, "status")
    assert person.code == 4
    assert "nobody is logged in to Azure on this machine: Please run 'az login'" in person.err
    endpoint = {"IDENTITY_ENDPOINT": f"http://127.0.0.1:{free_port()}/", "IDENTITY_HEADER": "x"}
    for name, value in endpoint.items():
        monkeypatch.setenv(name, value)
    app = command({**keyless, **endpoint}, "status")
    assert app.code == 3
    assert "the app's identity gets no token for now" in app.err
