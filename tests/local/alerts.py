"""The alerts in ``docs/setup/azure/alerts.bicep``, with the texts of their queries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import bicep
from .environments import REPOSITORY

FILE = REPOSITORY / "docs/setup/azure/alerts.bicep"


def alerts(collector: str = "c", sync: str = "d") -> dict[str, dict[str, Any]]:
    """The alerts by name, as Bicep makes them for apps with these names."""
    variables = bicep.parse(FILE)["variables"]
    known = {name: it["value"] for name, it in variables.items()}
    known |= {"collectorApp": collector, "syncApp": sync}
    return {
        it["name"]: {**it, "query": _resolved(it["query"], known)}
        for it in variables["alerts"]["value"]
    }


def _resolved(text: Any, known: Mapping[str, Any]) -> str:
    """The text of a query, which Bicep's ``join`` may put together."""
    if isinstance(text, dict):
        parts = text["function"]["parameters"]
        return str(parts["delimiter"]).join(_resolved(part, known) for part in parts["input_array"])
    if text in known:  # pycep returns the name of a variable as text
        return _resolved(known[text], known)
    whole = re.sub(r"\$\{(\w+)\}", lambda found: _resolved(known[found[1]], known), text)
    return whole.replace("\\\\", "\\")
