"""Each alert fires on what the apps really log and raise, and on nothing else.

The functions run as the host runs them. Their lines, errors and results become the rows of the log
tables, and the alerts' queries are asked about them.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.functions.timer import TimerRequest
from azure.storage.blob import ContainerClient
from local import kusto
from local.alerts import FILE, alerts
from local.bicep_compiler import committed
from local.environments import REPOSITORY
from local.event_files import poll as poll_row

from delete_sync.src.model import Unproven
from delete_sync.src.report import Report
from salesforce_client.src.app.model.times import timestamp
from salesforce_client.src.app.storage.blobs import blob_name
from salesforce_client.src.app.storage.event_file import EventFile

COLLECTOR, SYNC = "c", "d"
TOPIC = "/event/Delete_Event__e"
HOUR = timedelta(hours=1)


ALERTS = alerts(COLLECTOR, SYNC)


class Logs:
    """The log tables of the workspace, filled by runs of the functions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
        self._monkeypatch, self._caplog = monkeypatch, caplog
        self.tables: dict[str, list[kusto.Row]] = {
            "AppRequests": [],
            "AppTraces": [],
            "AppExceptions": [],
        }
        self._began = datetime.now(timezone.utc)

    def poll(self, settings: Mapping[str, str], **changes: str) -> None:
        """Run the collector's function."""
        main = importlib.import_module("salesforce_client.TimerPoller").main
        self._run(COLLECTOR, "TimerPoller", main, {**settings, **changes})

    def sweep(self, settings: Mapping[str, str], **changes: str) -> None:
        """Run the sync's function."""
        main = importlib.import_module("delete_sync.SnowflakePusher").main
        self._run(SYNC, "SnowflakePusher", main, {**settings, **changes})

    def _run(
        self,
        app: str,
        name: str,
        main: Callable[[TimerRequest], None],
        settings: Mapping[str, str],
    ) -> None:
        begun = len(self.tables["AppRequests"])
        shared = {
            "TimeGenerated": self._began + begun * HOUR,
            "AppRoleName": app.upper(),
            "OperationId": f"operation {begun}",
        }
        error: Exception | None = None
        self._caplog.clear()
        with self._monkeypatch.context() as patched, self._caplog.at_level(logging.INFO):
            for setting, text in settings.items():
                patched.setenv(setting, text)
            try:
                main(TimerRequest(past_due=False))
            except Exception as raised:  # noqa: BLE001  (the host logs it)
                error = raised
        self.tables["AppRequests"].append({**shared, "Name": name, "Success": error is None})
        self.log(shared, *(record.getMessage() for record in self._caplog.records))
        if error:
            # Sources: azure-functions-host, RpcException.cs; Microsoft's worker, tracing.py.
            text = f"Result: Failure\nException: {type(error).__name__}: {error}\nStack:   File …"
            self.tables["AppExceptions"] += [{**shared, "InnermostMessage": text}] * 2

    def log(self, shared: Mapping[str, Any], *lines: str) -> None:
        """Add lines of a run."""
        self.tables["AppTraces"] += [{**shared, "Message": line} for line in lines]

    def fire(self) -> set[str]:
        """The names of the alerts that fire."""
        return {name for name, it in ALERTS.items() if kusto.answer(it["query"], self.tables)}


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Logs:
    return Logs(monkeypatch, caplog)


@pytest.fixture
def settings(settings: dict[str, str]) -> dict[str, str]:
    """Settings for both apps, with one topic."""
    return {**settings, "SALESFORCE_TOPICS": TOPIC}


@pytest.fixture
def well(logs: Logs, settings: Mapping[str, str]) -> Logs:
    """The logs of a poll and a sweep that went well."""
    logs.poll(settings)
    logs.sweep(settings)
    return logs


def old_file(events: ContainerClient, folder: Path, *rows: Any) -> None:
    """Upload an event file that was begun 50 hours ago."""
    begun_at = datetime.now(timezone.utc).replace(microsecond=0) - 50 * HOUR
    file = EventFile(folder / "old.db", begun_at)
    file.add(rows)
    file.close()
    if not events.exists():
        events.create_container()
    events.upload_blob(blob_name(begun_at), file.path.read_bytes())


def test_no_alert_fires_if_all_is_well(well: Logs) -> None:
    """An operator who is called for nothing soon looks at no alert."""
    assert well.fire() == set()


def test_without_any_run_an_alert_fires_for_each_app() -> None:
    """A timer that stopped logs nothing."""
    nothing: dict[str, list[kusto.Row]] = {
        "AppRequests": [], "AppTraces": [], "AppExceptions": []
    }  # fmt: skip
    fire = {name for name, it in ALERTS.items() if kusto.answer(it["query"], nothing)}
    assert fire == {"no-successful-poll", "no-successful-sweep"}


