"""The parts that several pages draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from warehouse import Row

MOST = 1000  # rows of a table. A query asks for one more, so that the page can say what is missing
AT_ONCE = 15  # rows that a table shows without a bar to scroll
TIME = "YYYY-MM-DD HH:mm:ss"
DAY = "YYYY-MM-DD"
SENTENCES = ("Reason", "Why")  # columns that would be cut at the width that others have


def table(found: Sequence[Row], labels: Mapping[str, str], order: str, nothing: str) -> None:
    """Draw rows as a table.

    Args:
        found: the rows. If there are more than ``MOST``, the table says that it has the first ones.
        labels: the columns, and their headings. A heading that ends in ``(UTC)`` is of times, and
            one that begins with ``Day`` is of days.
        order: how the rows are sorted, for the sentence about rows that are not there.
        nothing: the sentence if there is no row.
    """
    if not found:
        st.info(nothing)
        return
    if len(found) > MOST:
        st.warning(f"The table shows the first {MOST:,} rows, {order}. There are more.")
    empty = {name for name in labels if all(row[name] is None for row in found)}
    texts = empty | {name for name in labels if any(isinstance(row[name], str) for row in found)}
    st.dataframe(
        [
            {name: row[name] or "" if name in texts else row[name] for name in labels}
            for row in found[:MOST]
        ],
        hide_index=True,
        width="stretch",
        height="content" if len(found) <= AT_ONCE else "auto",
        column_config={
            name: label if name in empty else _column(label) for name, label in labels.items()
        },
    )


def _column(label: str) -> Any:
    if label.endswith("(UTC)"):
        return st.column_config.DatetimeColumn(label, format=TIME)
    if label.startswith("Day"):
        return st.column_config.DateColumn(label, format=DAY)
    if label in SENTENCES:
        return st.column_config.TextColumn(label, width="medium")
    return label


def bars(found: Sequence[Row], color: str = "") -> None:
    """Draw the number of deletes of each day as bars.

    Args:
        found: the days, each with ``Day`` and ``Deletes``.
        color: the column whose values have a color of their own, if there is one.
    """
    day = {"field": "Day", "timeUnit": "utcyearmonthdate", "type": "temporal"}
    encoding: dict[str, Any] = {
        # A name begins where its bar begins.
        "x": {**day, "title": "Day (UTC)", "axis": {"format": "%d %b", "labelAlign": "left"}},
        "y": {"field": "Deletes", "type": "quantitative", "axis": {"tickMinStep": 1}},
        "tooltip": [
            {**day, "format": "%Y-%m-%d"},
            {"field": "Deletes", "type": "quantitative"},
        ],
    }
    if color:
        # Two columns of names fit on a phone.
        encoding["color"] = {
            "field": color,
            "type": "nominal",
            "legend": {"orient": "bottom", "columns": 2},
        }
        encoding["tooltip"].append({"field": color, "type": "nominal"})
    st.vega_lite_chart(found, {"mark": "bar", "encoding": encoding}, width="stretch")


def time(value: Any) -> str:
    """A time for a sentence."""
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if value else "an unknown time"


def count(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def days_back(label: str = "Period") -> int:
    """Let the viewer choose how many days the page covers. Today is one of them."""
    chosen: int = st.selectbox(label, (7, 30, 90, 365), index=1, format_func=_days)
    return chosen


def _days(days: int) -> str:
    return f"the last {days} days"
