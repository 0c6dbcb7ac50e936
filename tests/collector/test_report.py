"""What a poll tells of itself in its last event file: one row of ``polls`` for each topic."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Optional, Union

import pytest
import tomli
from local.event_files import delete

from salesforce_client.src.app import __version__
from salesforce_client.src.app.errors import (
    IF_A_POLL_SUCCEEDS,
    AllUndecodableError,
    CheckFailedError,
    CheckUnavailableError,
    GapError,
    RunFailedError,
    StorageUnavailableError,
    TopicError,
)
from salesforce_client.src.app.model.limits import OrgLimit
from salesforce_client.src.app.model.rows import Delivery, Gap, Poll, RejectedEvent, Restore, Row
from salesforce_client.src.app.model.times import moment_of, now
from salesforce_client.src.app.report import CheckReport, Report, TopicReport

REPOSITORY = Path(__file__).resolve().parent.parent.parent
ORG_ID, TOPIC, BEGAN_AT = "00D000000000001EAA", "/event/One__e", "2026-02-01T00:00:00.000Z"
BEFORE, AFTER = "2026-01-31T23:59:59.999Z", "2026-02-01T00:00:00.001Z"


def polled(
    ended: str = "idle",
    published_at: Optional[str] = None,
    error: Optional[Exception] = None,
    topic: str = TOPIC,
    org_id: str = ORG_ID,
    began_at: str = BEGAN_AT,
) -> Poll:
    """The row of a topic that read one event and ended like this."""
    report = Report(org_id, {topic: TopicReport(topic)}, began_at)
    report.topics[topic].count(Delivery(received=1, published_at=published_at), "rpc")
    report.topics[topic].end(ended)
    if error:
        report.topics[topic].fail(error)
    (row,) = report.polls()
    return row


@pytest.mark.parametrize("ended", ["caught_up", "idle"])
@pytest.mark.parametrize("published_at", [None, BEFORE, AFTER])
def test_a_topic_that_was_read_to_its_end_is_read_until_the_polls_beginning(
    ended: str, published_at: Optional[str]
) -> None:
    """Events that are published during the poll may arrive with the next one."""
    row = polled(ended, published_at)
    assert (row.ended, row.read_until) == (ended, BEGAN_AT)


@pytest.mark.parametrize("ended", ["deadline", "failed"])
@pytest.mark.parametrize(
    ("published_at", "read_until"), [(None, None), (BEFORE, BEFORE), (AFTER, BEGAN_AT)]
)
def test_another_topic_is_read_until_its_last_event_but_never_beyond_the_polls_beginning(
    ended: str, published_at: Optional[str], read_until: Optional[str]
) -> None:
    """Without a publishing time nothing is known."""
    row = polled(ended, published_at)
    assert (row.ended, row.read_until) == (ended, read_until)


def test_the_last_publishing_time_counts_also_if_the_last_events_have_none() -> None:
    """A delivery of rejected events has no publishing time."""
    topic = TopicReport(TOPIC)
    for published_at in ("2026-01-30T00:00:00.000Z", BEFORE, None):
        topic.count(Delivery(published_at=published_at), "")
    topic.end("deadline")
    assert topic.poll(ORG_ID, BEGAN_AT).read_until == BEFORE


def test_after_a_poll_that_failed_as_a_whole_no_topic_counts_as_read() -> None:
    """The file with the events is not uploaded. Each row has the error that ended the poll."""
    report = Report(ORG_ID, {TOPIC: TopicReport(TOPIC)}, BEGAN_AT)
    report.topics[TOPIC].count(Delivery(received=1, published_at=BEFORE), "")
    report.topics[TOPIC].end("caught_up")
    report.fail(StorageUnavailableError("no answer"))
    (row,) = report.polls()
    assert (row.ended, row.read_until) == ("failed", None)
    assert row.error == "StorageUnavailableError: no answer"


def test_a_topic_ends_when_its_drain_ends() -> None:
    """The end of the poll comes later, and it does not change this time."""
    report = Report(ORG_ID, {TOPIC: TopicReport(TOPIC)}, BEGAN_AT)
    topic = report.topics[TOPIC]
    before = now()
    topic.end("caught_up")
    ended_at = topic.ended_at
    assert before <= ended_at <= now()
    while now() == ended_at:
        pass
    report.fail(StorageUnavailableError("no answer"))
    (row,) = report.polls()
    assert row.ended_at == ended_at
    assert moment_of(ended_at)


def test_each_org_topic_and_beginning_has_a_key_of_its_own() -> None:
    """A poll that is made again is another row."""
    rows = [
        polled(),
        polled(topic="/event/Two__e"),
        polled(org_id="00D000000000002EAA"),
        polled(began_at=AFTER),
    ]
    assert len({row.poll_id for row in rows}) == 4
    assert polled("failed").poll_id == rows[0].poll_id
    assert all(len(row.poll_id) == 64 for row in rows)


def test_a_row_has_the_figures_of_its_topic() -> None:
    """There is a column for each figure."""
    topic = TopicReport(TOPIC, received=9, deletes=5, restores=4, skipped=2, rejected=1, gaps=3)
    topic.end("idle")
    row = topic.poll(ORG_ID, BEGAN_AT)
    assert (row.org_id, row.topic, row.began_at) == (ORG_ID, TOPIC, BEGAN_AT)
    assert (row.received, row.deletes, row.skipped, row.rejected, row.gaps) == (9, 5, 2, 1, 3)
    assert (row.restores, row.error) == (4, None)


def test_an_org_that_is_not_known_is_null() -> None:
    """Only the login tells the org."""
    assert polled(org_id="").org_id is None


@pytest.mark.parametrize("objects", [None, [], ["Account", "My_Object__c"]])
def test_a_row_has_the_objects_that_are_known_when_the_poll_ends(
    objects: Optional[list[str]],
) -> None:
    """They are a JSON list. Null stands for objects that are not known."""
    report = Report(ORG_ID, {TOPIC: TopicReport(TOPIC)}, BEGAN_AT)
    report.topics[TOPIC].end("idle")
    report.objects = {TOPIC: objects}.__getitem__
    (row,) = report.polls()
    assert (json.loads(row.objects) if row.objects else row.objects) == objects


def test_the_objects_of_deletes_are_noted() -> None:
    """A check of these objects depends on this topic, whatever its name tells."""
    topic = TopicReport(TOPIC)
    rows = [delete("e1"), delete("e2", object_name="Contact"), delete("e3", object_name=None)]
    topic.count(Delivery(rows, received=3), "rpc")
    assert topic.objects == {"Account", "Contact"}


def test_the_log_has_a_line_for_each_check_and_each_topic_with_unknown_objects() -> None:
    """They come after those of the topics."""
    report = Report(ORG_ID, {TOPIC: TopicReport(TOPIC)}, BEGAN_AT)
    report.checks = [
        CheckReport("Account", 16, 40, 2, 35),
        CheckReport("Contact", 1, calls=2, outcome="clock", reason="set the clock"),
    ]
    report.unknown = [TOPIC]
    assert list(report.lines())[2:] == [
        "check object=Account windows=16 listed=40 restored=2 calls=35 outcome=listed",
        "check object=Contact windows=1 listed=0 restored=0 calls=2 outcome=clock"
        " reason=set the clock",
        f"topic={TOPIC} objects=unknown reason=name them in CHECK_OBJECTS",
    ]


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (OrgLimit(25_000, 2_500), "allocation=ok left=2500 of=25000"),
        (OrgLimit(25_000, 2_499), "allocation=low left=2499 of=25000"),
        (OrgLimit(25_000, 0), "allocation=low left=0 of=25000"),
        (CheckUnavailableError("no answer"), "allocation=unknown reason=no answer"),
    ],
)
def test_the_log_tells_what_is_left_of_the_allocation(
    told: Union[OrgLimit, CheckUnavailableError], line: str
) -> None:
    """An alert looks for ``allocation=low``: less than a tenth is left."""
    report = Report(ORG_ID, {}, BEGAN_AT, deliveries=told)
    assert list(report.lines())[1:] == [line]
    report.raise_if_failed()


def test_overdue_checks_fail_a_poll_whose_topics_did_not() -> None:
    """The error of a topic says more."""
    report = Report(ORG_ID, {TOPIC: TopicReport(TOPIC)}, BEGAN_AT)
    report.overdue = CheckFailedError("Account")
    with pytest.raises(CheckFailedError):
        report.raise_if_failed()
    report.topics[TOPIC].fail(StorageUnavailableError("no answer"))
    with pytest.raises(RunFailedError):
        report.raise_if_failed()


def test_the_error_of_a_topic_is_cut_to_500_characters() -> None:
    """It has the name of the error, which the operations page explains."""
    assert polled("failed", error=TopicError("absent")).error == "TopicError: absent"
    assert polled("failed", error=TopicError("x" * 600)).error == f"TopicError: {'x' * 488}"


def test_an_unexpected_error_leaves_only_its_kind() -> None:
    """Its text may quote a payload or a secret."""
    assert polled("failed", error=KeyError("Jane Doe")).error == "KeyError"


def test_a_row_names_the_version_of_the_collector() -> None:
    """The app is deployed without ``pyproject.toml``, so it has a copy of the version."""
    project = tomli.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert polled().writer == __version__ == project["version"]


def test_the_figures_of_all_deliveries_are_added() -> None:
    """The last rpc id counts, because Salesforce's support asks for it."""
    topic = TopicReport(TOPIC)
    reject = RejectedEvent("r", TOPIC, "e", b"", "s", b"", "x", "now")
    gap = Gap("g", TOPIC, "overflow", None, None, None, None, "now")
    restore = Restore("e", TOPIC, "Account", "001", None, "then", "event", "now")
    for rpc_id in ("one", "two", ""):
        rows: list[Row] = [delete(), delete(), restore, gap, reject]
        topic.count(Delivery(rows, 4, 1, [reject]), rpc_id)
    topic.end("idle")
    assert (topic.received, topic.deletes, topic.restores, topic.skipped) == (12, 6, 3, 3)
    assert (topic.rejected, topic.gaps, topic.rpc_id) == (3, 3, "two")
    assert topic.line() == (
        f"topic={TOPIC} state=ok received=12 deletes=6 restores=3 skipped=3 rejected=3 gaps=3"
        " ended=idle cursor=unchanged rpc_id=two"
    )


