"""Runs pages of the dashboard with Streamlit's AppTest: a script for the environment ``dashboard``.

It reads one object of JSON from its input: ``folder`` (of the dashboard), ``secrets`` (the path of
Streamlit's file with the login) and ``visits``. Each visit has a ``page`` and ``inputs``: the label
of a widget, and what a viewer enters there. It prints what each visit shows, as a list of JSON.
"""

from __future__ import annotations

import datetime
import json
import math
import sys
from typing import Any

import pandas
from streamlit import config
from streamlit.testing.v1 import AppTest

SCRIPT = """
import page_list
page_list.show(next(page for page in page_list.PAGES if page.name == {page!r}))
"""
TEXTS = ("title", "subheader", "markdown", "info", "warning", "error", "exception")
WIDGETS = ("selectbox", "text_input")


def main() -> None:
    """Visit the pages and print what they show."""
    asked = json.load(sys.stdin)
    sys.path.insert(0, asked["folder"])
    config.set_option("secrets.files", [asked["secrets"]])
    shown = [_visit(**visit) for visit in asked["visits"]]
    print(json.dumps(shown))


def _visit(page: str, inputs: dict[str, Any]) -> dict[str, Any]:
    app = AppTest.from_string(SCRIPT.format(page=page), default_timeout=120)
    app.run()
    for label, value in inputs.items():
        widgets = [it for kind in WIDGETS for it in getattr(app, kind) if it.label == label]
        widgets[0].set_value(value).run()
    return {
        **{kind: [str(it.value or it.message) for it in getattr(app, kind)] for kind in TEXTS},
        "options": {it.label: list(it.options) for it in app.selectbox},
        "tables": [_rows(it.value) for it in app.dataframe],
        "charts": len(app.get("vega_lite_chart")) + len(app.get("arrow_vega_lite_chart")),
    }


def _rows(frame: Any) -> list[list[Any]]:
    return [[_plain(value) for value in row] for row in frame.itertuples(index=False, name=None)]


def _plain(value: Any) -> Any:
    if pandas.isna(value):
        return None
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if hasattr(value, "item"):
        value = value.item()
    whole = isinstance(value, float) and math.isfinite(value) and value.is_integer()
    return int(value) if whole else value if isinstance(value, (int, float)) else str(value)


if __name__ == "__main__":
    main()
