"""Runs the checks of a poll, after its events are uploaded and its cursors have moved.

A check compares a window of time of one object with Salesforce's own list of deleted records. No
error of a check fails the deletes.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Optional, Protocol

from .. import completeness
from ..backlog import CAUGHT_UP
from ..errors import CheckFailedError, CheckRefusedError, CollectorError
from ..model import Member, Progress, StoredProgress, moment_of
from ..objects import Members, Objects
from ..report import CheckReport, Report
from .file import CheckFile, Files, KeptBlobs
from .one_object import WAITS, Lists, ObjectCheck, Poll

log = logging.getLogger(__name__)

CALLS_BESIDE_WINDOWS = 3  # describe, and two questions about rights


class Questions(Lists, Protocol):
    """What Salesforce says, with a limit of requests."""

    def allow(self, calls: int) -> None:
        """Allow so many requests in all."""

    def members(self) -> list[Member]:
        """The members of all channels."""


class Blobs(KeptBlobs, Protocol):
    """Where everything of the checks but their event file is kept."""

    def load_progress(self, org_id: str, object_name: str) -> StoredProgress:
        """Load the progress of an object."""

    def forget(self, org_id: str, object_name: str, before: str) -> None:
        """Remove the entries of the days before this one."""

    def load_members(self, org_id: str) -> tuple[Members, Optional[str]]:
        """Load the members of the channels, and when Salesforce was asked."""

    def save_members(self, org_id: str, members: Members, asked_at: str) -> None:
        """Store them."""


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
        self._topics = topics
        self._rules = rules
        self._poll = poll
        self._objects = Objects(rules.objects, None)
        self._progress: dict[str, Progress] = {}
        self._file = CheckFile(files, blobs, poll.org_id, rules.file_rows)
        self._asker = ThreadPoolExecutor(1, "channels")
        self._asked: Optional[Future[Members]] = None
        self._failure: Optional[Exception] = None
        self._allowed = 0
        self.awaited: frozenset[str] = frozenset()

    def __enter__(self) -> Checks:
        if self._rules.objects != ():
            self._prepare()
        return self

    def __exit__(self, *_: object) -> None:
        self._asker.shutdown()
        self._file.close()

    def objects_of(self, topic: str) -> Optional[Sequence[str]]:
        """The objects of a topic, as far as they are known now."""
        return self._known().of(topic)

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
            why = _reason(self._failure)
            failed = CheckReport("*", outcome=completeness.FAILED, reason=why)
            report.checks.append(failed)
        report.files += self._file.uploaded
        self._judge(report)

    # -- before the drains

    def _prepare(self) -> None:
        """Load what is stored, and ask for the members of channels in the background."""
        try:
            members, asked_at = self._blobs.load_members(self._poll.org_id)
            self._objects = Objects(self._rules.objects, members)
            self._load(self._objects.checked(self._topics))
        except CollectorError as error:
            self._failure = error
            return
        due = set(self._due())
        self.awaited = frozenset(
            topic for topic in self._topics if due & set(self._objects.of(topic) or ())
        )
        used = sum(
            number
            for progress in self._progress.values()
            for at, number in progress.calls.items()
            if moment_of(at) > self._poll.began - completeness.DAY
        )
        self._allowed = max(self._rules.calls - used, 0)
        self._lists.allow(self._allowed)
        old = self._poll.began - timedelta(hours=self._poll.hours)
        if self._rules.objects is None and (not asked_at or moment_of(asked_at) <= old):
            self._asked = self._asker.submit(self._ask_members)

    def _ask_members(self) -> Members:
        """Ask for the members of the channels. None if the user may not read them."""
        try:
            return self._lists.members()
        except CheckRefusedError as error:
            log.warning("channels=unknown reason=%s", error.text)
            return None

    def _known(self) -> Objects:
        """The objects of the topics, as far as they are known now."""
        asked = self._asked
        if asked and asked.done() and not asked.exception():
            self._objects, self._asked = Objects(self._rules.objects, asked.result()), None
            try:
                self._blobs.save_members(self._poll.org_id, asked.result(), self._poll.began_at)
            except CollectorError as error:
                log.warning("channels=not stored reason=%s", error.text)
        return self._objects

    def _load(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._progress:
                stored = self._blobs.load_progress(self._poll.org_id, name)
                self._file.loaded(name, stored.etag)
                self._progress[name] = stored.progress or Progress(name, self._poll.began_at)

    def _due(self) -> list[str]:
        """The objects whose check is due. The one that waited longest comes first."""
        due = [
            progress
            for progress in self._progress.values()
            if self._rules.now or completeness.is_due(progress, self._poll.began, self._poll.hours)
        ]
        due.sort(key=lambda one: (one.window_to or "", one.since, one.object_name))
        return [progress.object_name for progress in due]

    # -- after the drains

    def _run(self, report: Report) -> None:
        if self._asked and (error := self._asked.exception()):  # waits for the answer
            log.warning("channels=unknown reason=%s", _reason(error))
        objects = self._known()
        report.unknown = [topic for topic in self._topics if objects.of(topic) is None]
        self._load(objects.checked(self._topics))
        lost = self._note_gaps(report)
        due = self._due()
        for name in {*lost, *due}:
            self._file.move(self._progress[name])
        if report.error is None:
            self._check(due, report)
        self._file.publish()
        oldest = f"{self._poll.began - completeness.REACH:%Y-%m-%d}"
        for check in report.checks:
            if check.windows:
                self._blobs.forget(self._poll.org_id, check.object_name, oldest)

    def _note_gaps(self, report: Report) -> list[str]:
        """Let the objects of topics that have lost events be listed whole."""
        names = {
            name
            for topic in report.topics.values()
            if topic.gaps
            for name in (*(self._objects.of(topic.topic) or ()), *topic.objects)
            if name in self._progress
        }
        for name in names:
            self._progress[name] = replace(self._progress[name], whole=True)
        return sorted(names)

    def _check(self, due: Sequence[str], report: Report) -> None:
        ready = []
        for name in due:
            if blocker := self._blocker(name, report):
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
            check.run(filtered=self._objects.is_filtered(name, self._topics))
            counted = self._lists.calls
            self._progress[name] = check.progress
            report.checks.append(check.report)

    def _blocker(self, name: str, report: Report) -> str:
        """Why a check must wait. Empty if it need not.

        An event that was not read yet would look like a delete that no event told of.
        """
        for topic in report.topics.values():
            of_topic = {*(self._objects.of(topic.topic) or ()), *topic.objects}
            if name in of_topic and topic.ended != CAUGHT_UP:
                return f"{topic.topic} ended as {topic.ended}, and a check needs caught_up"
        return ""

    def _spare(self, reserved: int, windows: int) -> int:
        """How many requests are left for questions that the outcome ``listed`` does not need.

        Args:
            reserved: requests of the objects that still wait.
            windows: number of windows of the present object that still wait.
        """
        return self._allowed - self._lists.calls - reserved - windows

    def _calls_for(self, name: str) -> int:
        progress = self._progress[name]
        windows = completeness.windows(progress, self._poll.began, self._poll.hours)
        return len(windows) + CALLS_BESIDE_WINDOWS

    def _judge(self, report: Report) -> None:
        """Fail the poll if an object was not checked for too long."""
        late = [
            progress
            for progress in self._progress.values()
            if progress.object_name in self._objects.checked(self._topics)
            and completeness.is_overdue(progress, self._poll.began, self._poll.hours)
        ]
        if not late:
            return
        why = _reason(self._failure) if self._failure else "no poll could check it"
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


def _reason(error: BaseException) -> str:
    """What an operator reads. An unexpected error may quote data, so only its kind."""
    text = type(error).__name__
    return f"{text}: {error.text}" if isinstance(error, CollectorError) else text
