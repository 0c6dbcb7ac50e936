"""Record ids that publishers write."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_client.src.app.decoding.record_ids import read_record_ids
from salesforce_client.src.app.errors import DecodeError
from salesforce_client.src.app.model.ids import with_checksum

A, B = "001D000000IqhSLIAZ", "005A0000001vZ9yIAE"
FIELD = "Record_Id__c"


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (A, [A]),
        (A[:15], [A]),
        (f" {A}\n", [A]),
        (f" {A[:15]} ", [A]),
        (A[:15] + A[15:].lower(), [A]),
        (f'"{A}"', [A]),
        (f"'{A}'", [A]),
        (f"{A},{B}", [A, B]),
        (f"{B} , {A[:15]}", [B, A]),
        (f"{A};{B};", [A, B]),
        (f"{A} {B}", [A, B]),
        (f"{A}\r\n{B}", [A, B]),
        (f'["{A}","{B}"]', [A, B]),
        (f'[ "{A}", "{B}" ]', [A, B]),
        (f"({A}, {B})", [A, B]),
        (f"{{{A}, {B}}}", [A, B]),
        (f"{A},{A[:15]},{A}", [A]),
        (",".join(f"001{n:012d}AAA" for n in range(14)), [f"001{n:012d}AAA" for n in range(14)]),
    ],
)
def test_ids_are_read_in_their_order_each_once(value: str, ids: list[str]) -> None:
    """Each has 18 characters. None of this is a guess, so nothing is noted."""
    found, restored = read_record_ids(value, FIELD)
    assert (list(found), restored) == (ids, False)


@pytest.mark.parametrize("value", [A.lower(), A.upper(), f"{B},{A.lower()}"])
def test_the_checksum_restores_the_case_of_an_id(value: str) -> None:
    """Some systems change all letters to one case. The row notes that the checksum was used."""
    found, restored = read_record_ids(value, FIELD)
    assert A in found
    assert restored


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "is null: the event names no record"),
        *((it, "is empty: the event names no record") for it in ("", "  ", "[]", ",", '""')),
        *((it, "is not text") for it in (1769848200, 1.5, True, b"001", [A])),
        (f"https://x.my.salesforce.com/{A}", "has a URL instead of a record id"),
        *(
            (it, "has a character that no record id has")
            for it in (
                "n/a",
                f"{A}*",
                "001*",
                "001D000000Iqh-L",
                f"{A[:4]}-{A[5:]}",
                f"{A[:4]}\ud800{A[5:]}",
                f"{A[:4]}\u0661{A[5:]}",
                f"{A}\0",
                "001D000000Iqh\u0661L",
            )
        ),
        *(
            (it, "has more characters than a record id, which has 15 or 18")
            for it in (f"{A}A", A + B, "A" * 255)
        ),
        *(
            (it, "has fewer characters than a record id, which has 15 or 18")
            for it in ("0", A[:14], A[:16], A[:17], "null")
        ),
        *(
            (it, "has a record id whose checksum is wrong")
            for it in (
                f"{A[:15]}AAA",
                f"{A[:15]}IA9",
                f"{'1' * 15}BAA",
                f"{'a' * 15}999",
                f"{A[:15].lower()}6AZ",
            )
        ),
        (f"{A},{B[:17]}", "has fewer characters than a record id, which has 15 or 18"),
        (f"{A},https://x/{B}", "has a URL instead of a record id"),
    ],
)
def test_a_field_without_usable_ids_is_an_error_that_names_the_field(
    value: Any, problem: str
) -> None:
    """The error does not quote the value. One wrong id makes the whole field unusable."""
    with pytest.raises(DecodeError) as raised:
        read_record_ids(value, FIELD)
    assert str(raised.value) == f"{FIELD} {problem}"


SHORT_IDS = st.text(string.ascii_letters + string.digits, min_size=15, max_size=15)


@given(
    st.lists(SHORT_IDS.map(with_checksum), min_size=1, max_size=5, unique=True),
    st.sampled_from([",", ", ", ";", " ", "\n"]),
    st.sampled_from(["{}", "[{}]", "({})", "{{{}}}", " {} "]),
    st.sampled_from(["{}", '"{}"']),
    st.sampled_from([15, 18]),
)
def test_any_list_of_ids_is_read_back(
    ids: list[str], separator: str, brackets: str, quotes: str, length: int
) -> None:
    """In every notation."""
    text = brackets.format(separator.join(quotes.format(it[:length]) for it in ids))
    found, restored = read_record_ids(text, FIELD)
    assert (list(found), restored) == (ids, False)


@given(SHORT_IDS, st.booleans())
def test_the_case_of_any_id_is_restored(short: str, upper: bool) -> None:
    """If its letters had both cases, the changed id needs its checksum."""
    whole = with_checksum(short)
    (found,), restored = read_record_ids(whole.upper() if upper else whole.lower(), FIELD)
    assert found == whole
    assert restored == (short != (short.upper() if upper else short.lower()))


@given(st.none() | st.text() | st.integers() | st.text('01aA,[]" ', min_size=15, max_size=40))
def test_any_value_is_a_list_of_ids_or_an_error(value: Any) -> None:
    """Nothing that is not an id becomes one."""
    try:
        found, _ = read_record_ids(value, FIELD)
    except DecodeError:
        return
    assert found
    assert len(set(found)) == len(found)
    assert all(with_checksum(it[:15]) == it for it in found)
