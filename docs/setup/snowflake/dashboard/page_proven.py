"""The page *Proven until*: up to when each object is proven, and what is open."""

from __future__ import annotations

import parts
import queries
import streamlit as st
import warehouse


def draw() -> None:
    """Draw the page."""
    objects = warehouse.rows(queries.PROVEN)
    topics = [row["topic"] for row in warehouse.rows(queries.TOPICS_WITHOUT_OBJECTS)]
    waiting = warehouse.rows(queries.OPEN)
    never = [row["object_name"] for row in objects if row["proven_until"] is None]
    _draw_sentence(objects, never, topics)
    if waiting:
        lost = sum(row["state"] == "lost" for row in waiting)
        number = f"{parts.MOST:,} or more" if len(waiting) > parts.MOST else f"{len(waiting):,}"
        st.warning(f"Open reasons why deletes may be missing: {number}. Lost gaps: {lost:,}.")
    st.subheader("Proven until, by object")
    parts.table(
        objects,
        {"object_name": "Object", "proven_until": "Proven until (UTC)"},
        "those without a proof first",
        "No poll has named an object yet.",
    )
    st.subheader("What is open")
    parts.table(
        waiting,
        {
            "what": "What",
            "state": "State",
            "source": "Topic or file",
            "why": "Why",
            "from_time": "From (UTC)",
            "to_time": "Until (UTC)",
            "known_since": "Known since (UTC)",
            "id": "Id",
        },
        "lost gaps first, then the oldest",
        "Nothing is open: the sweeps know of no gap, no reject and no refused file.",
    )
    st.subheader("The last 30 days, by what is known of them")
    st.write(
        "A day is *proven* if every delete that Salesforce still listed is in the table, and an "
        "event told of it. It is *repaired* if only Salesforce's list told of some. Today is "
        "never covered. Lost gaps of any age are here too.\n\n"
        "*Listed* counts the deletes in Salesforce's list, and *Recovered* those of them that no "
        "event told of. *Tracked* counts the deletes that events told of, also of records that "
        "were restored since, which the list no longer has."
    )
    parts.table(
        warehouse.rows(queries.VERDICTS),
        {
            "object_name": "Object",
            "verdict": "Verdict",
            "days": "Number of days",
            "reason": "Reason",
            "first_day": "Day, first",
            "last_day": "Day, last",
            "listed": "Listed",
            "tracked": "Tracked",
            "recovered": "Recovered",
        },
        "by object, the newest days first",
        "No day is known yet.",
    )


def _draw_sentence(objects: list[warehouse.Row], never: list[str], topics: list[str]) -> None:
    if not objects and not topics:
        st.info("No poll has reached the table yet, so nothing is proven.")
        return
    if topics:
        st.warning(f"Nobody knows the objects of these topics: {', '.join(topics)}.")
    if never:
        st.warning(f"Never proven: {', '.join(never)}.")
    if objects and not never and not topics:
        st.info(
            f"Every object is proven until {parts.time(objects[0]['proven_until'])}, "
            "or longer: see the table."
        )