def test_a_failed_poll_fires_with_the_first_line_of_its_error(
    logs: Logs, settings: Mapping[str, str]
) -> None:
    """The mail has the values of these columns, also the first topic's error without its rpc id."""
    logs.sweep(settings, MAX_SILENCE_HOURS="0", EVENTS_CONTAINER=settings["CURSORS_CONTAINER"])
    logs.poll(settings, MOCK_FAULTS="deny_topic")
    assert "a-run-failed" in logs.fire()
    swept, polled = kusto.answer(ALERTS["a-run-failed"]["query"], logs.tables)
    shown = ALERTS["a-run-failed"]["shown"]
    assert shown == ["Function", "Error", "Cause"]
    assert {*shown} <= {*polled}
    assert polled["Function"] == "TimerPoller"
    assert polled["Error"].startswith("RunFailedError: no topic was read to its end. The rows")
    assert "\n" not in polled["Error"]
    assert polled["Cause"].startswith(f"{TOPIC}: TopicError: {TOPIC} exists, but the user may not")
    assert "rpcId" not in polled["Cause"]
    assert swept["Error"].startswith("StorageRefusedError: container cursors-")
    assert swept["Cause"] == ""


def test_a_failed_run_without_a_known_error_fires_too(logs: Logs) -> None:
    """The host may end a run, or its exception may come late."""
    request = {"TimeGenerated": 1, "AppRoleName": "C", "OperationId": "o", "Success": False}
    logs.tables["AppRequests"].append({**request, "Name": "TimerPoller"})
    late = {"TimeGenerated": 1, "AppRoleName": "C", "OperationId": "other"}
    for error in ([], [{**late, "InnermostMessage": "Timeout value of 00:10:00 was exceeded"}]):
        logs.tables["AppExceptions"] = error
        assert "a-run-failed" in logs.fire()
    late["OperationId"] = "o"
    logs.tables["AppExceptions"] = [{**late, "InnermostMessage": "Timeout value\nwas exceeded"}]
    (row,) = kusto.answer(ALERTS["a-run-failed"]["query"], logs.tables)
    assert row["Error"] == "Timeout value"


def test_a_failing_sweep_fires_until_a_sweep_succeeds(
    well: Logs, settings: Mapping[str, str]
) -> None:
    """A sweep runs once a day, and the alert of a failed run ends after half an hour."""
    well.sweep(settings, EVENTS_CONTAINER="missing")
    assert well.fire() == {"a-run-failed", "the-last-sweep-failed"}
    well.poll(settings)
    assert "the-last-sweep-failed" in well.fire()
    well.sweep(settings)
    assert "the-last-sweep-failed" not in well.fire()


def test_files_that_wait_fire_until_they_are_loaded(
    well: Logs, settings: Mapping[str, str], events: ContainerClient, tmp_path: Path
) -> None:
    """The file is archived, so the sweep cannot read it."""
    old_file(events, tmp_path)
    name = f"events_{datetime.now(timezone.utc) - 50 * HOUR:%Y%m%dT%H}"
    blob = next(it.name for it in events.list_blobs() if it.name.startswith(name))
    events.get_blob_client(blob).set_standard_blob_tier("Archive")
    well.sweep(settings)
    assert well.fire() == {"a-run-failed", "the-last-sweep-failed", "event-files-wait"}
    events.get_blob_client(blob).set_standard_blob_tier("Hot")
    well.sweep(settings)
    assert "event-files-wait" not in well.fire()


def test_a_silent_collector_fires_until_it_is_heard(
    logs: Logs, settings: Mapping[str, str], events: ContainerClient, tmp_path: Path
) -> None:
    """The sync sees what the collector's own logs may not tell."""
    ago = timestamp(datetime.now(timezone.utc) - 50 * HOUR)
    old_file(events, tmp_path, poll_row(topic=TOPIC, began_at=ago, ended_at=ago))
    logs.sweep(settings)
    assert logs.fire() == {
        *("a-run-failed", "the-last-sweep-failed", "the-collector-is-silent"),
        *("no-successful-poll", "no-successful-sweep"),
    }
    logs.poll(settings)
    logs.sweep(settings)
    assert logs.fire() == {"a-run-failed"}


def test_a_gap_fires(well: Logs, settings: Mapping[str, str]) -> None:
    """Salesforce no longer knows the cursor."""
    well.poll(settings, MOCK_FAULTS="reject_replay_id")
    assert well.fire() == {"a-run-failed", "a-gap-was-recorded"}


