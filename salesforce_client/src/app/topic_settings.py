"""Reads the settings about topics: which ones to read, how to read their platform events, and which
objects to check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Optional

from .model.event_rules import DEFAULT_EVENT_FIELDS, Clause, EventRules
from .settings_reader import SettingsReader

TOPICS = "SALESFORCE_TOPICS"
FIELDS = "SALESFORCE_EVENT_FIELDS"
FILTER = "SALESFORCE_EVENT_FILTER"
CHECK_OBJECTS = "CHECK_OBJECTS"
# Each topic uses a stream, and at times a second call beside it. Salesforce accepts 1,000 streams
# on a connection, and further calls wait ("Pub/Sub API" guide, "Pub/Sub API Allocations").
MOST_TOPICS = 500
OBJECT = re.compile(r"[A-Za-z]\w*", re.ASCII)
NOT_OBJECTS = re.compile(r".+__e|.*ChangeEvents?", re.IGNORECASE)
TOPIC = re.compile(r"/(event|data)/([A-Za-z]\w*)", re.ASCII)
EVENT_TOPIC = re.compile(r"/event/[A-Za-z]\w*", re.ASCII)
FIELD = re.compile(r"[A-Za-z]\w*", re.ASCII)
BEFORE_TOPIC = re.compile(r"\s+(?=/)")
HOW_TO_MAP = f"<column>=<Field__c> with one of {', '.join(DEFAULT_EVENT_FIELDS)}"
CLAUSE_LOOKS = "delete:<Field__c>=<value>|<value> or restore:<Field__c>=<value>|<value>"
# How the names of topics end, in lower case, and what the whole name then is. The first one counts.
# Sources: Salesforce "Platform Events Developer Guide", and "Change Data Capture Developer Guide",
# "Subscription Channels".
LIKELY = (
    (r"(.+)__e", "/event/{}__e"),
    (r"(.+)__chn", "/{kind}/{}__chn"),
    (r"changeevents?", "/data/ChangeEvents"),
    (r"(.+__)c?changeevents?", "/data/{}ChangeEvent"),
    (r"(.+)changeevents?", "/data/{}ChangeEvent"),
)
LIKELY_OF_KIND = {
    "event": ((r"(.+)__c", "/event/{}__e"),),
    "data": ((r"(.+__)c", "/data/{}ChangeEvent"), (r"(.+)", "/data/{}ChangeEvent")),
}


def read_topics(values: SettingsReader, *, required: bool) -> tuple[str, ...]:
    """The topics of ``SALESFORCE_TOPICS``, each once."""
    text = values.text(TOPICS, required=required)
    names = [topic.strip() for topic in text.split(",") if topic.strip()]
    if text and not names:
        values.problem(TOPICS, "names no topic: set at least one", None)
    for topic in names:
        match = TOPIC.fullmatch(topic)
        if not match:
            values.problem(
                TOPICS,
                f"has {topic!r}: a topic looks like /event/Delete_Event__e"
                " or /data/AccountChangeEvent",
                None,
            )
        elif (likely := _likely(match[1], match[2])) != topic:
            values.problem(TOPICS, f"has {topic!r}, which is not a topic: write {likely!r}", None)
    topics = tuple(dict.fromkeys(names))
    if len(topics) > MOST_TOPICS:
        values.problem(
            TOPICS,
            f"has {len(topics):,} topics, and one app reads at most {MOST_TOPICS}: give the others"
            " to a second app with the same storage",
            None,
        )
    return topics


def read_check_objects(values: SettingsReader) -> Optional[tuple[str, ...]]:
    """The objects of ``CHECK_OBJECTS``, each once. None if it is not set, empty for ``none``."""
    text = values.text(CHECK_OBJECTS)
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not text:
        return None
    if not names:
        values.problem(CHECK_OBJECTS, "names no object: set at least one, or none", None)
    nothing = [name for name in names if name.lower() == "none"]
    if nothing and len(names) > 1:
        values.problem(
            CHECK_OBJECTS, f"has {nothing[0]} beside objects: remove one or the other", None
        )
    for name in names:
        if not OBJECT.fullmatch(name) or NOT_OBJECTS.fullmatch(name):
            values.problem(
                CHECK_OBJECTS,
                f"has {name!r}: an object looks like Account or My_Object__c",
                None,
            )
    return () if nothing else tuple(names)


def _likely(kind: str, name: str) -> str:
    """The topic that a name probably stands for. For a right name it is the topic itself."""
    for pattern, topic in (*LIKELY, *LIKELY_OF_KIND[kind]):
        if match := re.fullmatch(pattern, name, re.IGNORECASE):
            return topic.format(*match.groups(), kind=kind)
    return f"/{kind}/{name}"


def read_event_rules(values: SettingsReader, topics: Sequence[str]) -> Mapping[str, EventRules]:
    """The rules of each topic, from ``SALESFORCE_EVENT_FIELDS`` and ``SALESFORCE_EVENT_FILTER``.

    Args:
        values: the settings.
        topics: the topics that are read. If there are none, the settings may name any topic.
    """
    parts = BEFORE_TOPIC.split(values.text(FIELDS))
    # Only the first part can be without a topic, because each further one begins with a topic.
    for_all = {} if parts[0].startswith("/") else _fields(values, parts.pop(0), "")
    for_one = {
        topic: _fields(values, text, f" for {topic}")
        for topic, text in _by_topic(values, FIELDS, parts, topics, HOW_TO_MAP)
    }
    clauses = {
        topic: _clauses(values, text, topic)
        for topic, text in _by_topic(
            values, FILTER, BEFORE_TOPIC.split(values.text(FILTER)), topics, CLAUSE_LOOKS
        )
    }
    return {
        topic: EventRules(
            {**DEFAULT_EVENT_FIELDS, **for_all, **for_one.get(topic, {})},
            frozenset((*for_all, *for_one.get(topic, {}))),
            clauses.get(topic),
        )
        for topic in topics
    }


def _by_topic(
    values: SettingsReader, name: str, parts: Sequence[str], topics: Sequence[str], looks: str
) -> Iterator[tuple[str, str]]:
    """The topic of each part of a setting, and the text behind the topic."""
    seen = set()
    for part in filter(None, parts):
        topic, _, text = part.partition(":")
        topic = topic.strip()
        if not EVENT_TOPIC.fullmatch(topic) or not text.strip(",; "):
            values.problem(
                name, f"has {part!r}: write /event/<Name>__e:<…>, where <…> is {looks}", None
            )
        elif topics and topic not in topics:
            values.problem(
                name, f"has {topic}, which is not in {TOPICS}: correct it, or add it there", None
            )
        elif topic in seen:
            values.problem(name, f"has {topic} twice: put both parts into one", None)
        else:
            seen.add(topic)
            yield topic, text


def _fields(values: SettingsReader, text: str, where: str) -> Mapping[str, str]:
    """The fields of some columns, from ``column=Field__c,column=Field__c``."""
    fields: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        column, _, source = (part.strip() for part in pair.partition("="))
        if column not in DEFAULT_EVENT_FIELDS or not FIELD.fullmatch(source):
            values.problem(FIELDS, f"has {pair!r}{where}: write {HOW_TO_MAP}", None)
        elif column in fields:
            values.problem(FIELDS, f"has {column} twice{where}: remove one of them", None)
        else:
            fields[column] = source
    return fields


def _clauses(values: SettingsReader, text: str, topic: str) -> Sequence[Clause]:
    """The clauses of a topic, from ``delete:Field__c=A|B;restore:Field__c=C``."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        clause = _clause(part)
        if clause is None:
            values.problem(FILTER, f"has {part!r} for {topic}: write {CLAUSE_LOOKS}", None)
        else:
            found.append(clause)
    return found


def _clause(text: str) -> Optional[Clause]:
    kind, _, condition = (part.strip() for part in text.partition(":"))
    field, _, listed = (part.strip() for part in condition.partition("="))
    values = [value.strip().lower() for value in listed.split("|")]
    if kind not in ("delete", "restore") or not FIELD.fullmatch(field) or not all(values):
        return None
    return Clause(kind, field, frozenset(values))
