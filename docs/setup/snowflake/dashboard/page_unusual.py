"""The page *Unusual days*: who deleted much more than in their own past."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

import parts
import queries
import streamlit as st
import unusual
import warehouse

RULE = (
    "**The rule.** The usual number of a user or an object is the median of the "
    f"{unusual.PAST_DAYS} days before the day. Days without deletes count as 0. The usual distance "
    "is the median of how far those days are from the usual number (the MAD), and at least 1. "
    f"A day is unusual if it lies more than {unusual.TIMES} usual distances above the usual "
    "number, and has at least as many deletes as you choose."
)
Counts = dict[str, dict[date, int]]


def draw() -> None:
    """Draw the page."""
    st.write(RULE)
    one, two = st.columns(2)
    with one:
        days = parts.days_back("Days to judge")
    with two:
        least: int = st.selectbox("At least so many deletes", (10, 25, 50, 100, 250, 1000), index=1)
    (table,) = warehouse.rows(queries.TODAY_AND_FIRST_DAY)
    first_day: date | None = table["first_day"]
    if first_day is None:
        st.info("The table has no deletes yet.")
        return
    begin = table["today"] - timedelta(days=days - 1)
    judged_from = first_day + timedelta(days=unusual.LEAST_PAST_DAYS)
    if begin < judged_from:
        st.warning(
            f"The table begins on {first_day}. Days before {judged_from} are not judged, because "
            f"fewer than {unusual.LEAST_PAST_DAYS} days lie before them."
        )
    for who, query in (
        ("User", queries.COUNTS_OF_USERS),
        ("Object", queries.COUNTS_OF_OBJECTS),
    ):
        st.subheader(f"Against the {who.lower()}'s own past")
        counts = _counts(query, days + unusual.PAST_DAYS, least)
        found = unusual.unusual_days(counts, first_day, begin, least)
        _draw_table(who, found)
        if found:
            _draw_chart(who, found, counts)


def _counts(query: str, days: int, least: int) -> Counts:
    found: Counts = defaultdict(dict)
    for row in warehouse.rows(query, days, least):
        found[row["name"]][row["day"]] = int(row["deletes"])
    return found


def _draw_table(who: str, found: list[unusual.UnusualDay]) -> None:
    parts.table(
        [
            {
                "day": it.day,
                "name": it.name,
                "deletes": it.deletes,
                "usual": it.usual,
                "distance": it.distance,
                "times": round(it.times, 1),
                "past_days": it.past_days,
            }
            for it in found
        ],
        {
            "day": "Day",
            "name": "User id" if who == "User" else "Object",
            "deletes": "Deletes",
            "usual": "Usual number",
            "distance": "Usual distance",
            "times": "Distances above",
            "past_days": "Past in days",
        },
        "the most unusual first",
        f"No day is unusual for {'a user' if who == 'User' else 'an object'}.",
    )


def _draw_chart(who: str, found: list[unusual.UnusualDay], counts: Counts) -> None:
    names = list(dict.fromkeys(it.name for it in found))
    chosen = st.selectbox(f"{who} to draw", names)
    parts.bars([{"Day": day, "Deletes": number} for day, number in sorted(counts[chosen].items())])
