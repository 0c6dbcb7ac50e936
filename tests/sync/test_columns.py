"""How the sync compares existing tables with the columns that it writes."""

from __future__ import annotations

import pytest

from delete_sync.src.warehouse.columns import CATALOGUE, Found, columns_of, differences
from delete_sync.src.warehouse.names import TABLES, Identifier

T = Identifier("T")


def as_created(part: str) -> dict[str, Found]:
    """The catalogue of a table that the sync has created."""
    return {
        column.name.upper(): Found(
            CATALOGUE.get(column.kind, column.kind), column.length, True, column.name == "id"
        )
        for column in columns_of(part)
    }


def problems(change: dict[str, Found | None], part: str = "table") -> list[str]:
    """The problems of a created table with these changes. None drops a column."""
    found = {**as_created(part), **change}
    return list(
        differences(part, T, Identifier("L"), {name: it for name, it in found.items() if it})
    )


@pytest.mark.parametrize("part", TABLES)
def test_a_table_that_the_sync_has_created_is_right(part: str) -> None:
    assert problems({}, part) == []


def test_a_missing_column_is_added_with_its_type() -> None:
    assert problems({"OWNER_ID": None}) == [
        '"T" has no column OWNER_ID; run: ALTER TABLE "T" ADD COLUMN OWNER_ID VARCHAR(255)'
    ]
    assert problems({"PAYLOAD": None}) == [
        '"T" has no column PAYLOAD; run: ALTER TABLE "T" ADD COLUMN PAYLOAD VARIANT'
    ]


def test_a_column_in_lower_case_is_another_column() -> None:
    """A name without quotes means the upper-case name."""
    text = as_created("table")["TOPIC"]
    assert problems({"TOPIC": None, "topic": text}) == [
        '"T" has no column TOPIC; run: ALTER TABLE "T" ADD COLUMN TOPIC VARCHAR(255)'
    ]


@pytest.mark.parametrize(("length", "wrong"), [(15, True), (254, True), (255, False), (999, False)])
def test_a_text_must_have_room_for_the_longest_value(length: int, wrong: bool) -> None:
    """Snowflake lets a VARCHAR grow."""
    expected = (
        f'"T".DELETED_BY has room for {length} characters; '
        'run: ALTER TABLE "T" ALTER COLUMN DELETED_BY SET DATA TYPE VARCHAR(255)'
    )
    assert problems({"DELETED_BY": Found("TEXT", length, True, False)}) == [expected] * wrong


def test_another_type_cannot_be_changed_so_the_table_is_renamed() -> None:
    """Snowflake refuses ALTER COLUMN with another type."""
    assert problems({"EVENT_ID": Found("NUMBER", 0, True, False)}) == [
        '"T".EVENT_ID is NUMBER, not VARCHAR(255); run: ALTER TABLE "L" RENAME TO "L_OLD" – '
        'and run: ALTER TABLE "T" RENAME TO "T_OLD" – '
        "then make the tables anew with 1_tables.sql and 2_access.sql. "
        "The next sweeps load every event file that the container still has"
    ]


def test_a_column_whose_value_may_be_unknown_must_not_be_not_null() -> None:
    """A column that gets a value in every row may be NOT NULL."""
    created = as_created("table")
    not_null = {name: it._replace(may_be_null=False) for name, it in created.items()}
    assert [text.split(" is ")[0] for text in problems(dict(not_null))] == [
        '"T".OBJECT_NAME',
        '"T".RECORD_ID',
        '"T".DELETED_BY',
        '"T".OWNER_ID',
    ]
    assert problems({"OWNER_ID": not_null["OWNER_ID"]}) == [
        '"T".OWNER_ID is NOT NULL, but the value may be unknown; '
        'run: ALTER TABLE "T" ALTER COLUMN OWNER_ID DROP NOT NULL'
    ]


@pytest.mark.parametrize(
    ("extra", "wrong"),
    [
        (Found("TEXT", 10, True, False), False),
        (Found("TEXT", 10, False, True), False),
        (Found("TEXT", 10, False, False), True),
    ],
)
def test_a_column_of_others_may_stay_unless_it_needs_a_value(extra: Found, wrong: bool) -> None:
    expected = (
        '"T"."Note" is NOT NULL, but the sync does not write this column; '
        'run: ALTER TABLE "T" ALTER COLUMN "Note" DROP NOT NULL'
    )
    assert problems({"Note": extra}) == [expected] * wrong


def test_a_number_must_have_room_for_every_digit() -> None:
    """INTEGER has 38. Snowflake lets the precision of a NUMBER grow."""
    assert problems({"ID": Found("NUMBER", 1, True, True)}) == [
        '"T".ID has room for 1 digits; run: ALTER TABLE "T" ALTER COLUMN ID SET DATA TYPE INTEGER'
    ]


def test_in_the_other_tables_every_value_may_be_unknown() -> None:
    """For example, a reject may have no payload."""
    not_null = as_created("rejects")["PAYLOAD"]._replace(may_be_null=False)
    assert problems({"PAYLOAD": not_null}, "rejects") == [
        '"T".PAYLOAD is NOT NULL, but the value may be unknown; '
        'run: ALTER TABLE "T" ALTER COLUMN PAYLOAD DROP NOT NULL'
    ]


def test_a_lock_table_of_another_type_is_only_made_anew() -> None:
    """It holds nothing that an event file has."""
    assert problems({"TAKEN_AT": Found("TEXT", 9, True, False)}, "lock") == [
        '"T".TAKEN_AT is TEXT, not TIMESTAMP_NTZ; stop the sync, then run: DROP TABLE "T" – '
        "the next sweep makes it anew"
    ]


def test_all_problems_are_told_at_once() -> None:
    assert len(problems({"OWNER_ID": None, "TOPIC": Found("TEXT", 1, True, False)})) == 2
    assert len(problems({"OWNER_ID": Found("TEXT", 1, False, False)})) == 2
