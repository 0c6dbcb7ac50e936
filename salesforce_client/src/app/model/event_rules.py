"""How to read the platform events of a topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional


class Clause(NamedTuple):
    """What an event is if one of its fields has one of these values.

    Attributes:
        kind: ``delete`` or ``restore``.
        field: the name of the field.
        values: the values in lower case. Upper and lower case count as the same.
    """

    kind: str
    field: str
    values: frozenset[str]


# The fields of the example in ``docs/setup/salesforce``, for each column.
DEFAULT_EVENT_FIELDS = {
    "object_name": "Object_Name__c",
    "record_id": "Record_Id__c",
    "deleted_by": "Deleted_By__c",
    "deleted_date": "Deleted_Date__c",
    "owner_id": "Owner_Id__c",
}


class EventRules(NamedTuple):
    """How to read the platform events of a topic.

    Attributes:
        fields: for each column, the name of the field that fills it.
        named: the columns whose field a setting names. The other columns have the default.
        clauses: which events are deletes and which are restores. The first clause that an event
            matches counts, and an event that matches none is skipped. None means the default: a
            restore if ``Operation__c`` is ``UNDELETE``, else a delete.
    """

    fields: Mapping[str, str] = DEFAULT_EVENT_FIELDS
    named: frozenset[str] = frozenset()
    clauses: Optional[Sequence[Clause]] = None
