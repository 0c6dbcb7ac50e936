"""What the demo installs on its first run: told before it begins, then one part after the other.

This module uses only the standard library, because it installs everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import environments, node
from .environments import say


class Part(NamedTuple):
    """Something that the demo needs.

    Attributes:
        what: its name for people.
        megabytes: what it takes on the disk, about.
        is_there: whether it needs no installation.
        install: installs it.
    """

    what: str
    megabytes: int
    is_there: Callable[[], bool]
    install: Callable[[], object]


def parts() -> list[Part]:
    """Everything that the demo needs, in the order in which it is installed."""
    return [
        Part(
            "Python packages of both apps and of the tests, and uv, which installs them",
            290,
            lambda: environments.has_group("dev"),
            environments.dev,
        ),
        Part(
            "the stand-in for Snowflake",
            370,
            lambda: environments.has_group("fakesnow"),
            lambda: environments.group("fakesnow"),
        ),
        Part("Node", 180, node.has_node, node.node),
        Part(
            "Azurite, the emulator of Blob Storage",
            270,
            node.has_node_modules,
            node.node_modules,
        ),
    ]


def dashboard() -> Part:
    """What the demo of the dashboard needs besides."""
    return Part(
        "Streamlit, which shows the dashboard",
        420,
        lambda: environments.has_group("dashboard"),
        lambda: environments.group("dashboard"),
    )


def install(needed: Sequence[Part]) -> None:
    """Say what is missing, how large it is and how long it takes, and install it."""
    missing = [part for part in needed if not part.is_there()]
    if not missing:
        return
    say(f"The demo needs a few tools, and installs them into {environments.LOCAL}:\n")
    for part in missing:
        say(f"  {part.megabytes:4} MB  {part.what}")
    total = sum(part.megabytes for part in missing)
    say(f"\n{total} MB in all. It takes one to five minutes, which depends on your connection.")
    say("To get rid of it, remove the folder. The next runs install nothing.")
    for number, part in enumerate(missing, 1):
        say(f"\n── {number} of {len(missing)}: {part.what}")
        part.install()
