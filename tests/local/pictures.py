"""Opens the pages of the dashboard in a browser, and takes pictures of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import node
from .apps import inherited


@dataclass(frozen=True)
class Picture:
    """A page in a browser.

    Attributes:
        width: the width of the window.
        wide: the width that the page needs.
        picture: the path of its picture.
        text: all text on it.
        errors: errors in the console.
        foreign: addresses outside this server that the page asked for.
        faults: what axe calls serious or critical.
    """

    name: str
    width: int
    wide: int
    picture: str
    text: str
    errors: list[str]
    foreign: list[str]
    faults: list[str]


def pictures(
    address: str,
    visits: Sequence[tuple[str, str, Mapping[str, str]]],
    folder: Path,
    widths: Sequence[int] = (1280, 390),
) -> list[Picture]:
    """Open pages in a browser, and leave pictures of them in a folder.

    Each visit has the name of its pictures, the title of the page in the menu, and what is typed
    into which field.
    """
    modules = node.node_modules(node.BROWSER)
    asked = {
        "modules": str(modules),
        "address": address,
        "folder": str(folder),
        "widths": list(widths),
        "pages": [
            {"name": name, "title": title, "inputs": dict(inputs)} for name, title, inputs in visits
        ],
    }
    done = subprocess.run(
        [node.node(), str(node.BROWSER / "look.mjs")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        # The package of the browser unpacks it into the temporary folder.
        env={**inherited(), "TMPDIR": str(modules.parent)},
    )
    if done.returncode:
        raise RuntimeError(f"the browser failed:\n{done.stderr[-4000:]}")
    return [Picture(**one) for one in json.loads(done.stdout)]