def test_the_log_line_of_a_topic_that_failed_names_the_error() -> None:
    """Before its first response a topic has no rpc id."""
    topic = TopicReport(TOPIC)
    topic.end("failed")
    topic.fail(TopicError("absent"))
    assert topic.line() == (
        f"topic={TOPIC} state=failed received=0 deletes=0 restores=0 skipped=0 rejected=0 gaps=0"
        " ended=failed cursor=unchanged rpc_id=- error=TopicError"
    )


def test_the_log_line_of_a_poll_names_its_files_in_order() -> None:
    """A poll that failed may have none."""
    assert next(Report(ORG_ID, {}, BEGAN_AT, files=["a.db", "b.db"]).lines()) == (
        f"org={ORG_ID} files=a.db,b.db topics=0"
    )
    assert next(Report(ORG_ID, {}, BEGAN_AT).lines()) == f"org={ORG_ID} files=- topics=0"


def test_a_poll_fails_with_the_error_of_each_failed_topic() -> None:
    """A topic that succeeded is not named."""
    report = Report(ORG_ID, {name: TopicReport(name) for name in (TOPIC, "/event/Two__e")}, "")
    report.raise_if_failed()
    absent = TopicError("absent")
    report.topics[TOPIC].fail(absent)
    with pytest.raises(RunFailedError) as raised:
        report.raise_if_failed()
    assert raised.value.failures == {TOPIC: absent}


