"""What a check asks Salesforce: lists of deleted records, objects, rights and channels.

Sources: Salesforce "REST API Developer Guide", "Get Deleted", "QueryAll" and "sObject Describe";
"SOAP API Developer Guide", "getDeleted()"; "Tooling API", PlatformEventChannelMember; "Object
Reference", DeleteEvent, ObjectPermissions and PermissionSet.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

from ..errors import CheckRefusedError
from ..model.checks import DeletedAnswer, Deletion, Described, Entry, Found, FoundPage, Member
from ..model.ids import with_checksum
from .queries import pages_of, strange, time_of
from .rest import Rest

log = logging.getLogger(__name__)

# A list of more bytes needs too much memory: about 25,000 ids.
MOST_BYTES = 2 * 1024 * 1024
FIELDS = ("Id", "IsDeleted", "SystemModstamp", "LastModifiedDate")
OPTIONAL_FIELDS = ("LastModifiedById", "OwnerId", "MasterRecordId")
CHANGE_EVENT = re.compile(r"([A-Za-z]\w*)ChangeEvent", re.ASCII)
OF_USER = "(SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = '{}')"


class Lists:
    """The questions of a check.

    Args:
        rest: the REST API.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._views_all_data: Optional[bool] = None
        self._reads_delete_event = True

    @property
    def calls(self) -> int:
        """The number of requests so far."""
        return self._rest.calls

    @property
    def skew(self) -> Optional[timedelta]:
        """How far Salesforce's clock is ahead of this machine's. None if it does not tell."""
        return self._rest.skew

    def allow(self, calls: int, before: Callable[[int], None] = lambda _: None) -> None:
        """Allow so many requests in all. ``before`` is called before each one, with its number."""
        self._rest.allowed, self._rest.before = calls, before

    def describe(self, object_name: str) -> Described:
        """What an object is. Errors are those of ``Rest.get``, here and in all other methods."""
        about = f"describe of {object_name}"
        told = self._rest.get(self._rest.data(f"sobjects/{object_name}/describe"), {}, about)
        fields = told.get("fields")
        if not isinstance(fields, list):
            raise strange(about)
        return Described(
            str(told.get("name") or object_name),
            told.get("replicateable") is True,
            frozenset(str(one.get("name")) for one in fields if isinstance(one, dict)),
        )

    def views_all(self, object_name: str) -> bool:
        """Whether the permission sets of the user say that the user sees every record."""
        user = self._rest.user_id()
        if not user:
            return False
        if self._views_all_data is None:
            soql = (
                "SELECT PermissionsViewAllData FROM PermissionSet WHERE Id IN "
                f"{OF_USER.format(user)}"
            )
            self._views_all_data = self._any(soql, "PermissionsViewAllData", object_name)
        return self._views_all_data or self._any(
            "SELECT PermissionsViewAllRecords FROM ObjectPermissions WHERE "
            f"SobjectType = '{object_name}' AND ParentId IN {OF_USER.format(user)}",
            "PermissionsViewAllRecords",
            object_name,
        )

    def deleted(
        self, object_name: str, start: datetime, end: datetime, *, bounded: bool
    ) -> DeletedAnswer:
        """The answer of getDeleted.

        Args:
            object_name: the object.
            start: the start of the window, in whole minutes.
            end: its end.
            bounded: refuse an answer that needs too much memory.

        Raises:
            ListTooLongError: ask for less time at once.
            ListTrimmedError: Salesforce does not have the list of that time.
        """
        about = f"getDeleted of {object_name} from {_minute(start)} to {_minute(end)}"
        told = self._rest.get(
            self._rest.data(f"sobjects/{object_name}/deleted/"),
            {"start": _minute(start), "end": _minute(end)},
            about,
            most_bytes=MOST_BYTES if bounded else None,
        )
        try:
            entries = told["deletedRecords"]
            for place, one in enumerate(entries):  # in place, because a list may be long
                entries[place] = Entry(with_checksum(one["id"][:15]), time_of(one["deletedDate"]))
            return DeletedAnswer(
                entries,
                time_of(told["earliestDateAvailable"]),
                time_of(told["latestDateCovered"]),
            )
        except (KeyError, TypeError, ValueError):
            raise strange(about) from None

    def in_bin(
        self, object_name: str, fields: frozenset[str], start: datetime, end: datetime
    ) -> Iterator[FoundPage]:
        """The deleted records whose LastModifiedDate is in the window, page by page.

        If Salesforce forgets the query, it begins again, and records may come twice.
        No ORDER BY, because with it Salesforce is more likely to run out of time.

        Raises:
            ListTooLongError: ask for less time at once.
        """
        since, until = _second(start), _second(end)
        soql = (
            f"SELECT {', '.join(_columns(fields))} FROM {object_name} WHERE IsDeleted = TRUE"
            f" AND SystemModstamp >= {since}"
            f" AND LastModifiedDate >= {since} AND LastModifiedDate < {until}"
        )
        about = f"queryAll of {object_name} from {_minute(start)} to {_minute(end)}"
        for page in pages_of(self._rest, "queryAll", soql, about):
            yield FoundPage(page[0], _found(page[1], about))

    def delete_events(
        self, object_name: str, start: datetime, end: datetime
    ) -> Iterator[list[Deletion]]:
        """Who deleted the records of the recycle bin, page by page.

        There is no page if the user may not read DeleteEvent. Then it is asked for only once.
        """
        if not self._reads_delete_event:
            return
        soql = (
            f"SELECT Record, DeletedById, DeletedDate FROM DeleteEvent WHERE SobjectName ="
            f" '{object_name}' AND DeletedDate >= {_second(start)} AND DeletedDate < {_second(end)}"
        )
        about = f"DeleteEvent of {object_name} from {_minute(start)} to {_minute(end)}"
        try:
            for _, records in pages_of(self._rest, "query", soql, about):
                yield _deletions(records, about)
        except CheckRefusedError as error:
            self._reads_delete_event = False
            log.info("DeleteEvent=unreadable reason=%s", error.text)

    def by_id(self, object_name: str, fields: frozenset[str], ids: Sequence[str]) -> list[Found]:
        """The records with these ids, deleted or not.

        With their quotes and commas, 400 ids make a URL of 11,000 characters. Salesforce takes
        16,384.
        """
        listed = ",".join(f"'{one}'" for one in ids)
        soql = f"SELECT {', '.join(_columns(fields))} FROM {object_name} WHERE Id IN ({listed})"
        about = f"queryAll of {len(ids)} id(s) of {object_name}"
        return [
            record
            for _, records in pages_of(self._rest, "queryAll", soql, about)
            for record in _found(records, about)
        ]

    def members(self) -> list[Member]:
        """The members of all channels. Empty if there are none that the user sees."""
        soql = (
            "SELECT EventChannel, SelectedEntity, FilterExpression FROM PlatformEventChannelMember"
        )
        about = "the members of the channels"
        found = []
        for _, records in pages_of(self._rest, "tooling/query", soql, about):
            for one in records:
                entity = str(one.get("SelectedEntity") or "")
                found.append(
                    Member(
                        str(one.get("EventChannel") or ""),
                        _object_of(entity),
                        bool(one.get("FilterExpression")),
                    )
                )
        return found

    def _any(self, soql: str, field: str, object_name: str) -> bool:
        about = f"the rights of SALESFORCE_USERNAME on {object_name}"
        return any(
            one.get(field) is True
            for _, records in pages_of(self._rest, "query", soql, about)
            for one in records
        )


