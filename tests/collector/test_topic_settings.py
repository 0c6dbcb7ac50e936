"""Settings about topics: which ones to read, and how to read their platform events."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_client.src.app.errors import SettingsError
from salesforce_client.src.app.model.event_rules import DEFAULT_EVENT_FIELDS, Clause, EventRules
from salesforce_client.src.app.settings import read

ONE, OTHER = "/event/Delete_Event__e", "/event/Other__e"
CHANGES = "/data/AccountChangeEvent"
MOCKED = {
    "EVENTS_STORAGE": "UseDevelopmentStorage=true",
    "MOCK_MODE": "true",
    "SALESFORCE_TOPICS": f"{ONE},{OTHER},{CHANGES}",
}
HOW_TO_MAP = (
    "<column>=<Field__c> with one of object_name, record_id, deleted_by, deleted_date, owner_id"
)
CLAUSE = "delete:<Field__c>=<value>|<value> or restore:<Field__c>=<value>|<value>"


def rules(**changes: str) -> dict[str, EventRules]:
    """The rules of each topic."""
    return dict(read({**MOCKED, **changes}).event_rules)


def problems(**changes: str) -> list[str]:
    """What an operator reads after these changes."""
    with pytest.raises(SettingsError) as raised:
        read({**MOCKED, **changes})
    return list(raised.value.problems)


# -- SALESFORCE_TOPICS


def test_topics_are_read_in_their_order_each_once() -> None:
    """Two drains of one topic would compete for its cursor."""
    topics = f"{OTHER}, {CHANGES} ,,{OTHER}"
    assert read({**MOCKED, "SALESFORCE_TOPICS": topics}).topics == (OTHER, CHANGES)


def test_a_list_without_a_topic_is_reported() -> None:
    """It is not the same as a missing setting."""
    assert problems(SALESFORCE_TOPICS=" , ") == [
        "SALESFORCE_TOPICS names no topic: set at least one"
    ]


def test_more_topics_than_one_app_can_read_are_reported() -> None:
    """Each topic uses a stream, and Salesforce accepts 1,000 of them on a connection."""
    topics = [f"/data/Object_{number}__ChangeEvent" for number in range(501)]
    most = ",".join([*topics[:500], topics[0]])
    assert len(read({**MOCKED, "SALESFORCE_TOPICS": most}).topics) == 500
    assert problems(SALESFORCE_TOPICS=",".join(topics)) == [
        "SALESFORCE_TOPICS has 501 topics, and one app reads at most 500: give the others to a"
        " second app with the same storage"
    ]


@pytest.mark.parametrize(
    "topic",
    ["Delete_Event__e", "/data/Bad Name", "/topic/Deletes", "/event/", "/event/1st", "/data/Größe"],
)
def test_a_malformed_topic_is_reported(topic: str) -> None:
    """The problem quotes the topic. Other topics in the list may be right."""
    assert problems(SALESFORCE_TOPICS=f"/event/Delete_Event__e, {topic}") == [
        f"SALESFORCE_TOPICS has '{topic}': a topic looks like /event/Delete_Event__e"
        " or /data/AccountChangeEvent"
    ]


@pytest.mark.parametrize(
    ("topic", "likely"),
    [
        ("/event/AccountChangeEvent", "/data/AccountChangeEvent"),
        ("/event/Foo__ChangeEvent", "/data/Foo__ChangeEvent"),
        ("/event/ChangeEvents", "/data/ChangeEvents"),
        ("/event/Foo__c", "/event/Foo__e"),
        ("/event/foo__E", "/event/foo__e"),
        ("/event/Foo__Chn", "/event/Foo__chn"),
        ("/data/Foo__c", "/data/Foo__ChangeEvent"),
        ("/data/acme__Foo__C", "/data/acme__Foo__ChangeEvent"),
        ("/data/Foo__e", "/event/Foo__e"),
        ("/data/Account", "/data/AccountChangeEvent"),
        ("/data/AccountChangeEvents", "/data/AccountChangeEvent"),
        ("/data/accountchangeevent", "/data/accountChangeEvent"),
        ("/data/Foo__cChangeEvent", "/data/Foo__ChangeEvent"),
        ("/data/ChangeEvent", "/data/ChangeEvents"),
        ("/data/changeevents", "/data/ChangeEvents"),
    ],
)
def test_a_name_that_no_topic_has_is_reported_with_the_likely_one(topic: str, likely: str) -> None:
    """Salesforce would only say that it does not know the topic."""
    assert problems(SALESFORCE_TOPICS=f"{ONE},{topic}") == [
        f"SALESFORCE_TOPICS has '{topic}', which is not a topic: write '{likely}'"
    ]


@pytest.mark.parametrize(
    "topic",
    [
        *(ONE, "/event/acme__Delete_Event__e", "/event/Deletes__chn", "/event/LoginEventStream"),
        *("/event/BatchApexErrorEvent", CHANGES, "/data/Foo__ChangeEvent", "/data/ChangeEvents"),
        *("/data/acme__Foo__ChangeEvent", "/data/Delete_Tracking__chn"),
    ],
)
def test_every_kind_of_topic_is_accepted(topic: str) -> None:
    """Platform events, standard events, change events and channels, also of managed packages."""
    assert read({**MOCKED, "SALESFORCE_TOPICS": topic}).topics == (topic,)


# -- SALESFORCE_EVENT_FIELDS


def test_without_a_setting_each_topic_has_the_default_fields() -> None:
    """No column counts as named, so a missing field is not an error."""
    assert rules() == dict.fromkeys(
        (ONE, OTHER, CHANGES), EventRules(DEFAULT_EVENT_FIELDS, frozenset(), None)
    )


def test_event_fields_replace_single_defaults_for_all_topics() -> None:
    """Fields that are not set keep their default names."""
    found = rules(SALESFORCE_EVENT_FIELDS="record_id=RecordId__c, owner_id = Owner__c,")
    assert found == dict.fromkeys(
        (ONE, OTHER, CHANGES),
        EventRules(
            {**DEFAULT_EVENT_FIELDS, "record_id": "RecordId__c", "owner_id": "Owner__c"},
            frozenset(("record_id", "owner_id")),
        ),
    )


def test_a_topic_may_have_fields_of_its_own() -> None:
    """They replace those for all topics. Topics are separated by blanks or line breaks."""
    found = rules(
        SALESFORCE_EVENT_FIELDS=f"record_id=A__c,owner_id=O__c {OTHER}:record_id=B__c"
        f"\n  {ONE} : deleted_by = D__c , object_name=N__c"
    )
    every = {**DEFAULT_EVENT_FIELDS, "record_id": "A__c", "owner_id": "O__c"}
    assert found[CHANGES] == EventRules(every, frozenset(("record_id", "owner_id")))
    assert found[OTHER] == EventRules(
        {**every, "record_id": "B__c"}, frozenset(("record_id", "owner_id"))
    )
    assert found[ONE] == EventRules(
        {**every, "deleted_by": "D__c", "object_name": "N__c"},
        frozenset(("record_id", "owner_id", "deleted_by", "object_name")),
    )


def test_the_fields_of_one_topic_need_no_others() -> None:
    """The other topics have the default."""
    found = rules(SALESFORCE_EVENT_FIELDS=f"{OTHER}:record_id=B__c")
    assert found[ONE] == EventRules()
    assert found[OTHER].fields == {**DEFAULT_EVENT_FIELDS, "record_id": "B__c"}


PAIRS = [
    "X",
    "record=X__c",
    "record_id",
    "record_id=",
    "=X__c",
    "record_id=A=B",
    "owner_id=A__c b=B",
]


@pytest.mark.parametrize("pair", PAIRS)
def test_a_malformed_event_field_is_reported(pair: str) -> None:
    """The sentence names the part and its topic, and lists the columns."""
    told = f"SALESFORCE_EVENT_FIELDS has '{pair}'"
    assert problems(SALESFORCE_EVENT_FIELDS=f"deleted_by=D__c,{pair}") == [
        f"{told}: write {HOW_TO_MAP}"
    ]
    for before in ("", "deleted_by=D__c,"):
        assert problems(SALESFORCE_EVENT_FIELDS=f"{OTHER}:{before}{pair}") == [
            f"{told} for {OTHER}: write {HOW_TO_MAP}"
        ]


def test_a_column_that_is_named_twice_is_reported() -> None:
    """The collector does not choose one."""
    twice = "owner_id=A__c,owner_id=A__c"
    assert problems(SALESFORCE_EVENT_FIELDS=f"{twice} {OTHER}:{twice}") == [
        "SALESFORCE_EVENT_FIELDS has owner_id twice: remove one of them",
        f"SALESFORCE_EVENT_FIELDS has owner_id twice for {OTHER}: remove one of them",
    ]


@pytest.mark.parametrize(
    "part",
    [OTHER, f"{OTHER}:", f"{OTHER}: ,", f"{CHANGES}:owner_id=A__c", "/event/1:owner_id=A__c", "/"],
)
def test_a_part_without_a_topic_of_platform_events_or_without_fields_is_reported(
    part: str,
) -> None:
    """Change events name their records themselves."""
    assert problems(SALESFORCE_EVENT_FIELDS=f"owner_id=O__c {part}") == [
        f"SALESFORCE_EVENT_FIELDS has '{part}': write /event/<Name>__e:<…>, where <…> is"
        f" {HOW_TO_MAP}"
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SALESFORCE_EVENT_FIELDS", "owner_id=O__c"),
        ("SALESFORCE_EVENT_FILTER", "delete:Op__c=DELETE"),
    ],
)
def test_a_part_for_a_topic_that_is_not_read_or_for_one_twice_is_reported(
    name: str, text: str
) -> None:
    """The topic is probably misspelt."""
    assert problems(**{name: f"/event/Othr__e:{text} {OTHER}:{text} {OTHER}:{text}"}) == [
        f"{name} has /event/Othr__e, which is not in SALESFORCE_TOPICS: correct it, or add it"
        " there",
        f"{name} has {OTHER} twice: put both parts into one",
    ]


def test_before_the_mock_has_named_its_topics_any_topic_may_have_rules() -> None:
    """In MOCK_MODE the topics have a default."""
    settings = read(
        {**MOCKED, "SALESFORCE_TOPICS": "", "SALESFORCE_EVENT_FIELDS": f"{ONE}:owner_id=O"}
    )
    assert (settings.topics, settings.event_rules) == ((), {})


# -- SALESFORCE_EVENT_FILTER


def test_a_filter_says_which_events_of_a_topic_are_deletes_and_restores() -> None:
    """Upper and lower case count as the same. Other topics keep the default."""
    found = rules(
        SALESFORCE_EVENT_FILTER=f"{ONE}:delete:Op__c=DELETE|Merge ; restore : Op__c = UNDELETE;"
        f" {OTHER}:delete:Kind__c=Hard Delete"
    )
    assert found[ONE].clauses == [
        Clause("delete", "Op__c", frozenset(("delete", "merge"))),
        Clause("restore", "Op__c", frozenset(("undelete",))),
    ]
    assert found[OTHER].clauses == [Clause("delete", "Kind__c", frozenset(("hard delete",)))]
    assert found[CHANGES].clauses is None


@pytest.mark.parametrize(
    "clause",
    [
        *("update:Op__c=X", "delete", "delete:Op__c", "delete:Op__c=", "delete:=X", "delete:1=X"),
        *("Op__c=X", "delete:Op__c=A||B", "restore:Op__c=A|", ":Op__c=A", "delete:A__c b=X"),
    ],
)
def test_a_malformed_clause_is_reported(clause: str) -> None:
    """The sentence names the clause and its topic. Further clauses may be right."""
    assert problems(SALESFORCE_EVENT_FILTER=f"{ONE}:restore:Op__c=X;{clause}") == [
        f"SALESFORCE_EVENT_FILTER has '{clause}' for {ONE}: write {CLAUSE}"
    ]


@pytest.mark.parametrize("part", ["delete:Op__c=X", ONE, f"{ONE}:", f"{ONE}:;"])
def test_a_filter_without_a_topic_or_without_a_clause_is_reported(part: str) -> None:
    """A filter for all topics would skip the events of topics that do not have its field."""
    assert problems(SALESFORCE_EVENT_FILTER=part) == [
        f"SALESFORCE_EVENT_FILTER has '{part}': write /event/<Name>__e:<…>, where <…> is {CLAUSE}"
    ]


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,10}", fullmatch=True)
VALUES = st.text("abXY 1-_.=:", min_size=1).filter(str.strip)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["delete", "restore"]), NAMES, st.lists(VALUES, min_size=1, max_size=3)
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["", " "]),
)
def test_any_filter_is_read_back(clauses: list[tuple[str, str, list[str]]], blank: str) -> None:
    """Blanks around the parts mean nothing."""
    text = f"{blank};{blank}".join(
        f"{kind}{blank}:{field}{blank}={'|'.join(values)}" for kind, field, values in clauses
    )
    assert rules(SALESFORCE_EVENT_FILTER=f"{ONE}:{text}")[ONE].clauses == [
        Clause(kind, field, frozenset(value.strip().lower() for value in values))
        for kind, field, values in clauses
    ]


@given(st.text(f"{ONE}:=,;| \nA"), st.sampled_from(["FIELDS", "FILTER"]))
def test_any_text_is_rules_or_a_problem(text: str, name: str) -> None:
    """Nothing else happens."""
    found: Sequence[str] = ()
    try:
        rules(**{f"SALESFORCE_EVENT_{name}": text})
    except SettingsError as error:
        found = error.problems
    assert all(it.startswith(f"SALESFORCE_EVENT_{name} has ") for it in found)
