"""What Snowflake would refuse in a payload, and how U+0000 is replaced in one."""

from __future__ import annotations

import json

import pytest

from delete_sync.src.event_files.payloads import (
    DEEPEST,
    LARGEST,
    RefusedValueError,
    checked,
    parsed,
)


def nested(depth: int, *, opening: str = '{"a":', closing: str = "}", inner: str = "1") -> str:
    """JSON with so many brackets inside each other."""
    return opening * depth + inner + closing * depth


def of_size(size: int, letter: str = "x") -> str:
    """A payload of so many bytes."""
    width = len(letter.encode())
    letters, rest = divmod(size - len('{"a":""}'), width)
    return f'{{"a":"{letter * letters}{"x" * rest}"}}'


# -- what is accepted


@pytest.mark.parametrize(
    "payload",
    [
        "{}",
        ' {"a" : [ ] } ',
        '{"a":"\u2028\u007f\U0010ffff\uffff"}',
        '{"a":{"b":1},"b":{"b":2},"A":1,"c":[{"b":1},{"b":2}]}',
        '{"a":"\\ud83e\\udd8a \\u00e4","b":"\\\\u0000 \\\\ud800","c":"\\\\\\\\u0000"}',
        '{"a":1.50,"b":1E5,"c":-0,"d":9223372036854775808,"e":1e308,"f":-1e-308}',
        f'{{"a":{"9" * 38},"b":-{"9" * 38},"c":0.{"1" * 37},"d":-1.{"1" * 37}e300}}',
        nested(DEEPEST),
        '{"a":' + nested(DEEPEST - 1, opening="[", closing="]") + "}",
        '{"a":"' + "[{" * DEEPEST + '"}',
        '{"a":"\\"' + "[{" * DEEPEST + '"}',
        '{"a":[' + "[]," * DEEPEST + "{}]}",
        of_size(LARGEST),
        of_size(LARGEST, "🦊"),
    ],
)
def test_a_payload_that_snowflake_can_store_is_not_changed(payload: str) -> None:
    """Not even its spaces and the digits of its numbers."""
    assert checked(payload) == payload


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\n"])
def test_a_payload_is_one_line(line_break: str) -> None:
    """Its line would end too early otherwise."""
    payload = line_break.join(["", "{", '"a"', ":", "1", "}", ""])
    assert checked(payload).split() == ["{", '"a"', ":", "1", "}"]
    assert len(checked(payload).splitlines()) == 1


# -- what is refused


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ("", "payload is not JSON"),
        ("{", "payload is not JSON"),
        ("{}x", "payload is not JSON"),
        ("{}{}", "payload is not JSON"),
        ("\ufeff{}", "payload is not JSON"),
        ("{'a':1}", "payload is not JSON"),
        ('{"a":1,}', "payload is not JSON"),
        ('{"a":01}', "payload is not JSON"),
        ('{"a":NaN}', "payload is not JSON"),
        ('{"a":-Infinity}', "payload is not JSON"),
        ('{"a":"\n"}', "payload is not JSON"),
        ('{"a":"\x1f"}', "payload is not JSON"),
        ('{"a":"\\x"}', "payload is not JSON"),
        ("{}\0", "payload is not JSON"),
        ("[]", "payload is not a JSON object"),
        ("null", "payload is not a JSON object"),
        ('"{}"', "payload is not a JSON object"),
        ("1", "payload is not a JSON object"),
        ('{"a":1,"b":2,"a":3}', "payload has a key twice in one object"),
        ('{"a":1,"\\u0061":2}', "payload has a key twice in one object"),
        ('{"a\\u0000":1,"a\ufffd":2}', "payload has a key twice in one object"),
        ('{"a\0":1,"a\\u0000":2}', "payload has a key twice in one object"),
        ('{"a":[{"b":{"c":1,"c":1}}]}', "payload has a key twice in one object"),
        ('{"":1,"":2}', "payload has a key twice in one object"),
        ('{"a":"\\ud800"}', "payload has half a character"),
        ('{"a":["\\udd8a\\ud83e"]}', "payload has half a character"),
        ('{"\\ud83e":1}', "payload has half a character"),
        ('{"a":"\\ud83e\\\\udd8a"}', "payload has half a character"),
        ('{"a":"\udcff\\u0061"}', "payload is not UTF-8"),
        (f'{{"a":{"9" * 39}}}', "payload has a number of more than 38 digits"),
        (f'{{"a":-{"9" * 39}}}', "payload has a number of more than 38 digits"),
        (f'{{"a":[{"9" * 5000}]}}', "payload has a number of more than 38 digits"),
        (f'{{"a":0.{"1" * 38}}}', "payload has a number of more than 38 digits"),
        (f'{{"a":1.{"0" * 38}e5}}', "payload has a number of more than 38 digits"),
        ('{"a":1e309}', "payload has a number that is too large for a double"),
        ('{"a":-1E+309}', "payload has a number that is too large for a double"),
        (f'{{"a":{"9" * 17}e300}}', "payload has a number that is too large for a double"),
        (nested(DEEPEST + 1), "payload is more than 100 levels deep"),
        (nested(200_000), "payload is more than 100 levels deep"),
        ("[" * 200_000, "payload is more than 100 levels deep"),
        (
            '{"a":' + nested(DEEPEST, opening="[", closing="]") + "}",
            "payload is more than 100 levels deep",
        ),
        ('{"a":"\\"' + '","b":' + nested(DEEPEST) + "}", "payload is more than 100 levels deep"),
        (of_size(LARGEST + 1), "payload is larger than a VARIANT"),
        (of_size(LARGEST + 1, "🦊"), "payload is larger than a VARIANT"),
        (of_size(LARGEST, "\0"), "payload is larger than a VARIANT"),
    ],
)
def test_a_payload_that_snowflake_would_refuse_is_refused(payload: str, problem: str) -> None:
    """The reason names the column and quotes nothing."""
    with pytest.raises(RefusedValueError) as raised:
        checked(payload)
    assert str(raised.value) == problem