def _columns(fields: frozenset[str]) -> list[str]:
    return [*FIELDS, *(name for name in OPTIONAL_FIELDS if name in fields)]


def _found(records: Iterable[Mapping[str, Any]], about: str) -> list[Found]:
    try:
        return [
            Found(
                with_checksum(one["Id"][:15]),
                one["IsDeleted"] is True,
                time_of(one["SystemModstamp"]),
                time_of(one["LastModifiedDate"]),
                _id(one.get("LastModifiedById")),
                _id(one.get("OwnerId")),
                _id(one.get("MasterRecordId")),
                {name: value for name, value in one.items() if name != "attributes"},
            )
            for one in records
        ]
    except (KeyError, TypeError, ValueError):
        raise strange(about) from None


def _deletions(records: Iterable[Mapping[str, Any]], about: str) -> list[Deletion]:
    try:
        return [
            Deletion(
                with_checksum(one["Record"][:15]),
                _id(one.get("DeletedById")),
                time_of(one["DeletedDate"]),
            )
            for one in records
        ]
    except (KeyError, TypeError, ValueError):
        raise strange(about) from None


def _id(value: object) -> Optional[str]:
    return with_checksum(value[:15]) if isinstance(value, str) and len(value) >= 15 else None


def _object_of(entity: str) -> Optional[str]:
    """The object of a change event such as ``My_Object__ChangeEvent``. None for other events."""
    match = CHANGE_EVENT.fullmatch(entity)
    if not match:
        return None
    return f"{match[1]}c" if match[1].endswith("__") else match[1]


def _minute(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="seconds")


def _second(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
