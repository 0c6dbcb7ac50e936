"""The page *Deletes*: the number of deletes by day, object and user."""

from __future__ import annotations

from collections import Counter

import parts
import queries
import streamlit as st
import warehouse

MOST_COLORS = 8
ALL = "all objects"


def draw() -> None:
    """Draw the page."""
    names = [row["object_name"] for row in warehouse.rows(queries.OBJECTS)]
    one, two, three = st.columns(3)
    with one:
        days = parts.days_back()
    with two:
        chosen = st.selectbox("Object", (ALL, *names))
    with three:
        user = st.text_input("User id", help="Empty for all users.").strip()
    named = "" if chosen == ALL else chosen
    values = (days, named, named, user, user)
    by_day = warehouse.rows(queries.BY_DAY, *values)
    undated = int(warehouse.rows(queries.WITHOUT_DATE)[0]["deletes"])
    if undated:
        st.warning(
            f"Not counted here, because they have no date: {parts.count(undated, 'delete')}."
        )
    if not by_day:
        st.info("No deletes in this period, of this object and user.")
        return
    st.write(f"**{parts.count(sum(int(row['deletes']) for row in by_day), 'delete')}**")
    _draw_chart(by_day)
    st.subheader("By object")
    parts.table(
        _by_object(by_day),
        {"object_name": "Object", "deletes": "Deletes", "days": "Number of days"},
        "the most deletes first",
        "",
    )
    st.subheader("By user")
    parts.table(
        warehouse.rows(queries.BY_USER, *values),
        {
            "deleted_by": "User id",
            "deletes": "Deletes",
            "objects": "Objects",
            "days": "Number of days",
            "last_day": "Day, last",
        },
        "the most deletes first",
        "",
    )
    st.subheader("By day and object")
    parts.table(
        by_day,
        {"day": "Day", "object_name": "Object", "deletes": "Deletes"},
        "the newest days first",
        "",
    )


def _by_object(by_day: list[warehouse.Row]) -> list[warehouse.Row]:
    deletes, days = _deletes(by_day), Counter(row["object_name"] for row in by_day)
    return [
        {"object_name": name, "deletes": number, "days": days[name]}
        for name, number in deletes.most_common()
    ]


def _deletes(by_day: list[warehouse.Row]) -> Counter[str]:
    found: Counter[str] = Counter()
    for row in by_day:
        found[row["object_name"]] += int(row["deletes"])
    return found


def _draw_chart(by_day: list[warehouse.Row]) -> None:
    """Draw the days as bars. If there are many objects, the smaller ones are one color."""
    largest = [name for name, _ in _deletes(by_day).most_common(MOST_COLORS)]
    bars: Counter[tuple[object, str]] = Counter()
    for row in by_day:
        name = row["object_name"] or "unknown object"
        bars[row["day"], name if row["object_name"] in largest else "other objects"] += int(
            row["deletes"]
        )
    parts.bars(
        [
            {"Day": day, "Object": name, "Deletes": number}
            for (day, name), number in sorted(bars.items())
        ],
        color="Object",
    )
