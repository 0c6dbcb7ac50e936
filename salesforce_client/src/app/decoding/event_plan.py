"""Decides, once for each schema, which fields of a platform event fill which columns of its row."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Optional

from ..errors import EventFieldsError
from ..model.event_rules import Clause, EventRules

log = logging.getLogger(__name__)

OPERATION = "Operation__c"
DELETE, RESTORE, SKIP = "delete", "restore", "skip"
UNDELETE = Clause(RESTORE, OPERATION, frozenset(("undelete",)))


@dataclass(frozen=True)
class EventPlan:
    """The fields of one schema that fill the columns. A name is empty if there is no such field.

    Attributes:
        clauses: which events are deletes and which are restores, with the fields' real names.
        otherwise: what an event is that no clause matches: ``delete`` or ``skip``.
    """

    object_name: str = ""
    record_id: str = ""
    deleted_by: str = ""
    deleted_date: str = ""
    owner_id: str = ""
    clauses: Sequence[Clause] = ()
    otherwise: str = SKIP

    @cached_property
    def columns(self) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        """Takes a decoded event, and returns the values of the five columns in this order.

        The value is None if there is no field for the column.
        """
        names = (
            self.object_name, self.record_id, self.deleted_by, self.deleted_date, self.owner_id,
        )  # fmt: skip
        if all(names):
            return itemgetter(*names)  # one call for all fields
        return lambda value: tuple(map(value.get, names))

    def kind(self, value: Any) -> str:
        """What an event with these fields is: ``delete``, ``restore`` or ``skip``."""
        for clause in self.clauses:
            if _as_text(value.get(clause.field)) in clause.values:
                return clause.kind
        return self.otherwise


def plan(rules: EventRules, topic: str, schema_id: str, fields: Sequence[str]) -> EventPlan:
    """Find the fields that the rules name among the fields of a schema.

    A field counts if its name is the same, or else if only upper and lower case differ, or else if
    it also has the namespace of a managed package. Each such guess is logged.

    A channel carries events of several types. A type without the field of the record id is not
    about deletes, and its plan skips its events. This is logged too.

    Args:
        rules: the rules of the topic.
        topic: the topic's name.
        schema_id: the schema's id, for the log.
        fields: the names of the schema's fields.

    Raises:
        EventFieldsError: no field fits for the record id or for a field that a setting names, or
            several fit. On a channel, only the latter is an error.
    """
    return _Search(rules, topic, schema_id, fields).plan()


class _Search:
    """Looks for fields in one schema, and collects what it does not find."""

    def __init__(
        self, rules: EventRules, topic: str, schema_id: str, fields: Sequence[str]
    ) -> None:
        self._rules = rules
        self._topic = topic
        self._schema_id = schema_id
        self._fields = fields
        self._channel = topic.startswith("/data/") or topic.endswith("__chn")
        self._problems: list[str] = []
        self._settings: list[str] = []

    def plan(self) -> EventPlan:
        rules = self._rules
        found = {
            column: self._find(
                wanted,
                column,
                "SALESFORCE_EVENT_FIELDS",
                needed=column == "record_id" or column in rules.named,
            )
            for column, wanted in rules.fields.items()
        }
        skipped = self._channel and not found["record_id"]
        if skipped and not self._problems:
            log.warning(
                "topic=%s schema_id=%s skipped=all missing_field=%s reason=events of this type do"
                " not name a record; their fields are %s",
                self._topic,
                self._schema_id,
                rules.fields["record_id"],
                ", ".join(self._fields),
            )
            return EventPlan()
        clauses, otherwise = self._clauses()
        if self._problems:
            raise EventFieldsError(
                f"{self._topic}: {'; '.join(self._problems)}."
                f" The events have these fields: {', '.join(self._fields)}."
                f" Correct {' and '.join(dict.fromkeys(self._settings))} for this topic. If it was"
                " changed for events of a newer schema, undo the change until the older events are"
                " read: by a poll or, if they are rejected events, by reprocess. No poll moves the"
                " cursor past events that it cannot read in this way. See 'EventFieldsError' in"
                " docs/operations.md"
            )
        return EventPlan(**found, clauses=clauses, otherwise=otherwise)

    def _clauses(self) -> tuple[Sequence[Clause], str]:
        if self._rules.clauses is None:
            name = self._find(OPERATION, "the filter", "SALESFORCE_EVENT_FILTER")
            if not name:
                return (), DELETE
            log.info(
                "topic=%s schema_id=%s field=%s reason=the events name an operation, and"
                " SALESFORCE_EVENT_FILTER has no rule for this topic: every event counts as a"
                " delete, except those with %s=UNDELETE",
                self._topic,
                self._schema_id,
                name,
                name,
            )
            return (UNDELETE._replace(field=name),), DELETE
        clauses = [
            clause._replace(
                field=self._find(clause.field, "the filter", "SALESFORCE_EVENT_FILTER", needed=True)
            )
            for clause in self._rules.clauses
        ]
        return clauses, SKIP

    def _find(self, wanted: str, purpose: str, setting: str, *, needed: bool = False) -> str:
        """The name of the field. Empty if there is none, or after a problem."""
        how, names = _candidates(wanted, self._fields)
        if len(names) > 1:
            several = " and ".join(names)
            self._problem(setting, f"{purpose} needs {wanted}, and {several} may be meant")
        elif not names:
            if needed and not self._channel:
                self._problem(setting, f"{purpose} needs {wanted}, which is not there")
        else:
            if how != "exact":
                log.info(
                    "topic=%s schema_id=%s field=%s instead_of=%s reason=the names differ only in"
                    " %s",
                    self._topic,
                    self._schema_id,
                    names[0],
                    wanted,
                    how,
                )
            return names[0]
        return ""

    def _problem(self, setting: str, text: str) -> None:
        self._problems.append(text)
        self._settings.append(setting)


def _candidates(wanted: str, fields: Sequence[str]) -> tuple[str, Sequence[str]]:
    """How the names differ from ``wanted``, and the fields with such a name."""
    if wanted in fields:
        return "exact", (wanted,)
    folded = wanted.lower()
    if same := [name for name in fields if name.lower() == folded]:
        return "case", same
    return "namespace", [name for name in fields if _without_namespace(name) == folded]


def _without_namespace(name: str) -> str:
    """The name in lower case without its first part, such as ``acme__``."""
    return name.lower().partition("__")[2]


def _as_text(value: Any) -> Optional[str]:
    """The value as the setting has it: in lower case, and whole numbers without a fraction."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return None if value is None else str(value).strip().lower()
