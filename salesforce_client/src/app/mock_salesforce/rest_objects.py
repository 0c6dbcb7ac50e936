"""The objects of the mock's REST API: their fields, and which of their records the user may see."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .faults import Faults
from .ids import KEY_PREFIXES
from .rest_errors import RestError

COMMON_FIELDS = {
    "Id": "id",
    "IsDeleted": "boolean",
    "CreatedDate": "datetime",
    "LastModifiedDate": "datetime",
    "LastModifiedById": "reference",
    "SystemModstamp": "datetime",
}


@dataclass(frozen=True)
class Sobject:
    """An object whose records are deleted: its API name and its fields with their types."""

    name: str
    fields: dict[str, str]


def _sobject(name: str, *more: str) -> Sobject:
    return Sobject(name, {**COMMON_FIELDS, **dict.fromkeys(more, "reference")})


SOBJECTS = {
    it.name: it
    for it in (
        _sobject("Account", "OwnerId", "MasterRecordId"),
        _sobject("Contact", "OwnerId", "MasterRecordId"),
        _sobject("Case", "OwnerId", "MasterRecordId"),
        _sobject("Opportunity", "OwnerId"),
        _sobject("CampaignMember"),
        _sobject("Task", "OwnerId"),
    )
}


def sobject(name: str, error: str) -> Sobject:
    """Return an object by its API name. Upper and lower case count as the same.

    Raises:
        RestError: there is no such object. ``error`` is the name of the error.
    """
    for known in SOBJECTS.values():
        if known.name.lower() == name.lower():
            return known
    raise RestError(
        error, f"sObject type '{name}' is not supported." if error == "INVALID_TYPE" else ""
    )


def describe(name: str, faults: Faults) -> dict[str, Any]:
    """Return the answer to ``…/sobjects/<Object>/describe``."""
    entity = sobject(name, "NOT_FOUND")
    return {
        "name": entity.name,
        "label": entity.name,
        "keyPrefix": KEY_PREFIXES[entity.name],
        "custom": False,
        "queryable": True,
        "retrieveable": True,
        "replicateable": faults.value("not_replicateable") != entity.name,
        "deletable": True,
        "undeletable": entity.name != "CampaignMember",
        "fields": [{"name": field, "type": kind} for field, kind in entity.fields.items()],
    }


class Sight:
    """Which records the user may see.

    Without View All, the user's sharing hides one in n records of an object, and no error says so.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def views_all(self, object_name: str) -> bool:
        """Return whether the user sees every record of an object."""
        return not self._faults.on("no_view_all", object_name)

    def sees(self, object_name: str, record_id: str) -> bool:
        """Return whether the user sees a record."""
        share = self._faults.number("no_view_all", object_name)
        if share is None or self._faults.on("view_all_data"):
            return True
        return hashlib.sha256(record_id.encode()).digest()[0] % int(share) != 0


def rest_time(moment: datetime) -> str:
    """Return a time in the form of REST: ``2026-01-31T22:07:19.000+0000``."""
    text = moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "+0000")
