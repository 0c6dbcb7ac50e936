"""The page *One record*: its deletes, and what became of it since."""

from __future__ import annotations

import parts
import queries
import streamlit as st
import warehouse


def draw() -> None:
    """Draw the page."""
    typed = st.text_input("Record id", help="15 or 18 characters").strip()
    if not typed:
        st.info("Type the id of a record.")
        return
    found = warehouse.rows(queries.LATEST, typed)
    if not found:
        st.info(
            "No delete of this record is in the table. Upper and lower case letters differ in an "
            "id. If the record was deleted, look at *Proven until* for what may be missing."
        )
        return
    last = found[0]
    st.subheader(f"{last['object_name']} {last['record_id']}")
    for sentence in _story(last):
        st.write(sentence)
    st.subheader("All its deletes")
    parts.table(
        warehouse.rows(queries.DELETES_OF_RECORD, typed),
        {
            "deleted_date": "Deleted (UTC)",
            "deleted_by": "User id",
            "owner_id": "Owner id",
            "source": "Told by",
            "topic": "Topic",
            "ingested_at": "Collected (UTC)",
            "event_id": "Event id",
        },
        "the oldest first",
        "",
    )


def _story(last: warehouse.Row) -> list[str]:
    user = f"User `{last['deleted_by']}`" if last["deleted_by"] else "An unknown user"
    told = (
        "An event told of it."
        if last["source"] == "event"
        else ("No event told of it: it was found in Salesforce's list of deleted records.")
    )
    story = [f"{user} deleted it at {parts.time(last['deleted_date'])}. {told}"]
    if last["owner_id"]:
        story.append(f"Its owner was `{last['owner_id']}`.")
    if last["merged_into"]:
        story.append(f"It was merged into `{last['merged_into']}`.")
    if last["deleted_now"] == "no":
        story.append(f"It was restored at {parts.time(last['restored_date'])}.")
    elif last["deleted_now"] == "unknown":
        story.append("Salesforce's list does not have it, so nobody knows whether it is deleted.")
    elif last["confirmed_at"]:
        story.append(
            f"It is deleted. Salesforce last listed it at {parts.time(last['confirmed_at'])}."
        )
    else:
        story.append("No restore is known, so it counts as deleted. No check has confirmed that.")
    return story
