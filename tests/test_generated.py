"""What is generated equals what generating makes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from local import environments

REPOSITORY = Path(__file__).resolve().parent.parent


def test_regenerating_changes_nothing(tmp_path: Path) -> None:
    """The stubs and the copies of the event file's DDL are what ``proto/`` says, byte for byte."""
    try:
        environments.stubs()
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
