"""Times that publishers write."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_client.src.app.decoding.times import read_time

TIME = "2026-01-31T08:30:00.000Z"
SECONDS = 1769848200


@pytest.mark.parametrize(
    ("value", "how"),
    [
        (SECONDS * 1000, ""),
        (float(SECONDS * 1000), ""),
        (str(SECONDS * 1000), ""),
        (f"{SECONDS}000.0", ""),
        ("1.7698482E12", ""),
        ("1.7698482e+12", ""),
        (SECONDS, "seconds"),
        (float(SECONDS), "seconds"),
        (str(SECONDS), "seconds"),
        (SECONDS * 10**6, "microseconds"),
        (str(SECONDS * 10**9), "nanoseconds"),
        ("2026-01-31T08:30:00Z", ""),
        ("2026-01-31t08:30:00z", ""),
        ("2026-01-31T08:30:00.000+0000", ""),
        ("2026-01-31T08:30:00,000+00", ""),
        ("2026-01-31T00:30:00-08", ""),
        ("2026-01-31T14:00:00+05:30", ""),
        ("2026-01-31 08:30:00 UTC", ""),
        ("2026-01-31 08:30:00 gmt", ""),
        ('"2026-01-31T08:30:00.000Z"', ""),
        ("'1769848200'", "seconds"),
        ("2026-01-31 08:30:00", "no_zone"),
        ("  2026-01-31T08:30  ", "no_zone"),
        ('" 2026-01-31 08:30 "', "no_zone"),
        ("2026-01-31  08:30", None),
    ],
)
def test_a_plausible_time_is_read_and_told_how(value: Any, how: str | None) -> None:
    """Whatever is not plain has a word for how it was read. Two blanks are no separator."""
    assert read_time(value) == (None if how is None else (TIME, how))


def test_a_day_without_a_time_is_its_beginning() -> None:
    """A zone moves it."""
    assert read_time("2026-01-31") == ("2026-01-31T00:00:00.000Z", "date_only")
    assert read_time("2026-01-31+02:00") == ("2026-01-30T22:00:00.000Z", "date_only")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2026-01-31T08:30:00.5Z", "2026-01-31T08:30:00.500Z"),
        ("2026-01-31T08:30:00.123456789Z", "2026-01-31T08:30:00.123Z"),
        (SECONDS + 0.123, "2026-01-31T08:30:00.123Z"),
        (f"{SECONDS}.123", "2026-01-31T08:30:00.123Z"),
        (SECONDS * 10**9 + 123_999_999, "2026-01-31T08:30:00.123Z"),
        (str(SECONDS * 10**9 + 123_999_999), "2026-01-31T08:30:00.123Z"),
    ],
)
def test_a_fraction_of_a_second_is_kept_to_the_millisecond(value: Any, text: str) -> None:
    """Publishers send between zero and nine digits."""
    found = read_time(value)
    assert found
    assert found[0] == text


@pytest.mark.parametrize(
    "value",
    [
        *(
            None,
            "",
            "  ",
            "yesterday",
            True,
            False,
            b"1769848200",
            [],
            0,
            -1,
            2**62,
            20484,
            30600000,
        ),
        *(float("nan"), float("inf"), -1.5, "9" * 26, "1" * 5000, "1e99", "1769848200 s", "--5"),
        *("1/31/2026, 12:30 AM", "31.01.2026 09:30", "Sat Jan 31 08:30:00 GMT 2026"),
        *("2026-02-31T08:30:00Z", "2026-01-31T25:00:00Z", "2026-01-31T08:30:00+99:00"),
        *("1970-01-01T00:00:00Z", "1999-12-31T23:59:59.999Z", "2100-01-01T00:00:00Z"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", '"', '""', "2026-01-31T08"),
        *("\u0661769848200", "2026-01-31T08:30:00Zx"),
    ],
)
def test_anything_else_is_not_a_time(value: Any) -> None:
    """The row then takes another time."""
    assert read_time(value) is None


@pytest.mark.parametrize(
    ("in_a_second", "how"),
    [(1, "seconds"), (10**3, ""), (10**6, "microseconds"), (10**9, "nanoseconds")],
)
def test_the_years_from_2000_to_2099_decide_the_unit(in_a_second: int, how: str) -> None:
    """The first and the last number of each unit are plausible, and their neighbours are not."""
    first, end = 946_684_800 * in_a_second, 4_102_444_800 * in_a_second
    assert read_time(first) == ("2000-01-01T00:00:00.000Z", how)
    assert read_time(end - 1) == (
        f"2099-12-31T23:59:59.{'000' if in_a_second == 1 else '999'}Z",
        how,
    )
    assert read_time("2000-01-01T00:00:00Z") == ("2000-01-01T00:00:00.000Z", "")
    assert read_time(first - 1) is None
    assert read_time(end) is None


MOMENTS = st.datetimes(
    datetime(2000, 1, 2), datetime(2099, 12, 30), timezones=st.just(timezone.utc)
).map(lambda it: it.replace(microsecond=it.microsecond // 1000 * 1000))
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@given(MOMENTS, st.integers(-14 * 60, 14 * 60), st.sampled_from(["T", " "]), st.booleans())
def test_a_moment_written_in_any_zone_is_the_same_moment(
    moment: datetime, minutes: int, separator: str, colon: bool
) -> None:
    """The offset may have a colon."""
    local = moment.astimezone(timezone(timedelta(minutes=minutes)))
    text = local.isoformat(separator, "milliseconds")
    found = read_time(text if colon else f"{text[:-3]}{text[-2:]}")
    assert found == (moment.isoformat(timespec="milliseconds")[:-6] + "Z", "")


@given(
    MOMENTS,
    st.sampled_from([(10**3, ""), (10**6, "microseconds"), (10**9, "nanoseconds")]),
    st.sampled_from([int, str, lambda it: f" '{it}' "]),
)
def test_a_moment_written_as_a_number_is_the_same_moment(
    moment: datetime, unit: tuple[int, str], form: Any
) -> None:
    """The number may be text, and in quotes."""
    in_a_second, how = unit
    number = (moment - EPOCH) // timedelta(microseconds=1) * in_a_second // 10**6
    assert read_time(form(number)) == (
        moment.isoformat(timespec="milliseconds")[:-6] + "Z",
        how,
    )


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary())
def test_any_value_is_a_time_of_this_century_or_none(value: Any) -> None:
    """Nothing raises an error."""
    found = read_time(value)
    assert found is None or "2000" <= found[0][:4] < "2100"
