"""Runs the checks of a poll, after its events are uploaded and its cursors have moved.

A check compares a window of time of one object with Salesforce's own list of deleted records. No
error of a check fails the deletes.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional, Protocol

from .. import completeness
from ..errors import CollectorError
from ..report import CheckReport, Report, reason_of
from .calls import CallBlobs, Calls
from .file import CheckFile, Files, KeptBlobs
from .one_object import WAITS, Lists, ObjectCheck
from .poll import Poll
from .schedule import ProgressBlobs, Schedule
from .topics import ChannelBlobs, ChannelLists, Topics

log = logging.getLogger(__name__)

CALLS_BESIDE_WINDOWS = 3  # describe, and two questions about rights
CALLS_FOR_HALVES = 4  # two lists may be so long that they are asked for in halves


class Questions(Lists, ChannelLists, Protocol):
    """What Salesforce says, with a limit of requests."""

    def allow(self, calls: int, before: Callable[[int], None]) -> None:
        """Allow so many requests in all. ``before`` is called before each one, with its number."""


class Blobs(KeptBlobs, CallBlobs, ChannelBlobs, ProgressBlobs, Protocol):
    """Where everything of the checks but their event file is kept."""

    def forget(self, org_id: str, object_name: str, before: str) -> None:
        """Remove the entries of the days before this one."""


class Rules(NamedTuple):
    """The settings of the checks.

    Attributes:
        objects: the setting CHECK_OBJECTS. None if it is not set, empty if nothing is checked.
        calls: REST calls in 24 hours.
        file_rows: maximum rows of an event file.
        now: every object is due.
    """

    objects: Optional[Sequence[str]]
    calls: int
    file_rows: int
    now: bool = False


class Checks:
    """The checks of one poll. Use it in a ``with`` block, and call ``run`` after the drains.

    Args:
        lists: answers the questions.
        files: where event files are kept.
        blobs: where everything else of the checks is kept.
        topics: the names of the topics.
        rules: the settings.
        poll: what all checks have in common.

    Attributes:
        awaited: the topics of the objects whose check is due.
    """

    def __init__(
        self,
        lists: Questions,
        files: Files,
        blobs: Blobs,
        topics: Sequence[str],
        rules: Rules,
        poll: Poll,
    ) -> None:
        self._lists = lists
        self._blobs = blobs
        self._topics = Topics(lists, blobs, topics, rules.objects, poll)
        self._rules = rules
        self._poll = poll
        self._file = CheckFile(files, blobs, poll.org_id, rules.file_rows)
        self._schedule = Schedule(blobs, self._file, poll, now=rules.now)
        self._failures: list[Exception] = []
        self._stored = False
        self._calls_unknown = ""  # why nobody knows how many calls are left
        self._calls = Calls(blobs, poll.org_id, poll.began, rules.calls)
        self.awaited: frozenset[str] = frozenset()

    def __enter__(self) -> Checks:
        if self._rules.objects != ():
            self._prepare()
        return self

    def __exit__(self, *_: object) -> None:
        self._topics.close()
        self._file.close()

    def objects_of(self, topic: str) -> Optional[Sequence[str]]:
        """The objects of a topic, as far as they are known now."""
        return self._topics.known().of(topic)

    def run(self, report: Report) -> None:
        """Check the objects that are due. Errors are in the report.

        Args:
            report: the poll's report. All topics have ended.
        """
        if self._rules.objects == ():
            return
        try:
            self._run(report)
        except CollectorError as error:
            self._failures.append(error)
        except Exception as error:
            log.exception("check unexpected failure")
            self._failures.append(error)
        self._failures += self._file.refused.values()
        for failure in self._failures:
            report.checks.append(_failed("*", reason_of(failure)))
        report.files += self._file.uploaded
        checked = self._topics.checked()
        lost = self._file.refused.keys() if self._stored else set(checked)
        why = reason_of(self._failures[0]) if self._failures else "no poll could check it"
        report.overdue = self._schedule.failure(checked, lost, why)

    def _prepare(self) -> None:
        """Load what is stored, and ask for the members of channels in the background."""
        self._note_failure(self._topics.load)
        self._schedule.load(self._topics.checked())
        if failure := self._note_failure(self._calls.load):
            self._calls_unknown = failure.text
        else:
            self._lists.allow(self._calls.allowed, self._calls.before)
            self.awaited = self._topics.of_objects(set(self._schedule.due()))
        self._topics.ask()

    def _note_failure(self, load: Callable[[], None]) -> Optional[CollectorError]:
        """Load something. A failure is noted, returned, and does not stop the rest."""
        try:
            load()
        except CollectorError as error:
            self._failures.append(error)
            return error
        return None

    def _run(self, report: Report) -> None:
        if error := self._topics.wait():
            log.warning("channels=unknown reason=%s", reason_of(error))
        report.unknown = self._topics.unknown()
        self._schedule.load(self._topics.checked())
        for name, unreadable in self._schedule.unreadable.items():
            report.checks.append(_failed(name, reason_of(unreadable)))
        self._schedule.begin(self._topics.with_gaps(report))
        if report.error is None:
            self._check(self._schedule.due(), report)
        self._file.publish()
        self._stored = True
        self._calls.done(self._lists.calls)
        oldest = f"{self._poll.began - completeness.REACH:%Y-%m-%d}"
        for check in report.checks:
            if check.windows:
                self._blobs.forget(self._poll.org_id, check.object_name, oldest)

    def _check(self, due: Sequence[str], report: Report) -> None:
        ready = []
        for name in due:
            if self._calls_unknown:
                self._leave(_failed(name, self._calls_unknown), report)
            elif blocker := self._topics.blocker(name, report):
                self._leave(CheckReport(name, outcome=WAITS, reason=blocker), report)
            else:
                ready.append(name)
        reserved = {name: self._calls_for(name) for name in ready}
        counted = 0  # the question about channels counts for the first object
        for name in ready:
            del reserved[name]
            check = ObjectCheck(
                self._poll,
                self._schedule.progress[name],
                self._lists,
                self._file,
                functools.partial(self._spare, sum(reserved.values())),
                counted,
            )
            check.run(filtered=self._topics.known().is_filtered(name, self._topics.names))
            counted = self._lists.calls
            self._schedule.progress[name] = check.progress
            report.checks.append(check.report)

    def _leave(self, told: CheckReport, report: Report) -> None:
        """Leave an object to a later poll."""
        report.checks.append(told)
        name = told.object_name
        left = self._schedule.progress[name]._replace(
            error=f"{name}: {told.reason}", outcome=told.outcome
        )
        self._schedule.progress[name] = left
        self._file.move(left)

    def _spare(self, reserved: int, windows: int) -> int:
        """How many requests are left for questions that the outcome ``listed`` does not need.

        Args:
            reserved: requests of the objects that still wait.
            windows: number of windows of the present object that still wait.
        """
        return self._calls.allowed - self._lists.calls - reserved - windows

    def _calls_for(self, name: str) -> int:
        progress = self._schedule.progress[name]
        windows = completeness.windows(progress, self._poll.began, self._poll.hours)
        return len(windows) + CALLS_BESIDE_WINDOWS + CALLS_FOR_HALVES


def _failed(name: str, why: str) -> CheckReport:
    return CheckReport(name, outcome=completeness.FAILED, reason=why)
