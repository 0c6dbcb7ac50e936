"""Runs the checks of a poll, after its events are uploaded and its cursors have moved.

A check compares a window of time of one object with Salesforce's own list of deleted records. No
error of a check fails the deletes.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Optional, Protocol

from .. import completeness
from ..errors import CheckFailedError, CollectorError
from ..model import Progress, StoredProgress, identity
from ..report import CheckReport, Report, reason_of
from .calls import CallBlobs, Calls
from .file import CheckFile, Files, KeptBlobs
from .one_object import WAITS, Lists, ObjectCheck
from .poll import Poll
from .topics import ChannelBlobs, ChannelLists, Topics

log = logging.getLogger(__name__)

CALLS_BESIDE_WINDOWS = 3  # describe, and two questions about rights
CALLS_FOR_HALVES = 4  # two lists may be so long that they are asked for in halves


class Questions(Lists, ChannelLists, Protocol):
    """What Salesforce says, with a limit of requests."""

    def allow(self, calls: int, before: Callable[[int], None]) -> None:
        """Allow so many requests in all. ``before`` is called before each one, with its number."""


class Blobs(KeptBlobs, CallBlobs, ChannelBlobs, Protocol):
    """Where everything of the checks but their event file is kept."""

    def load_progress(self, org_id: str, object_name: str) -> StoredProgress:
        """Load the progress of an object."""

    def forget(self, org_id: str, object_name: str, before: str) -> None:
        """Remove the entries of the days before this one."""


@dataclass(frozen=True)
class Rules:
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
        self._progress: dict[str, Progress] = {}
        self._file = CheckFile(files, blobs, poll.org_id, rules.file_rows)
        self._failure: Optional[Exception] = None
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
            if self._failure is None:
                self._run(report)
        except CollectorError as error:
            self._failure = error
        except Exception as error:
            log.exception("check unexpected failure")
            self._failure = error
        if self._failure:
            why = reason_of(self._failure)
            failed = CheckReport("*", outcome=completeness.FAILED, reason=why)
            report.checks.append(failed)
        report.files += self._file.uploaded
        self._judge(report)

    # -- before the drains

    def _prepare(self) -> None:
        """Load what is stored, and ask for the members of channels in the background."""
        try:
            self._topics.load()
            self._load(self._topics.checked())
            self._calls.load()
        except CollectorError as error:
            self._failure = error
            return
        self._lists.allow(self._calls.allowed, self._calls.before)
        self.awaited = self._topics.of_objects(set(self._due()))
        self._topics.ask()

    def _load(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._progress:
                stored = self._blobs.load_progress(self._poll.org_id, name)
                self._file.loaded(name, stored.etag)
                self._progress[name] = stored.progress or Progress(name, self._poll.began_at)

    def _due(self) -> list[str]:
        """The objects whose check is due. The one that waited longest comes first.

        MAX_CHECK_CALLS leaves out questions of the last ones. So the order of objects that waited
        as long as each other changes from day to day.
        """
        due = [
            progress
            for progress in self._progress.values()
            if self._rules.now or completeness.is_due(progress, self._poll.began, self._poll.hours)
        ]
        today = self._poll.began_at[:10]
        due.sort(
            key=lambda one: (
                one.window_to or "",
                "" if one.window_to else one.since,
                identity(one.object_name, today),
            )
        )
        return [progress.object_name for progress in due]

    # -- after the drains

    def _run(self, report: Report) -> None:
        if error := self._topics.wait():
            log.warning("channels=unknown reason=%s", reason_of(error))
        report.unknown = self._topics.unknown()
        self._load(self._topics.checked())
        lost = self._note_gaps(report)
        due = self._due()
        for name in {*lost, *due}:
            self._file.move(self._progress[name])
        if report.error is None:
            self._check(due, report)
        self._calls.done(self._lists.calls)
        self._file.publish()
        oldest = f"{self._poll.began - completeness.REACH:%Y-%m-%d}"
        for check in report.checks:
            if check.windows:
                self._blobs.forget(self._poll.org_id, check.object_name, oldest)

    def _note_gaps(self, report: Report) -> list[str]:
        """Let the objects of topics that have lost events be listed whole."""
        names = self._topics.with_gaps(report) & self._progress.keys()
        for name in names:
            self._progress[name] = replace(self._progress[name], whole=True)
        return sorted(names)

    def _check(self, due: Sequence[str], report: Report) -> None:
        ready = []
        for name in due:
            if blocker := self._topics.blocker(name, report):
                report.checks.append(CheckReport(name, outcome=WAITS, reason=blocker))
                waiting = replace(self._progress[name], error=f"{name}: {blocker}")
                self._progress[name] = waiting
                self._file.move(waiting)
            else:
                ready.append(name)
        reserved = {name: self._calls_for(name) for name in ready}
        counted = 0  # the question about channels counts for the first object
        for name in ready:
            del reserved[name]
            check = ObjectCheck(
                self._poll,
                self._progress[name],
                self._lists,
                self._file,
                functools.partial(self._spare, sum(reserved.values())),
                counted,
            )
            check.run(filtered=self._topics.known().is_filtered(name, self._topics.names))
            counted = self._lists.calls
            self._progress[name] = check.progress
            report.checks.append(check.report)

    def _spare(self, reserved: int, windows: int) -> int:
        """How many requests are left for questions that the outcome ``listed`` does not need.

        Args:
            reserved: requests of the objects that still wait.
            windows: number of windows of the present object that still wait.
        """
        return self._calls.allowed - self._lists.calls - reserved - windows

    def _calls_for(self, name: str) -> int:
        progress = self._progress[name]
        windows = completeness.windows(progress, self._poll.began, self._poll.hours)
        return len(windows) + CALLS_BESIDE_WINDOWS + CALLS_FOR_HALVES

    def _judge(self, report: Report) -> None:
        """Fail the poll if an object was not checked for too long."""
        checked = self._topics.checked()
        late = [
            progress
            for progress in self._progress.values()
            if progress.object_name in checked
            and completeness.is_overdue(progress, self._poll.began, self._poll.hours)
        ]
        if not late:
            return
        why = reason_of(self._failure) if self._failure else "no poll could check it"
        lines = "".join(
            f"\n  - {one.object_name}: last check {one.succeeded_at or 'never'}; {one.error or why}"
            for one in late
        )
        report.overdue = CheckFailedError(
            f"{len(late)} object(s) were not checked for {completeness.FAILURES_COUNT_AFTER} times"
            " CHECK_HOURS. All events are stored, but deletes that no event told of may be missing,"
            " and nothing since the last check is proven. Do what the reason says, or leave the"
            " object out of CHECK_OBJECTS. See 'CheckFailedError' in docs/operations.md:" + lines
        )
