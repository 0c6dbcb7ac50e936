"""Which fields of a platform event fill which columns, and which events are deletes."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_client.src.app.decoding.event_plan import EventPlan, plan
from salesforce_client.src.app.errors import EventFieldsError
from salesforce_client.src.app.model.event_rules import DEFAULT_EVENT_FIELDS, Clause, EventRules

TOPIC, CHANNEL = "/event/Delete_Event__e", "/event/Deletes__chn"
STANDARD = ("CreatedDate", "CreatedById")
FIELDS = (*STANDARD, *DEFAULT_EVENT_FIELDS.values())
DEFAULT = EventRules()
SEE = (
    "If it was changed for events of a newer schema, undo the change until the older events are"
    " read: by a poll or, if they are rejected events, by reprocess. No poll moves the cursor past"
    " events that it cannot read in this way. See 'EventFieldsError' in docs/operations.md"
)


def named(**fields: str) -> EventRules:
    """Rules whose setting names these fields."""
    return EventRules({**DEFAULT_EVENT_FIELDS, **fields}, frozenset(fields))


def filtered(*clauses: Clause) -> EventRules:
    return EventRules(clauses=clauses)


def fails(rules: EventRules, *fields: str, topic: str = TOPIC) -> str:
    with pytest.raises(EventFieldsError) as raised:
        plan(rules, topic, "s1", fields)
    return raised.value.text


def test_fields_with_exactly_the_names_of_the_rules_are_used(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing was guessed, so nothing is logged."""
    caplog.set_level(logging.DEBUG)
    found = plan(DEFAULT, TOPIC, "s1", (*FIELDS, "acme__Record_Id__c", "RECORD_ID__C"))
    assert found == EventPlan(**DEFAULT_EVENT_FIELDS, clauses=(), otherwise="delete")
    assert caplog.messages == []


def test_a_default_field_that_is_not_there_leaves_its_column_empty() -> None:
    """Only the record id is needed."""
    found = plan(DEFAULT, TOPIC, "s1", (*STANDARD, "Record_Id__c"))
    assert found == EventPlan(record_id="Record_Id__c", otherwise="delete")