def test_rejected_events_fire(logs: Logs, settings: Mapping[str, str]) -> None:
    """Every fifth event is damaged, and the poll succeeds."""
    logs.poll(settings, MOCK_FAULTS="corrupt")
    assert logs.fire() == {"events-were-rejected", "no-successful-sweep"}


def test_an_old_cursor_fires(
    well: Logs, settings: Mapping[str, str], cursors: ContainerClient
) -> None:
    """It is 49 hours old."""
    (blob,) = cursors.list_blobs()
    stored = cursors.download_blob(blob.name).readall().decode()
    old = timestamp(datetime.now(timezone.utc) - 49 * HOUR)
    changed = re.sub(r'"position_at": "[^"]*"', f'"position_at": "{old}"', stored)
    assert changed != stored
    cursors.upload_blob(blob.name, changed, overwrite=True)
    well.poll(settings)
    assert well.fire() == {"a-cursor-grows-old"}


@pytest.mark.parametrize(
    ("fault", "others"), [("limits_used=95", set()), ("delivery_limit=1", {"a-run-failed"})]
)
def test_deliveries_that_run_out_fire(
    well: Logs, settings: Mapping[str, str], fault: str, others: set[str]
) -> None:
    """They are nearly used up, or used up although the user may not see the limits."""
    well.poll(settings, MOCK_FAULTS=fault, SALESFORCE_TOPICS=f"{TOPIC},/data/AccountChangeEvent")
    assert well.fire() == {"the-allocation-runs-out", *others}


def test_an_unproven_day_fires(well: Logs) -> None:
    """The lines are those of a sweep that found such days."""
    day = Unproven("Account", "sight unknown", date(2026, 2, 1), date(2026, 2, 3), 2)
    shared = {"TimeGenerated": 1, "AppRoleName": SYNC, "OperationId": "o"}
    well.log(shared, *Report("s1", verdicts_unknown="no right").lines())
    assert well.fire() == set()
    well.log(shared, *Report("s1", unproven=[day]).lines())
    assert well.fire() == {"a-day-is-unproven"}


def test_a_topic_whose_objects_are_unknown_fires(well: Logs, settings: Mapping[str, str]) -> None:
    """Nothing about it is ever proven."""
    checked = {name: text for name, text in settings.items() if name != "CHECK_OBJECTS"}
    well.poll(checked)
    assert well.fire() == {"a-day-is-unproven"}


def test_each_alert_leads_to_the_page() -> None:
    """The mail has the description, and shows a window that Azure accepts."""
    rule = FILE.read_text()
    assert "description: '${alert.description} docs/operations.md says what to do.'" in rule
    assert "enabled: alertsOn" in rule
    for alert in ALERTS.values():
        assert alert["severity"] in {0, 1, 2}
        assert alert["window"] in {"PT30M", "PT1H", "PT2H", "P1D", "P2D"}


def test_the_operations_page_begins_with_a_row_for_each_alert() -> None:
    """A row has a query or a command to look at first, an error, and what to do."""
    page = (REPOSITORY / "docs/operations.md").read_text()
    section = page.partition("\n## ")[2]
    assert section.startswith("Alerts\n")
    table = section.partition("\n## ")[0].partition("|---|---|---|---|\n")[2]
    rows = [row[2:-2].split(" | ") for row in table.splitlines() if row]
    assert [row[0] for row in rows] == [name.replace("-", " ") for name in ALERTS]
    for row in rows:
        assert len(row) == 4
        assert all(row)
        assert re.search(r"`python -m src|\]\(#", row[1]), row


def test_the_set_up_page_has_each_alert_with_its_severity() -> None:
    """Names in the mails are those of the page."""
    page = FILE.with_name("README.md").read_text()
    told = re.findall(r"^\| ([a-z -]+) \| [^|]* \| (\d) \|$", page, re.MULTILINE)
    assert dict(told) == {
        name.replace("-", " "): str(alert["severity"]) for name, alert in ALERTS.items()
    }
    assert len(told) == len(ALERTS)


def test_the_compiler_makes_the_same_queries() -> None:
    """The tests above ask the queries that Bicep's own compiler puts together."""
    snapshot = committed("smallest")
    names = (snapshot.outputs["collectorApp"], snapshot.outputs["syncApp"])
    rules = snapshot.named("Insights/scheduledQueryRules")
    expected = alerts(*names)
    assert {name.removeprefix("abc-") for name in rules} == expected.keys()
    for name, rule in rules.items():
        (criterion,) = rule["properties"]["criteria"]["allOf"]
        alert = expected[name.removeprefix("abc-")]
        shown = [it["name"] for it in criterion["dimensions"]]
        assert (criterion["query"], shown) == (alert["query"], alert["shown"])
