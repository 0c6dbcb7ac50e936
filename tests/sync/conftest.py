"""What several tests of the sync share."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from local.in_memory import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty container. The machine's temporary directory is ``tmp_path``."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return World(tmp_path)