@pytest.mark.parametrize(
    ("name", "differ"),
    [
        ("Record_ID__c", "case"),
        ("RECORD_ID__C", "case"),
        ("acme__Record_Id__c", "namespace"),
        ("a_1__record_id__c", "namespace"),
    ],
)
def test_a_name_that_nearly_fits_is_used_and_logged(
    name: str, differ: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has both names, and in what they differ."""
    caplog.set_level(logging.DEBUG)
    assert plan(DEFAULT, TOPIC, "s1", (*STANDARD, name)).record_id == name
    assert caplog.messages == [
        f"topic={TOPIC} schema_id=s1 field={name} instead_of=Record_Id__c reason=the names differ"
        f" only in {differ}"
    ]


def test_another_case_counts_before_a_namespace() -> None:
    """So a package that adds its own fields changes nothing."""
    fields = ("acme__Record_Id__c", "other__Record_Id__c", "record_id__c")
    assert plan(DEFAULT, TOPIC, "s1", fields).record_id == "record_id__c"


@pytest.mark.parametrize("name", ["Id__c", "My_Record_Id__c", "Record_Id", "a__b__Record_Id__c"])
def test_without_a_field_for_the_record_id_the_topic_fails(name: str) -> None:
    """The error has the fields that there are, and the setting to correct."""
    assert fails(DEFAULT, *STANDARD, name) == (
        f"{TOPIC}: record_id needs Record_Id__c, which is not there. The events have these fields:"
        f" CreatedDate, CreatedById, {name}. Correct SALESFORCE_EVENT_FIELDS for this topic."
        f" {SEE}"
    )


def test_every_field_that_a_setting_names_must_be_there() -> None:
    """All problems are in one error."""
    rules = named(owner_id="Owner__c", record_id="Id__c")._replace(
        clauses=[Clause("delete", "Op__c", frozenset(("x",)))]
    )
    assert fails(rules, *FIELDS) == (
        f"{TOPIC}: record_id needs Id__c, which is not there; owner_id needs Owner__c, which is not"
        " there; the filter needs Op__c, which is not there."
        f" The events have these fields: {', '.join(FIELDS)}."
        " Correct SALESFORCE_EVENT_FIELDS and SALESFORCE_EVENT_FILTER for this topic."
        f" {SEE}"
    )


@pytest.mark.parametrize(
    "names", [("record_id__c", "RECORD_ID__C"), ("acme__Record_Id__c", "other__Record_Id__c")]
)
@pytest.mark.parametrize("topic", [TOPIC, CHANNEL])
def test_if_several_fields_may_be_meant_the_topic_fails(names: tuple[str, str], topic: str) -> None:
    """The collector does not choose one, also not on a channel."""
    assert fails(DEFAULT, *names, topic=topic).startswith(
        f"{topic}: record_id needs Record_Id__c, and {names[0]} and {names[1]} may be meant. The"
    )


@pytest.mark.parametrize("topic", [CHANNEL, "/data/ChangeEvents", "/data/Some__chn"])
def test_on_a_channel_an_event_type_without_a_record_id_is_skipped_and_logged(
    topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Other types of the channel may be deletes."""
    found = plan(named(record_id="Id__c", owner_id="Owner__c"), topic, "s1", FIELDS)
    assert found == EventPlan()
    assert found.kind({"Id__c": None}) == "skip"
    assert caplog.messages == [
        f"topic={topic} schema_id=s1 skipped=all missing_field=Id__c reason=events of this type do"
        f" not name a record; their fields are {', '.join(FIELDS)}"
    ]


def test_on_a_channel_an_event_type_need_not_have_the_other_fields() -> None:
    """The fields and the filter of the topic are for all types of the channel."""
    rules = named(owner_id="Owner__c")._replace(
        clauses=[Clause("restore", "Op__c", frozenset(("x",)))]
    )
    found = plan(rules, CHANNEL, "s1", FIELDS)
    assert (found.record_id, found.owner_id) == ("Record_Id__c", "")
    assert found.kind({"Op__c": "x"}) == "skip"


@pytest.mark.parametrize("name", ["Operation__c", "operation__c", "acme__Operation__c"])
@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("UNDELETE", "restore"),
        (" undelete ", "restore"),
        ("DELETE", "delete"),
        ("INSERT", "delete"),
        (None, "delete"),
    ],
)
def test_by_default_an_event_is_a_delete_unless_its_operation_is_undelete(
    name: str, operation: str | None, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so, because inserts and updates would count as deletes too."""
    caplog.set_level("INFO")
    found = plan(DEFAULT, TOPIC, "s1", (*FIELDS, name))
    assert found.kind({name: operation}) == kind
    assert caplog.messages[-1:] == [
        f"topic={TOPIC} schema_id=s1 field={name} reason=the events name an operation, and"
        " SALESFORCE_EVENT_FILTER has no rule for this topic: every event counts as a delete,"
        f" except those with {name}=UNDELETE"
    ]


def test_two_fields_that_may_be_the_operation_fail_the_topic() -> None:
    """A filter says which one is meant."""
    assert fails(DEFAULT, *FIELDS, "a__Operation__c", "b__Operation__c") == (
        f"{TOPIC}: the filter needs Operation__c, and a__Operation__c and b__Operation__c may be"
        f" meant. The events have these fields: {', '.join(FIELDS)}, a__Operation__c,"
        " b__Operation__c. Correct SALESFORCE_EVENT_FILTER for this topic."
        f" {SEE}"
    )


def test_a_field_that_is_null_matches_no_clause() -> None:
    """Null is not the text ``none``."""
    rules = filtered(Clause("delete", "Op__c", frozenset(("none",))))
    found = plan(rules, TOPIC, "s1", (*FIELDS, "Op__c"))
    assert (found.kind({"Op__c": None}), found.kind({"Op__c": "None"})) == ("skip", "delete")


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"Op__c": "DELETE"}, "delete"),
        ({"Op__c": "merge"}, "delete"),
        ({"Op__c": "both"}, "delete"),
        ({"Op__c": "UnDelete"}, "restore"),
        ({"Op__c": "UPDATE"}, "skip"),
        ({"Op__c": ""}, "skip"),
        ({"Op__c": None}, "skip"),
        ({}, "skip"),
    ],
)
def test_the_first_clause_that_an_event_matches_says_what_it_is(
    value: dict[str, Any], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An event that matches none is skipped. ``Operation__c`` then means nothing."""
    rules = filtered(
        Clause("delete", "op__c", frozenset(("delete", "merge", "both"))),
        Clause("restore", "Op__c", frozenset(("undelete", "both"))),
    )
    found = plan(rules, TOPIC, "s1", (*FIELDS, "Op__c", "Operation__c"))
    assert found.kind({"Operation__c": "UNDELETE", **value}) == kind
    assert not [it for it in caplog.messages if "Operation__c" in it]


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (1.0, "1"), (1.5, "1.5"), (7, "7")]
)
def test_a_clause_may_ask_for_a_checkbox_or_a_number(value: Any, text: str) -> None:
    """Salesforce delivers every number of a custom field as a double."""
    rules = filtered(Clause("delete", "Flag__c", frozenset((text,))))
    found = plan(rules, TOPIC, "s1", (*FIELDS, "Flag__c"))
    assert found.kind({"Flag__c": value}) == "delete"


@given(st.lists(st.from_regex(r"(ab__)?[Rr]ecord_[Ii]d__c|[xX]__c", fullmatch=True), unique=True))
def test_the_record_id_is_never_a_guess_between_two_fields(names: list[str]) -> None:
    """The field is there, and no other one fits as well."""
    try:
        found = plan(DEFAULT, TOPIC, "s1", names).record_id
    except EventFieldsError:
        found = ""
    exact = [name for name in names if name == "Record_Id__c"]
    case = [name for name in names if name.lower() == "record_id__c"]
    prefixed = [name for name in names if name.lower() == "ab__record_id__c"]
    best = exact or case or prefixed
    assert found == (best[0] if len(best) == 1 else "")
