"""The pages of the dashboard, in the order of the menu."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import page_deletes
import page_freshness
import page_proven
import page_record
import page_transaction
import page_unusual
import streamlit as st
import warehouse


class Page(NamedTuple):
    """A page: its name in the address, its title, what it answers, and what draws it."""

    name: str
    title: str
    answers: str
    draw: Callable[[], None]


PAGES = (
    Page(
        "proven",
        "Proven until",
        "Up to when is the table complete, and what is open?",
        page_proven.draw,
    ),
    Page(
        "deletes", "Deletes", "How much was deleted, on which day, and by whom?", page_deletes.draw
    ),
    Page("unusual", "Unusual days", "Who deleted much more than usual?", page_unusual.draw),
    Page(
        "transaction",
        "One transaction",
        "What was deleted together, and what did it begin with?",
        page_transaction.draw,
    ),
    Page("record", "One record", "What became of one record?", page_record.draw),
    Page("freshness", "Freshness", "When was each topic last read?", page_freshness.draw),
)


def show_the_chosen_page() -> None:
    """Draw the menu, and the page that the viewer chose in it."""
    st.set_page_config(page_title="Deleted Salesforce records", layout="wide")
    entries = [
        st.Page(
            lambda page=page: show(page),
            title=page.title,
            url_path=page.name,
            default=page is PAGES[0],
        )
        for page in PAGES
    ]
    st.navigation(entries).run()


def show(page: Page) -> None:
    """Draw one page. If Snowflake refuses a query, a sentence says why."""
    st.title(page.title)
    st.write(f"{page.answers} All times and days are in UTC.")
    try:
        page.draw()
    except warehouse.QueryError as error:
        st.error(str(error))
