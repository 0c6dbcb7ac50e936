"""The mock's REST call ``…/sobjects/<Object>/deleted/``, getDeleted in SOAP."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from .faults import Faults
from .org import Org
from .rest_errors import fail
from .rest_objects import Sight, rest_time, sobject
from .soql import moment_of

REACH = timedelta(days=15)
MOST_IDS = 600_000
MINUTE = timedelta(minutes=1)


def get_deleted(
    org: Org, faults: Faults, sight: Sight, object_name: str, start: str, end: str
) -> dict[str, Any]:
    """Return the answer to a call.

    Args:
        org: the org.
        faults: the call applies ``not_replicateable``, ``rest_trim``, ``rest_past_end`` and
            ``rest_id_limit``.
        sight: which records the user may see.
        object_name: the object of the path.
        start: the parameter, as it is in the URL.
        end: as ``start``.

    Raises:
        RestError: the call is refused.
    """
    entity = sobject(object_name, "NOT_FOUND")
    now = org.now()
    if faults.value("not_replicateable") == entity.name:
        fail("INVALID_TYPE", f"sObject type '{entity.name}' is not replicateable.")
    since, until = _window(start, end, now)
    begins = org.listing.log_begins(now)
    if begins and since < begins and org.listing.trim == "error":
        fail("INVALID_REPLICATION_DATE")
    covered = min(until, _minute(org.listing.covered(now)))
    past_end = timedelta(seconds=faults.number("rest_past_end") or 0)
    listed = [
        {"id": record_id, "deletedDate": rest_time(date)}
        for record_id, date in org.listing.deleted(entity.name, since, covered + past_end, now)
        if sight.sees(entity.name, record_id)
    ]
    if len(listed) > int(faults.number("rest_id_limit") or MOST_IDS):
        fail("EXCEEDED_ID_LIMIT")
    told = begins if begins and org.listing.trim == "told" else _minute(now - REACH)
    return {
        "deletedRecords": listed,
        "earliestDateAvailable": rest_time(told),
        "latestDateCovered": rest_time(covered),
    }


def _window(start: str, end: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the window in whole minutes: the seconds of both ends are ignored."""
    if not start or not end:
        fail("MISSING_ARGUMENT")
    try:
        since, until = _minute(moment_of(start)), _minute(moment_of(end))
    except ValueError:
        fail("INVALID_FIELD", f"'{start}' or '{end}' is not a valid value for the type dateTime")
    if until - since <= MINUTE:
        fail(
            "INVALID_REPLICATION_DATE",
            "startDate must chronologically precede endDate by more than one minute",
        )
    if since < _minute(now - REACH):
        fail("INVALID_REPLICATION_DATE")
    return since, until


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
