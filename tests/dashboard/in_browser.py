"""Each page of the dashboard in a browser: ``python3 tests/run.py browser``.

The browser is Chromium from PATH, else from npm. Its time zone is west of UTC, so that a day or a
time that is not in UTC would be another one. Look at the pictures when a page changed: they are in
the folder that the test prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from local import dashboard, environments, pictures

from .conftest import Account

FOLDER = environments.LOCAL / "pictures"


@pytest.fixture(scope="session")
def taken(filled: Account) -> Iterator[list[pictures.Picture]]:
    """All pages, at the width of a desk and of a phone."""
    ((record,),) = filled.administer(
        "SELECT MAX(record_id) AS id FROM delete_tracker_latest WHERE merged_into IS NOT NULL"
    )
    visits: tuple[tuple[str, str, dict[str, str]], ...] = (
        ("proven", "Proven until", {}),
        ("deletes", "Deletes", {}),
        ("unusual", "Unusual days", {}),
        ("transaction", "One transaction", {}),
        ("record", "One record", {"Record id": record}),
        ("freshness", "Freshness", {}),
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    with dashboard.served(dashboard.login(filled.settings)) as address:
        yield pictures.pictures(address, visits, FOLDER)


def test_the_pages_work_in_a_browser(taken: list[pictures.Picture]) -> None:
    """Both widths show all pages, without an error on the page or in the console."""
    print(f"The pictures are in {FOLDER}")
    assert len({(it.name, it.width) for it in taken}) == 12
    for it in taken:
        assert Path(it.picture).stat().st_size > 10_000
        assert it.errors == [], it.name
        assert "All times and days are in UTC." in it.text
        assert "Nothing is lost: the dashboard only reads" not in it.text


def test_a_page_asks_no_other_server(taken: list[pictures.Picture]) -> None:
    """Streamlit's statistics are off."""
    assert {address for it in taken for address in it.foreign} == set()


def test_a_page_is_no_wider_than_its_window(taken: list[pictures.Picture]) -> None:
    """Wide tables scroll by themselves."""
    assert {it.name for it in taken if it.wide > it.width} == set()


def test_axe_finds_nothing_serious(taken: list[pictures.Picture]) -> None:
    """Except in what Streamlit draws by itself: see ``look.mjs``."""
    assert {fault for it in taken for fault in it.faults} == set()
