"""Decides which objects a topic has and which of them are checked. Without I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Optional

from .model.checks import Member

# The topic of the changes of one object (Salesforce "Change Data Capture Developer Guide",
# "Subscription Channels"). The topic /data/ChangeEvents has the changes of many objects.
CHANGES_OF_ONE_OBJECT = re.compile(r"/data/(\w+)ChangeEvent")
STANDARD_CHANNEL = "ChangeEvents"

Members = Optional[Sequence[Member]]


class Objects:
    """The objects of the topics.

    Args:
        wanted: the setting CHECK_OBJECTS. None if it is not set. If it is empty, nothing is
            checked.
        members: the members of all channels. None if the user may not read them.
    """

    def __init__(self, wanted: Optional[Sequence[str]], members: Members) -> None:
        self._wanted = wanted
        self._members = members or ()

    def of(self, topic: str) -> Optional[Sequence[str]]:
        """The objects of a topic. None if they are not known."""
        if name := _named_by(topic):
            return [name]
        if self._wanted:
            return list(self._wanted)
        members = self._members_of(topic)
        names = [member.object_name for member in members if member.object_name]
        # A member that is no object may tell of any object.
        return names if members and len(names) == len(members) else None

    def checked(self, topics: Sequence[str]) -> list[str]:
        """The objects to check, each once."""
        if self._wanted is not None:
            return list(self._wanted)
        return list(dict.fromkeys(name for topic in topics for name in self.of(topic) or ()))

    def is_filtered(self, name: str, topics: Sequence[str]) -> bool:
        """Whether somebody wants only some deletes of an object: every topic of it has a filter.

        An object that CHECK_OBJECTS names counts as one of which all deletes are wanted.
        """
        if self._wanted is not None:
            return False
        filters = [
            any(
                member.filtered
                for member in self._members_of(topic if not _named_by(topic) else None)
                if member.object_name == name
            )
            for topic in topics
            if name in (self.of(topic) or ())
        ]
        return bool(filters) and all(filters)

    def _members_of(self, topic: Optional[str]) -> list[Member]:
        """The members of a topic's channel. A topic of one object uses the standard channel."""
        channel = topic.rpartition("/")[2] if topic else STANDARD_CHANNEL
        return [one for one in self._members if one.channel.lower() == channel.lower()]


def _named_by(topic: str) -> Optional[str]:
    """The object that a topic's name tells. None if it tells none."""
    match = CHANGES_OF_ONE_OBJECT.fullmatch(topic)
    if not match:
        return None
    name = match[1]
    return f"{name}c" if name.endswith("__") else name


def named_objects(topic: str) -> Optional[Sequence[str]]:
    """The objects of a topic, if only its name may tell them."""
    return Objects(None, None).of(topic)
