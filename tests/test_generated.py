"""Each generated file is what its generator makes now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import behaviours
from local import environments

REPOSITORY = Path(__file__).resolve().parent.parent


def test_regenerating_changes_nothing(tmp_path: Path) -> None:
    """The gRPC stubs and the copies of the event file's DDL are made from ``proto/``."""
    try:
        environments.group("stubs")
    except environments.MissingInterpreterError as missing:
        environments.not_run(f"regenerating the stubs {missing}")
    subprocess.run(
        [sys.executable, REPOSITORY / "proto/regenerate.py", "--to", tmp_path], check=True
    )
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(made) == 7
    for path in made:
        assert (tmp_path / path).read_text() == (REPOSITORY / path).read_text(), (
            f"{path}: run python3 proto/regenerate.py"
        )


def test_the_page_of_behaviours_follows_from_the_docstrings() -> None:
    """A changed docstring of a behaviour also changes the page."""
    assert behaviours.PAGE.read_text() == behaviours.page(), "run python3 tests/behaviours.py"