def run_failed(**topics: tuple[str, Optional[Exception]]) -> str:
    """What a poll says whose topics ended like this, with these errors."""
    report = Report(ORG_ID, {name: TopicReport(name) for name in topics}, BEGAN_AT)
    for name, (ended, error) in topics.items():
        report.topics[name].end(ended)
        if error:
            report.topics[name].fail(error)
    with pytest.raises(RunFailedError) as raised:
        report.raise_if_failed()
    return str(raised.value)


def test_a_poll_of_which_every_topic_failed_says_that_none_was_read() -> None:
    """Nobody may think that the other topics are complete."""
    gone = TopicError("gone")
    assert run_failed(a=("failed", gone), b=("failed", gone)) == (
        "no topic was read to its end. The rows that had arrived are uploaded, and the next poll"
        f" continues from the cursors. {IF_A_POLL_SUCCEEDS}. docs/operations.md has a section about"
        " each error:\n  - a, b: TopicError: gone"
    )


@pytest.mark.parametrize(
    ("errors", "lost"),
    [
        ([GapError("x")], ""),
        ([AllUndecodableError("x")], ""),
        ([GapError("x"), AllUndecodableError("x")], ""),
        ([TopicError("x"), GapError("x")], f" {IF_A_POLL_SUCCEEDS}, except for the gaps below."),
        ([TopicError("x"), AllUndecodableError("x")], f" {IF_A_POLL_SUCCEEDS}."),
        ([TopicError("x"), KeyError("x")], f" {IF_A_POLL_SUCCEEDS}."),
        ([KeyError("x")], f" {IF_A_POLL_SUCCEEDS}."),
    ],
)
def test_a_failed_poll_says_once_what_is_lost(errors: Sequence[Exception], lost: str) -> None:
    """Errors about a gap, and about events that are kept, say it themselves."""
    told = run_failed(**{f"t{number}": ("failed", error) for number, error in enumerate(errors)})
    assert f" from the cursors.{lost} docs/operations.md has" in told
    assert told.count("Nothing is lost") == bool(lost)


@pytest.mark.parametrize("ended", ["idle", "caught_up", "deadline"])
def test_a_topic_with_an_error_may_have_been_read(ended: str) -> None:
    """An example is a topic with a gap. It is an error, but the topic was read."""
    told = "1 topic(s) failed. The rows of the other topics are uploaded, and the next poll"
    assert run_failed(a=(ended, TopicError("gap"))).startswith(told)
    assert run_failed(a=("failed", TopicError("gone")), b=(ended, None)).startswith(told)


def test_a_reason_of_several_topics_is_said_once() -> None:
    """Messages begin with the topic. What follows is the reason."""
    same = {name: ("failed", StorageUnavailableError(f"{name}: gone")) for name in ("a", "b")}
    other = {"c": ("failed", TopicError("c: gone")), "d": ("failed", TopicError("x: gone"))}
    assert run_failed(**same, **other).splitlines()[1:] == [
        "  - a, b: StorageUnavailableError: gone",
        "  - c: TopicError: gone",
        "  - d: TopicError: x: gone",
    ]


def test_the_log_of_a_poll_that_could_not_log_in_names_its_file() -> None:
    """The org is not known then."""
    report = Report("", {}, BEGAN_AT, files=["events_20260201T000000Z.db"])
    report.fail(TopicError("absent"))
    assert list(report.lines()) == [
        "org=- files=events_20260201T000000Z.db topics=0 error=TopicError"
    ]