def test_a_text_without_an_end_is_searched_only_once() -> None:
    """Otherwise a damaged payload of some megabytes would take hours."""
    with pytest.raises(RefusedValueError, match="payload is not JSON"):
        checked("{" * DEEPEST + '"' + '\\"{' * 1_000_000)


# -- U+0000


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"a":"\\u0000"}', '{"a":"\ufffd","_tracker":{"nul_replaced":true}}'),
        ('{"a":"\0"}', '{"a":"\ufffd","_tracker":{"nul_replaced":true}}'),
        ('{"a\\u0000":1.50} ', '{"a\ufffd":1.50,"_tracker":{"nul_replaced":true}}'),
        (
            '{"a":"\\\\u0000\\u0000\\\\\\u0000\\n"}',
            '{"a":"\\\\u0000\ufffd\\\\\ufffd\\n","_tracker":{"nul_replaced":true}}',
        ),
        (
            '{"_tracker":{"gap":true},"a":"\\u0000"}',
            '{"_tracker":{"nul_replaced":true,"gap":true},"a":"\ufffd"}',
        ),
        (
            '{"a":["_tracker",{"_tracker":{"x":"\\u0000"}}],"b":"_tracker",'
            '"\\u005ftracker" : { } }',
            '{"a":["_tracker",{"_tracker":{"x":"\ufffd"}}],"b":"_tracker",'
            '"\\u005ftracker" : {"nul_replaced":true } }',
        ),
        (
            '{"_tracker":{"nul_replaced":true},"a":"\\u0000"}',
            '{"_tracker":{"nul_replaced":true},"a":"\ufffd"}',
        ),
        (
            '{"a":{"_tracker":1,"b":"\\u0000"}}',
            '{"a":{"_tracker":1,"b":"\ufffd"},"_tracker":{"nul_replaced":true}}',
        ),
    ],
)
def test_a_nul_is_replaced_and_the_rest_of_the_payload_stays(payload: str, expected: str) -> None:
    """The note is a key of ``_tracker``, beside the notes that are there."""
    assert checked(payload) == expected
    json.loads(expected)


def test_a_nul_in_another_value_of_the_row_is_noted_too() -> None:
    """An empty payload gets the note as its only key."""
    assert checked("{}", nul_replaced=True) == '{"_tracker":{"nul_replaced":true}}'
    assert checked('{"a":1}', nul_replaced=True) == '{"a":1,"_tracker":{"nul_replaced":true}}'


@pytest.mark.parametrize("tracker", ["1", "null", "[]", '"x"'])
def test_a_note_needs_an_object(tracker: str) -> None:
    """The collector writes only objects there. Without a note, the payload is stored as it is."""
    payload = f'{{"_tracker":{tracker},"a":"\\u0000"}}'
    with pytest.raises(RefusedValueError) as raised:
        checked(payload)
    assert str(raised.value) == "payload has a _tracker that is not an object"
    assert checked(f'{{"_tracker":{tracker}}}') == f'{{"_tracker":{tracker}}}'


def test_a_value_of_any_kind_can_be_read() -> None:
    """Its numbers are only checked."""
    assert parsed('[{"a":["b",true,null]},1,2.5]') == [{"a": ["b", True, None]}, None, None]
