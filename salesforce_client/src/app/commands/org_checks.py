"""The doctor's checks of the user's rights on each object, and of what is left of the limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Optional

from ..adapters import App
from ..errors import CheckRefusedError
from ..model.limits import DELIVERIES, OrgLimit
from ..objects import Members, Objects
from ..salesforce.lists import Lists
from ..salesforce.pubsub import PubSub
from .findings import Finding, failure, looked, ok, skipped, warning

LIMITS = {
    DELIVERIES: "the topics fail as soon as none is left: find what else"
    " subscribes, or subscribe to fewer objects",
    "DailyApiRequests": "checks and logins fail as soon as none is left: find what else calls the"
    " API, or lower MAX_CHECK_CALLS",
}
VIEW_SETUP = "grant 'View Setup and Configuration' in the permission set of SALESFORCE_USERNAME"


def limits(app: App, source: PubSub) -> Iterator[Finding]:
    """What is left of the delivery allocation and of the API requests."""
    told: Mapping[str, OrgLimit] = {}

    def ask() -> Optional[Finding]:
        nonlocal told
        try:
            told = app.limits(source)
        except CheckRefusedError as error:
            return warning("limits", f"the user may not see them: {error}", VIEW_SETUP)
        return None

    asked = looked("limits", ask, "can be read")
    yield asked
    for name, cure in LIMITS.items() if asked.status == "ok" else ():
        yield limit(name, told.get(name), cure)


def limit(name: str, found: Optional[OrgLimit], cure: str) -> Finding:
    """What is left of one limit."""
    if found is None:
        return skipped(name, "Salesforce does not tell it", "look at Setup, Company Information")
    told = f"{found.left:,} of {found.most:,} left for 24 hours"
    if found.left <= 0:
        return failure(name, told, cure)
    return warning(name, told, cure) if found.is_scarce else ok(name, told)


def rights(app: App, source: PubSub) -> Iterator[Finding]:
    """Each object that polls check: it can be listed, and the user sees every record of it."""
    wanted = app.settings.check_objects
    if wanted == ():
        yield warning(
            "checks",
            "CHECK_OBJECTS is none: nothing is compared with Salesforce's own list",
            "name the objects in CHECK_OBJECTS",
        )
        return
    with app.questions(source) as lists:
        members: Members = None

        def ask() -> Optional[Finding]:
            nonlocal members
            try:
                members = lists.members()
            except CheckRefusedError as error:
                return warning("channels", f"the user may not see them: {error}", VIEW_SETUP)
            return None

        if wanted is None:
            yield looked("channels", ask, "can be read")
        objects = Objects(wanted, members)
        for topic in app.settings.topics:
            if objects.of(topic) is None:
                yield warning(
                    f"objects of {topic}",
                    "they are not known, so nothing about this topic is proven",
                    "name them in CHECK_OBJECTS",
                )
        for name in objects.checked(app.settings.topics):
            about = f"rights on {name}"
            filtered = objects.is_filtered(name, app.settings.topics)
            right = _right(lists, about, name, filtered=filtered)
            yield looked(about, right, "listed, and every record is seen")


def _right(
    lists: Lists, about: str, name: str, *, filtered: bool
) -> Callable[[], Optional[Finding]]:
    def look() -> Optional[Finding]:
        if filtered:
            return warning(
                about,
                "its channel has a filter expression, so no poll checks it and nothing of it is"
                " proven",
                "if all its deletes are wanted, name it in CHECK_OBJECTS",
            )
        described = lists.describe(name)
        if described.name != name:
            return failure(
                about,
                f"Salesforce writes the name of this object as {described.name}: no poll checks it",
                f"write {described.name} in CHECK_OBJECTS",
            )
        if not described.replicateable:
            return warning(
                about,
                "Salesforce does not list the deletes of this object: nothing of it is proven",
                "leave it out of CHECK_OBJECTS",
            )
        end = datetime.now(timezone.utc).replace(second=0, microsecond=0) - timedelta(hours=1)
        lists.deleted(name, end - timedelta(hours=1), end, bounded=True)
        if not lists.views_all(name):
            return failure(
                about,
                "the user may not see every record, so nothing is proven",
                f"grant 'View All' on {name} in the permission set of SALESFORCE_USERNAME",
            )
        return None

    return look
