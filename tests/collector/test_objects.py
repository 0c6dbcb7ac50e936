"""Which objects a topic has, which are checked, and which somebody has filtered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import pytest

from salesforce_client.src.app.model.checks import Member
from salesforce_client.src.app.objects import Objects, named_objects

ACCOUNT, STANDARD, CUSTOM = "/data/AccountChangeEvent", "/data/ChangeEvents", "/data/My__chn"
EVENT, EVENTS = "/event/Delete_Event__e", "/event/My__chn"


@pytest.mark.parametrize(
    ("topic", "objects"),
    [
        ("/data/AccountChangeEvent", ["Account"]),
        ("/data/Invoice__ChangeEvent", ["Invoice__c"]),
        ("/data/acme__Invoice__ChangeEvent", ["acme__Invoice__c"]),
        ("/data/ChangeEvents", None),
        ("/data/Delete_Tracking__chn", None),
        ("/data/AccountChangeEvent__chn", None),
        ("/event/Delete_Event__e", None),
        ("/event/AccountChangeEvent", None),
    ],
)
def test_a_topic_of_one_object_tells_the_object(
    topic: str, objects: Optional[Sequence[str]]
) -> None:
    """A channel or a platform event may tell of any objects."""
    assert named_objects(topic) == objects


def test_a_channel_has_the_objects_of_its_members() -> None:
    """Upper and lower case of the channel's name do not matter."""
    members = [
        Member("my__CHN", "Account", False),
        Member("my__CHN", "Contact", False),
        Member("ChangeEvents", "Case", False),
    ]
    objects = Objects(None, members)
    assert objects.of(CUSTOM) == ["Account", "Contact"]
    assert objects.of(STANDARD) == ["Case"]
    assert objects.of(EVENT) is None
    assert objects.checked((ACCOUNT, CUSTOM, STANDARD, EVENT)) == ["Account", "Contact", "Case"]


def test_a_channel_with_a_platform_event_has_unknown_objects() -> None:
    """The platform event may tell of any objects."""
    members = [Member("My__chn", "Account", False), Member("My__chn", None, False)]
    assert Objects(None, members).of(CUSTOM) is None
    assert Objects(None, []).of(CUSTOM) is None


def test_check_objects_name_the_objects_of_topics_whose_name_tells_none() -> None:
    """They are the objects to check, whatever the topics tell."""
    objects = Objects(["Account", "Case"], [Member("My__chn", "Contact", False)])
    assert objects.of(EVENT) == ["Account", "Case"]
    assert objects.of(CUSTOM) == ["Account", "Case"]
    assert objects.of("/data/LeadChangeEvent") == ["Lead"]
    assert objects.checked((EVENT, "/data/LeadChangeEvent")) == ["Account", "Case"]


def test_nothing_is_checked_if_the_setting_says_none() -> None:
    """The topics still have the objects that their names tell."""
    objects = Objects((), None)
    assert objects.checked((ACCOUNT, EVENT)) == []
    assert (objects.of(ACCOUNT), objects.of(EVENT)) == (["Account"], None)


@pytest.mark.parametrize(
    ("topics", "members", "filtered"),
    [
        ((CUSTOM,), [Member("My__chn", "Account", True)], True),
        ((CUSTOM,), [Member("My__chn", "Account", False)], False),
        ((ACCOUNT,), [Member("ChangeEvents", "Account", True)], True),
        ((ACCOUNT,), [Member("Other__chn", "Account", True)], False),
        ((ACCOUNT,), [], False),
        (
            (CUSTOM, ACCOUNT),
            [Member("My__chn", "Account", True), Member("ChangeEvents", "Account", False)],
            False,
        ),
        ((CUSTOM,), [Member("My__chn", "Contact", True)], False),
    ],
)
def test_an_object_is_filtered_if_every_topic_of_it_has_a_filter(
    topics: Sequence[str], members: Sequence[Member], filtered: bool
) -> None:
    """A topic of one object uses the filter of the standard channel."""
    assert Objects(None, members).is_filtered("Account", topics) is filtered
    assert not Objects(["Account"], members).is_filtered("Account", topics)
