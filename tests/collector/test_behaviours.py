"""What the collector does when Salesforce misbehaves: one fault of the mock at a time, over real sockets, onto a real Azurite.

``docs/collector-behaviours.md`` lists them by situation.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from local import event_files

from salesforce_client.src.app.errors import (
    AllUndecodableError,
    AuthenticationError,
    GapError,
    LimitExceededError,
    RequestRefusedError,
    RunFailedError,
    SalesforceUnavailableError,
    SettingsError,
    TopicError,
)
from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS, MockSalesforce, schemas
from salesforce_client.src.app.mock_salesforce.org import RETENTION
from salesforce_client.src.app.model import with_checksum
from salesforce_client.src.app.report import Report
from salesforce_client.src.app.run import run

NOW = datetime(2026, 2, 1, 12, 30, tzinfo=timezone.utc)
HOURLY = 3600.0
EVENT, ACCOUNT, CHANGES = DEFAULT_TOPICS
Rows = Callable[..., list[dict[str, Any]]]


class Org:
    """A mock with faults and everything that is asked of it in a test."""

    def __init__(self, mock: MockSalesforce, settings: Mapping[str, str]) -> None:
        self.mock = mock
        self._settings = {**settings, **mock.settings, "IDLE_SECONDS": "1", "MAX_RUN_SECONDS": "20"}

    def poll(self, **changes: str) -> Report:
        """One run."""
        return run({**self._settings, **changes})

    def published(
        self, since: datetime = NOW - RETENTION, topics: tuple[str, ...] = DEFAULT_TOPICS
    ) -> list[str]:
        """The keys of all deletes."""
        return sorted(it.key for it in self.mock.org.deletes(topics, since, self.mock.org.now()))

    def published_events(self) -> list[str]:
        """The ids of all platform events."""
        return sorted(key.partition(":")[0] for key in self.published(topics=(EVENT,)))

    def set_clock(self, moment: datetime) -> None:
        """Move time."""
        self.mock.org.now = lambda: moment


@pytest.fixture
def salesforce(
    blob_settings: Mapping[str, str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Org]]:
    """Starts a mock with these faults; afterwards nothing secret stands in any log or error of the test."""
    caplog.set_level(logging.DEBUG, logger="salesforce_client")
    caplog.set_level(logging.INFO)
    started: list[MockSalesforce] = []
    told: list[str] = []
    original = Report.raise_if_failed

    def remember(report: Report) -> None:
        try:
            original(report)
        except RunFailedError as error:
            told.append(str(error))
            raise

    monkeypatch.setattr(Report, "raise_if_failed", remember)

    def start(faults: str = "", interval: float = HOURLY, **options: Any) -> Org:
        mock = MockSalesforce(interval, NOW, faults=faults, **{"keepalive_seconds": 0.2, **options})
        started.append(mock.__enter__())
        return Org(mock, blob_settings)

    yield start
    text = "\n".join([caplog.text, *told])
    for mock in started:
        key = Path(mock.settings["SALESFORCE_PRIVATE_KEY_FILE"]).read_text().splitlines()[1]
        mock.__exit__(None, None, None)
        for secret in (*mock.tokens.issued, key, "eyJ", "Record_Name__c", "AccountKey="):
            assert secret not in text


@pytest.fixture
def rows(events: ContainerClient, tmp_path: Path) -> Rows:
    return lambda table="events": event_files.rows(events, tmp_path, table)


def keys(deletes: list[dict[str, Any]]) -> list[str]:
    return sorted(row["event_id"] for row in deletes)


def event_ids(some: list[dict[str, Any]]) -> list[str]:
    """Of deletes and of rejected events."""
    return sorted(row["event_id"].partition(":")[0] for row in some)


# -- cursor and durability


def test_an_empty_response_before_the_backlog_is_not_taken_for_its_end(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """Its position is ahead of events that are still to come: taken as the cursor, it would lose them."""
    org = salesforce("empty_first=2, drop_stream=3", batch_size=3)
    report = org.poll(SALESFORCE_TOPICS=EVENT)
    assert keys(rows()) == org.published(topics=(EVENT,))
    assert report.topics[EVENT].error is None


def test_replay_ids_are_opaque(salesforce: Callable[..., Org], rows: Rows) -> None:
    """Of any length and in no order, as after an org migration: kept, handed back and never looked into."""
    org = salesforce("opaque_ids, drop_stream=5")
    org.poll().raise_if_failed()
    org.set_clock(NOW + timedelta(hours=9))
    org.poll().raise_if_failed()
    assert keys(rows()) == org.published()
    assert len({len(row["replay_id"]) for row in rows()}) > 3


@pytest.mark.parametrize("ids", ["shared", "own"])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_a_cursor_never_stands_among_events_under_one_replay_id(
    ids: str, batch_size: int, salesforce: Callable[..., Org], rows: Rows
) -> None:
    """On an enriched channel a change of 20 records is 20 events; the stream breaks in their midst, and so does the run."""
    org = salesforce(
        f"split={ids}, drop_stream=31, delivery_limit=97, rare_changes", batch_size=batch_size
    )
    reports = [org.poll(SALESFORCE_TOPICS=CHANGES, MAX_FILE_ROWS="7") for _ in range(2)]
    assert isinstance(reports[0].topics[CHANGES].error, LimitExceededError)
    clear = salesforce(f"split={ids}, rare_changes")
    clear.poll(SALESFORCE_TOPICS=CHANGES).raise_if_failed()
    assert keys(rows()) == org.published(topics=(CHANGES,))


def test_a_poison_event_that_is_the_last_of_a_change_topic_does_not_block_it(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """It waits for others under its replay id; its verdict are those that came with it."""
    whole = salesforce()
    (*_, last) = whole.mock.org.events(ACCOUNT, whole.mock.org.earliest(), 1000)
    org = salesforce(f"corrupt={last.position // 1_000_000}")
    report = org.poll(SALESFORCE_TOPICS=ACCOUNT)
    assert report.topics[ACCOUNT].error is None
    assert report.topics[ACCOUNT].cursor == "moved"
    assert [row["event_id"] for row in rows("rejected_events")] == [last.event_id]


def test_two_collectors_at_once_lose_and_double_nothing(
    salesforce: Callable[..., Org], rows: Rows, cursors: ContainerClient
) -> None:
    """Whoever is late keeps the other's cursor."""
    org = salesforce("trickle=0.01")
    reports: list[Report] = []
    runs = [threading.Thread(target=lambda: reports.append(org.poll())) for _ in range(2)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    for report in reports:
        report.raise_if_failed()
    assert {topic.cursor for report in reports for topic in report.topics.values()} == {
        "moved",
        "kept",
    }
    assert set(keys(rows())) == set(org.published())
    assert sum(topic.received for topic in org.poll().topics.values()) == 0


def test_another_org_has_cursors_of_its_own(
    salesforce: Callable[..., Org], cursors: ContainerClient
) -> None:
    """A refreshed sandbox never resumes from the old one's replay ids."""
    org = salesforce()
    org.poll(SALESFORCE_TOPICS=EVENT)
    org.mock.org.org_id = org.mock.tokens.org_id = with_checksum("00D5f00000NewOr")
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert len({blob.name.partition("/")[0] for blob in cursors.list_blobs()}) == 2


# -- draining


@pytest.mark.parametrize(
    "fault",
    ["odd_batches", "delay_first=0.5", "trickle=0.01", "end_stream=4", "schema_unavailable=2"],
)
def test_a_backlog_arrives_whole_however_it_is_served(
    salesforce: Callable[..., Org], rows: Rows, fault: str
) -> None:
    """In odd portions, late, one by one, in pieces, or with a schema that takes some asking."""
    org = salesforce(fault)
    org.poll(
        MAX_RUN_SECONDS="90"
    ).raise_if_failed()  # a stream for every four events takes its time
    assert keys(rows()) == org.published()


def test_a_backlog_beyond_the_credit_arrives_whole(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """Credit is topped up before it runs out: clients that do not stop after 100 events."""
    org = salesforce(interval=300)
    report = org.poll()
    assert report.topics[CHANGES].received == 648
    assert keys(rows()) == org.published()


def test_a_trickle_that_never_ends_is_cut_off_by_the_deadline(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """What came until then is safe, and the next run goes on behind it."""
    org = salesforce("trickle=0.5", interval=600)
    began = time.monotonic()
    report = org.poll(MAX_RUN_SECONDS="10", SALESFORCE_TOPICS=EVENT)
    assert time.monotonic() - began < 10
    assert (report.topics[EVENT].ended, report.topics[EVENT].cursor) == ("deadline", "moved")
    first = keys(rows())
    assert first
    org.poll(MAX_RUN_SECONDS="10", SALESFORCE_TOPICS=EVENT)
    second = keys(rows())
    assert len(set(second)) > len(first)
    assert len(second) - len(set(second)) == 1, (
        "the last event comes again: its group might have gone on"
    )


def test_a_quiet_topics_cursor_is_refreshed_long_before_it_expires(
    salesforce: Callable[..., Org], cursors: ContainerClient
) -> None:
    """By holding one drain for a keepalive, which takes longer than the usual patience."""
    org = salesforce("keepalive=3")
    org.poll(SALESFORCE_TOPICS=EVENT, IDLE_SECONDS="4")
    (blob,) = cursors.list_blobs()
    cursor = json.loads(cursors.download_blob(blob.name).readall())
    aged = {
        **cursor,
        "position_at": (datetime.now(timezone.utc) - timedelta(hours=30)).isoformat(
            timespec="milliseconds"
        ),
    }
    cursors.upload_blob(blob.name, json.dumps(aged), overwrite=True)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    refreshed = json.loads(cursors.download_blob(blob.name).readall())
    assert refreshed["source"] == "keepalive"
    assert refreshed["position_at"] > cursor["position_at"]


def test_latest_whose_stream_breaks_loses_nothing(
    salesforce: Callable[..., Org], rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    """A second LATEST would begin later: it goes on from EARLIEST, and says so."""
    org = salesforce("schema_unavailable=1")
    began = time.monotonic()
    org.mock.org.now = lambda: NOW + timedelta(hours=5 * (time.monotonic() - began))
    org.poll(
        SALESFORCE_TOPICS=ACCOUNT, SALESFORCE_REPLAY_PRESET="LATEST", MAX_RUN_SECONDS="10"
    ).raise_if_failed()
    assert f"topic={ACCOUNT} start=EARLIEST" in caplog.text
    org.set_clock(org.mock.org.now())
    org.poll(SALESFORCE_TOPICS=ACCOUNT, SALESFORCE_REPLAY_PRESET="LATEST").raise_if_failed()
    assert set(keys(rows())) >= set(org.published(NOW, (ACCOUNT,)))


@pytest.mark.parametrize("faults", ["", "latest_immediate", "keepalive=3"])
def test_latest_leaves_no_hole_between_the_first_runs(
    salesforce: Callable[..., Org], rows: Rows, faults: str
) -> None:
    """Whether Salesforce answers LATEST at once or after a keepalive."""
    org = salesforce(faults)
    org.poll(SALESFORCE_TOPICS=EVENT, SALESFORCE_REPLAY_PRESET="LATEST").raise_if_failed()
    org.set_clock(NOW + timedelta(hours=9))
    org.poll(
        SALESFORCE_TOPICS=EVENT, SALESFORCE_REPLAY_PRESET="LATEST", IDLE_SECONDS="4"
    ).raise_if_failed()
    assert keys(rows()) == org.published(NOW, (EVENT,))


def test_latest_without_any_position_is_a_failure(salesforce: Callable[..., Org]) -> None:
    """A run that looked well would hide that the next one begins later."""
    report = salesforce("silent").poll(
        SALESFORCE_TOPICS=EVENT, SALESFORCE_REPLAY_PRESET="LATEST", MAX_RUN_SECONDS="10"
    )
    assert isinstance(report.topics[EVENT].error, SalesforceUnavailableError)


def test_a_silent_server_cannot_hang_the_run(salesforce: Callable[..., Org], rows: Rows) -> None:
    """Nor hold back the topics beside it. Its own silence is no success: Salesforce sends an empty response in time."""
    org = salesforce(f"silent@{ACCOUNT}")
    began = time.monotonic()
    report = org.poll(SALESFORCE_TOPICS=f"{ACCOUNT},{EVENT}", MAX_RUN_SECONDS="10")
    assert time.monotonic() - began < 10
    assert isinstance(report.topics[ACCOUNT].error, SalesforceUnavailableError)
    assert keys(rows()) == org.published(topics=(EVENT,))


def test_a_response_of_three_megabytes_is_received(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """As large as Salesforce makes them."""
    org = salesforce("large=29", interval=600)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert len(rows()) == 108


# -- recovery


def test_only_the_documented_code_resets_a_cursor(
    salesforce: Callable[..., Org], rows: Rows, cursors: ContainerClient
) -> None:
    """The gap is on record, the run fails so that someone is told, and what is retained is read again."""
    org = salesforce("reject_replay_id=1")
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    report = org.poll(SALESFORCE_TOPICS=EVENT)
    assert isinstance(report.topics[EVENT].error, GapError)
    assert [gap["reason"] for gap in rows("gaps")] == ["expired_cursor"]
    assert set(keys(rows())) == set(org.published(topics=(EVENT,)))
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()


def test_a_cursor_older_than_retention_leaves_a_gap_on_record(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """From when the cursor was saved."""
    org = salesforce("strict_retention")
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    org.set_clock(NOW + timedelta(hours=200))
    with pytest.raises(RunFailedError, match="GapError"):
        org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    (gap,) = rows("gaps")
    assert gap["from_time"] < gap["to_time"]
    retained = org.published(NOW + timedelta(hours=200) - RETENTION, (EVENT,))
    assert set(keys(rows())) >= set(retained)


@pytest.mark.parametrize("fault", ["status=INVALID_ARGUMENT", "error=subscription.fetch.overflow"])
def test_another_invalid_argument_leaves_the_cursor_alone(
    salesforce: Callable[..., Org], cursors: ContainerClient, fault: str
) -> None:
    """With another code and with none."""
    org = salesforce(f"{fault}@{ACCOUNT}")
    report = org.poll(SALESFORCE_TOPICS=ACCOUNT)
    assert isinstance(report.topics[ACCOUNT].error, RequestRefusedError)
    assert list(cursors.list_blobs()) == []


@pytest.mark.parametrize("fault", ["expire_session=5", "revoke_session=5, drop_stream=9"])
def test_a_session_that_ends_in_mid_stream_is_renewed_once(
    salesforce: Callable[..., Org], rows: Rows, fault: str
) -> None:
    """And the stream resumes behind what was received, whether or not the end of the session ends it."""
    org = salesforce(fault)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert keys(rows()) == org.published(topics=(EVENT,))
    assert len(org.mock.tokens.issued) == 2


def test_a_session_that_is_always_refused_fails_the_topics(salesforce: Callable[..., Org]) -> None:
    """After one renewal: it is a matter for a person."""
    org = salesforce("refuse_session")
    report = org.poll()
    assert {type(topic.error) for topic in report.topics.values()} == {AuthenticationError}


def test_a_login_host_that_is_down_for_a_moment_is_asked_again(
    salesforce: Callable[..., Org],
) -> None:
    """With a new assertion each time."""
    salesforce("login_unavailable=2").poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()


@pytest.mark.parametrize(
    "fault",
    [
        "drop_stream=6",
        "error=subscription.internal.error:6:2",
        "error=service.unavailable:0:2",
        "topic_unavailable=2",
    ],
)
def test_what_is_transient_is_retried_behind_what_was_received(
    salesforce: Callable[..., Org], rows: Rows, fault: str
) -> None:
    """Dropped streams, internal errors, outages."""
    org = salesforce(fault)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert keys(rows()) == org.published(topics=(EVENT,))


def test_retries_at_one_position_are_bounded(salesforce: Callable[..., Org], rows: Rows) -> None:
    """Within the run's time; what came before stands."""
    org = salesforce("error=subscription.internal.error:6", batch_size=6)
    began = time.monotonic()
    report = org.poll(SALESFORCE_TOPICS=EVENT, MAX_RUN_SECONDS="60")
    assert time.monotonic() - began < 60
    assert report.topics[EVENT].cursor == "moved"
    assert len(rows()) >= 6


def test_an_exceeded_delivery_limit_stops_the_topic_until_the_next_run(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """No retry would help. Whole groups are kept and the cursor stands behind them; the last event might be a part of one."""
    org = salesforce("delivery_limit=10", batch_size=5)
    began = time.monotonic()
    report = org.poll(SALESFORCE_TOPICS=EVENT)
    assert time.monotonic() - began < 5
    assert isinstance(report.topics[EVENT].error, LimitExceededError)
    assert (len(rows()), report.topics[EVENT].cursor) == (9, "moved")


def test_a_topic_without_the_right_to_it_names_the_right(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """And the others go on."""
    org = salesforce(f"deny_topic@{ACCOUNT}")
    report = org.poll(SALESFORCE_TOPICS=f"{ACCOUNT},{EVENT}")
    error = report.topics[ACCOUNT].error
    assert isinstance(error, TopicError)
    assert "View All on the object" in str(error)
    assert keys(rows()) == org.published(topics=(EVENT,))


# -- events


def test_rare_changes_become_rows_and_gaps(salesforce: Callable[..., Org], rows: Rows) -> None:
    """GAP_DELETE a marked row, a wildcard a row and a gap, GAP_OVERFLOW a gap; GAP_UPDATE and SNAPSHOT nothing."""
    org = salesforce("rare_changes")
    org.poll().raise_if_failed()
    assert keys(rows()) == org.published()
    told = {(gap["topic"], gap["reason"]) for gap in rows("gaps")}
    assert told == {
        (topic, reason)
        for topic, _, reason in org.mock.org.gaps(DEFAULT_TOPICS, NOW - RETENTION, NOW)
    }
    marked = {tuple(json.loads(row["payload"]).get("_tracker", {})) for row in rows()}
    assert marked == {(), ("gap",), ("wildcard",)}


def test_an_event_that_comes_twice_is_one_row(salesforce: Callable[..., Org], rows: Rows) -> None:
    """Under two replay ids, within a run and over two."""
    org = salesforce("duplicate=2, drop_stream=7")
    org.poll().raise_if_failed()
    assert keys(rows()) == org.published()
    org.set_clock(NOW + timedelta(hours=5))
    org.poll().raise_if_failed()
    assert set(keys(rows())) == set(org.published())


def test_each_event_is_read_with_its_own_schema(salesforce: Callable[..., Org], rows: Rows) -> None:
    """An admin's new field changes it in mid-stream."""
    org = salesforce("schema_change")
    org.poll().raise_if_failed()
    assert keys(rows()) == org.published()
    assert len({row["schema_id"] for row in rows() if row["topic"] == EVENT}) == 2


def test_a_change_event_without_a_schema_is_saved_by_its_header(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """It is a row, marked so; a platform event has no such header, so its topic fails, and its events are kept as bytes."""
    org = salesforce("schema_missing")
    report = org.poll()
    assert keys(rows()) == org.published(topics=(ACCOUNT, CHANGES))
    assert all("header_only" in json.loads(row["payload"])["_tracker"] for row in rows())
    assert isinstance(report.topics[EVENT].error, AllUndecodableError)
    assert event_ids(rows("rejected_events")) == org.published_events()
    assert rows("schemas") == []


def test_a_poison_event_is_set_aside_and_the_topic_goes_on(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """With its bytes, its schema and the error."""
    org = salesforce(f"corrupt=8@{EVENT}")
    report = org.poll(SALESFORCE_TOPICS=EVENT)
    report.raise_if_failed()
    rejects = rows("rejected_events")
    assert (len(rejects), report.topics[EVENT].rejected) == (9, 9)
    assert event_ids([*rows(), *rejects]) == org.published_events()
    assert all(
        row["payload"] and row["schema_id"] and "does not fit its schema" in row["error"]
        for row in rejects
    )


def test_a_poison_event_that_comes_alone_does_not_block_its_topic(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """A response with nothing else in it tells nothing about us."""
    org = salesforce(f"corrupt=8@{EVENT}", batch_size=1)
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert event_ids([*rows(), *rows("rejected_events")]) == org.published_events()


def test_if_nothing_can_be_decoded_the_topic_fails_once_and_its_bytes_are_kept(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """With their schema. The cursor moves, because the bytes are safe: the next poll does not read them again."""
    org = salesforce(f"garbage@{EVENT}")
    report = org.poll(SALESFORCE_TOPICS=EVENT)
    assert isinstance(report.topics[EVENT].error, AllUndecodableError)
    assert (report.topics[EVENT].ended, report.topics[EVENT].cursor) == ("failed", "moved")
    assert event_ids(rows("rejected_events")) == org.published_events()
    (schema,) = rows("schemas")
    assert schema == {
        "schema_id": schemas.schema_id(schemas.DELETE_EVENT),
        "schema_json": schemas.DELETE_EVENT,
    }
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()


def test_undecodable_events_do_not_block_those_behind_them(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """However many: a whole response, a whole poll."""
    bad = salesforce(f"garbage@{EVENT}")
    bad.poll(SALESFORCE_TOPICS=EVENT)
    org = salesforce()
    org.set_clock(NOW + timedelta(hours=9))
    org.poll(SALESFORCE_TOPICS=EVENT).raise_if_failed()
    assert keys(rows()) == org.published(NOW, (EVENT,))


def test_the_object_is_told_by_the_event_and_not_by_the_topic(
    salesforce: Callable[..., Org], rows: Rows
) -> None:
    """Several objects come on one channel."""
    salesforce().poll(SALESFORCE_TOPICS=CHANGES)
    assert {row["object_name"] for row in rows()} == {"Account", "Contact"}


def test_a_run_reports_every_topic_with_its_figures(salesforce: Callable[..., Org]) -> None:
    """One line each, with the id that Salesforce's support asks for."""
    report = salesforce(f"deny_topic@{ACCOUNT}").poll()
    lines = list(report.lines())
    assert len(lines) == 4
    assert any(
        line.startswith(f"topic={ACCOUNT} state=failed") and line.endswith("error=TopicError")
        for line in lines
    )
    assert any(
        line.startswith(f"topic={EVENT} state=ok received=18 deletes=18 skipped=0")
        and "rpc_id=" in line
        for line in lines
    )


def test_an_unknown_fault_is_told_with_all_that_there_are(blob_settings: Mapping[str, str]) -> None:
    """By the setting's name."""
    with pytest.raises(
        SettingsError,
        match=r"MOCK_FAULTS has the unknown fault 'explode': the faults are drop_stream",
    ):
        run({**blob_settings, "MOCK_MODE": "true", "MOCK_FAULTS": "explode"})
