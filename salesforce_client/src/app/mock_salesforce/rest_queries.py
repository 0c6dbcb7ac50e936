"""The queries of the mock's REST API: queryAll, query and tooling, without their pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from .faults import Faults
from .history import ALL_CHANGES, CHANNEL
from .listing import Record
from .org import Org
from .query_rules import TIMES, columns_of, ids_of, require
from .rest_errors import RestError, fail
from .rest_objects import SOBJECTS, Sight, Sobject, rest_time, sobject
from .rhythm import BIN_DAYS
from .soql import Condition, MalformedQueryError, Query, parse

Row = dict[str, Any]
PERMISSION_SET_ID = "0PS5f000000MOCKAAA"
FIELDS = {
    "DeleteEvent": ("Record", "SobjectName", "DeletedById", "DeletedDate"),
    "ObjectPermissions": ("SobjectType", "PermissionsViewAllRecords", "ParentId"),
    "PermissionSet": ("Id", "PermissionsViewAllData"),
    "PlatformEventChannelMember": ("EventChannel", "SelectedEntity", "FilterExpression"),
}
CHANNEL_OBJECTS = ("Account", "Contact")


class Queries:
    """Answers queries with all their rows.

    Args:
        org: the org.
        user_id: id of the user of the session.
        faults: the queries apply those of permissions, channels, ``rest_timeout`` and
            ``no_delete_event``.
        sight: which records the user may see.
    """

    def __init__(self, org: Org, user_id: str, faults: Faults, sight: Sight) -> None:
        self._org = org
        self._user_id = user_id
        self._faults = faults
        self._sight = sight

    def rows(self, text: str, *, deleted: bool, tooling: bool = False) -> list[Row]:
        """Return the rows of a query.

        Args:
            text: the query.
            deleted: also return deleted records, as queryAll does.
            tooling: the query is one of the Tooling API.

        Raises:
            RestError: the query is refused.
        """
        try:
            query = parse(text)
        except MalformedQueryError as error:
            raise RestError("MALFORMED_QUERY", str(error)) from None
        special: dict[str, Callable[[Query], list[Row]]] = {
            "DeleteEvent": self._delete_events,
            "ObjectPermissions": self._object_permissions,
            "PermissionSet": self._permission_sets,
        }
        if tooling:
            special = {"PlatformEventChannelMember": self._channel_members}
        answer = special.get(query.object_name)
        if answer:
            wanted = columns_of(query, FIELDS[query.object_name])
            return [_selected(query.object_name, wanted, row) for row in answer(query)]
        if tooling:
            fail("INVALID_TYPE", f"sObject type '{query.object_name}' is not supported.")
        entity = sobject(query.object_name, "INVALID_TYPE")
        wanted = columns_of(query, entity.fields)
        records = self._records(entity, query)
        return [
            _selected(entity.name, wanted, _fields(it))
            for it in records
            if (deleted or not it.deleted) and self._sight.sees(entity.name, it.record_id)
        ]

    def _records(self, entity: Sobject, query: Query) -> list[Record]:
        now = self._org.now()
        allowed = {"Id", "IsDeleted"} if query.where("Id") else {"IsDeleted", *TIMES}
        require(query, allowed, {"IsDeleted"} if not query.where("Id") else {"Id"})
        ids = [it for condition in query.where("Id") for it in ids_of(condition)]
        found: Iterable[Record | None]
        if query.where("Id"):
            found = (self._org.listing.record(one, now) for one in dict.fromkeys(ids))
            found = (it for it in found if it and it.object_name == entity.name)
        else:
            if query.where("IsDeleted")[0].value is not True:
                raise RestError("MALFORMED_QUERY", "the mock lists deleted records only")
            since, until = self._range(query, now)
            found = self._org.listing.all_deleted(entity.name, since, until, now)
        others = [it for it in query.conditions if it.field != "Id"]
        return [it for it in found if it and all(_holds(one, it) for one in others)]

    def _range(self, query: Query, now: datetime) -> tuple[datetime, datetime]:
        """Return the range of LastModifiedDate to look at."""
        since, until = now - timedelta(days=BIN_DAYS + 2), now
        for condition in query.where("LastModifiedDate"):
            assert isinstance(condition.value, datetime)
            if condition.operator in (">", ">=", "="):
                since = max(since, condition.value)
            if condition.operator in ("<", "<=", "="):
                until = min(until, condition.value)
        longest = self._faults.number("rest_timeout")
        if longest and until - since > timedelta(hours=longest):
            fail("QUERY_TIMEOUT")
        return since, until

    def _delete_events(self, query: Query) -> list[Row]:
        if self._faults.on("no_delete_event"):
            fail("INVALID_TYPE", "sObject type 'DeleteEvent' is not supported.")
        require(query, {"SobjectName", "DeletedDate"}, {"SobjectName"})
        now = self._org.now()
        rows: list[Row] = []
        for name in SOBJECTS:
            if any(not it.holds(name) for it in query.where("SobjectName")):
                continue
            for it in self._org.listing.all_deleted(name, now - timedelta(days=BIN_DAYS), now, now):
                dated = all(one.holds(it.modified_at) for one in query.where("DeletedDate"))
                if it.in_bin and dated and self._sight.sees(name, it.record_id):
                    row = (it.record_id, name, it.modified_by, rest_time(it.modified_at))
                    rows.append(dict(zip(FIELDS["DeleteEvent"], row)))
        return rows

    def _object_permissions(self, query: Query) -> list[Row]:
        require(query, {"SobjectType", "ParentId"}, {"SobjectType", "ParentId"})
        if not self._may_view_setup() or not self._is_of_user(query, "ParentId"):
            return []
        views_all = not self._faults.on("view_all_data")
        return [
            {
                "SobjectType": name,
                "PermissionsViewAllRecords": views_all and self._sight.views_all(name),
                "ParentId": PERMISSION_SET_ID,
            }
            for name in SOBJECTS
            if name != "Task"  # has no View All of its own
            if all(it.holds(name) for it in query.where("SobjectType"))
        ]

    def _permission_sets(self, query: Query) -> list[Row]:
        require(query, {"Id"}, {"Id"})
        if not self._may_view_setup() or not self._is_of_user(query, "Id"):
            return []
        return [
            {
                "Id": PERMISSION_SET_ID,
                "PermissionsViewAllData": self._faults.on("view_all_data"),
            }
        ]

    def _is_of_user(self, query: Query, field: str) -> bool:
        """Return whether the subquery asks for the permission sets of the session's user."""
        (condition,) = query.where(field)
        inner = condition.value
        if (
            not isinstance(inner, Query)
            or inner.fields != ("PermissionSetId",)
            or inner.object_name != "PermissionSetAssignment"
            or [(it.field, it.operator) for it in inner.conditions] != [("AssigneeId", "=")]
        ):
            raise RestError("MALFORMED_QUERY", f"unexpected condition on {field}")
        assignee = str(inner.conditions[0].value)
        return assignee in (self._user_id, self._user_id[:15])

    def _channel_members(self, query: Query) -> list[Row]:
        require(query, {"EventChannel", "SelectedEntity"}, set())
        if not self._may_view_setup():
            return []
        filtered = self._faults.value("filtered_channel")
        members = [
            {
                "EventChannel": topic.rpartition("/")[2],
                "SelectedEntity": f"{name}ChangeEvent",
                "FilterExpression": "Type = 'Customer'" if name == filtered else None,
            }
            for topic in (ALL_CHANGES, CHANNEL)
            for name in CHANNEL_OBJECTS
        ]
        return [
            row for row in members if all(it.holds(row.get(it.field)) for it in query.conditions)
        ]

    def _may_view_setup(self) -> bool:
        """Return whether the user has View Setup and Configuration, or fail as the fault says."""
        without = self._faults.value("no_view_setup")
        if without == "error":
            fail("INSUFFICIENT_ACCESS")
        if without == "type":
            fail("INVALID_TYPE", "sObject type is not supported.")
        return without is None


def _selected(object_name: str, columns: list[str], row: Mapping[str, Any]) -> Row:
    return {"attributes": {"type": object_name}, **{name: row[name] for name in columns}}


def _holds(condition: Condition, record: Record) -> bool:
    values = {
        "IsDeleted": record.deleted,
        "SystemModstamp": record.modstamp,
        "LastModifiedDate": record.modified_at,
    }
    return condition.holds(values[condition.field])


def _fields(record: Record) -> Row:
    return {
        "Id": record.record_id,
        "IsDeleted": record.deleted,
        "CreatedDate": rest_time(record.created_at),
        "LastModifiedDate": rest_time(record.modified_at),
        "LastModifiedById": record.modified_by,
        "SystemModstamp": rest_time(record.modstamp),
        "OwnerId": record.owner,
        "MasterRecordId": record.merged_into,
    }
