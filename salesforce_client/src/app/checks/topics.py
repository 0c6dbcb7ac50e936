"""The objects of the topics, as far as they are known, and what topics mean for a check."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Optional, Protocol

from ..backlog import CAUGHT_UP
from ..errors import CheckRefusedError, CollectorError
from ..model.checks import Member
from ..model.times import moment_of
from ..objects import Members, Objects
from ..report import Report, TopicReport
from .poll import Poll

log = logging.getLogger(__name__)


class ChannelLists(Protocol):
    """What Salesforce says of channels."""

    def members(self) -> list[Member]:
        """The members of all channels. May raise a CollectorError."""


class ChannelBlobs(Protocol):
    """Where the members of the channels are kept."""

    def load_members(self, org_id: str) -> tuple[Members, Optional[str]]:
        """Load the members of the channels, and when Salesforce was asked."""

    def save_members(self, org_id: str, members: Members, asked_at: str) -> None:
        """Store them."""


class Topics:
    """The topics of one poll and their objects.

    The members of channels are asked for in the background, at most once in CHECK_HOURS.

    Args:
        lists: answers the question.
        blobs: keeps the answer.
        names: the names of the topics.
        wanted: the setting CHECK_OBJECTS.
        poll: see there.
    """

    def __init__(
        self,
        lists: ChannelLists,
        blobs: ChannelBlobs,
        names: Sequence[str],
        wanted: Optional[Sequence[str]],
        poll: Poll,
    ) -> None:
        self.names = names
        self._lists = lists
        self._blobs = blobs
        self._wanted = wanted
        self._poll = poll
        self._objects = Objects(wanted, None)
        self._stale = False
        self._asker = ThreadPoolExecutor(1, "channels")
        self._asked: Optional[Future[Members]] = None

    def load(self) -> None:
        """Load the members that are stored, unless CHECK_OBJECTS names the objects.

        May raise an error of the storage. Then they are asked for.
        """
        if self._wanted is not None:
            return
        self._stale = True
        members, asked_at = self._blobs.load_members(self._poll.org_id)
        self._objects = Objects(None, members)
        old = self._poll.began - timedelta(hours=self._poll.hours)
        self._stale = not asked_at or moment_of(asked_at) <= old

    def ask(self) -> None:
        """Ask for the members in the background, unless they are known."""
        if self._stale:
            self._asked = self._asker.submit(self._ask_members)

    def close(self) -> None:
        """Wait for the end of the question."""
        self._asker.shutdown()

    def wait(self) -> Optional[BaseException]:
        """Wait for the answer. Returns the error if there is none."""
        return self._asked.exception() if self._asked else None

    def known(self) -> Objects:
        """The objects of the topics, as far as they are known now."""
        asked = self._asked
        if asked and asked.done() and not asked.exception():
            self._objects, self._asked = Objects(self._wanted, asked.result()), None
            try:
                self._blobs.save_members(self._poll.org_id, asked.result(), self._poll.began_at)
            except CollectorError as error:
                log.warning("channels=not stored reason=%s", error.text)
        return self._objects

    def checked(self) -> list[str]:
        """The objects to check, each once."""
        return self.known().checked(self.names)

    def of_objects(self, names: set[str]) -> frozenset[str]:
        """The topics that have one of these objects."""
        objects = self.known()
        return frozenset(topic for topic in self.names if names & set(objects.of(topic) or ()))

    def unknown(self) -> list[str]:
        """The topics whose objects are not known."""
        objects = self.known()
        return [topic for topic in self.names if objects.of(topic) is None]

    def with_gaps(self, report: Report) -> set[str]:
        """The objects of topics that have lost events."""
        return {
            name
            for topic in report.topics.values()
            if topic.gaps
            for name in self._objects_of(topic)
        }

    def blocker(self, name: str, report: Report) -> str:
        """Why the check of an object must wait. Empty if it need not.

        An event that was not read yet would look like a delete that no event told of.
        """
        for topic in report.topics.values():
            if name in self._objects_of(topic) and topic.ended != CAUGHT_UP:
                return f"{topic.topic} ended as {topic.ended}, and a check needs caught_up"
        return ""

    def _objects_of(self, topic: TopicReport) -> set[str]:
        """The objects of a topic. Every object that its rows name is one of them."""
        return {*(self.known().of(topic.topic) or ()), *topic.objects}

    def _ask_members(self) -> Members:
        """Ask for the members of the channels. None if the user may not read them."""
        try:
            return self._lists.members()
        except CheckRefusedError as error:
            log.warning("channels=unknown reason=%s", error.text)
            return None
