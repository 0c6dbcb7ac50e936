"""Checks the set-up files on Python 3.10 and newer only, because the parsers need it."""

import shutil
import sys
from pathlib import Path

import pytest
from local.environments import REPOSITORY

collect_ignore_glob = ["test_*.py"] if sys.version_info < (3, 10) else []


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the SFDX project."""
    source = REPOSITORY / "docs/setup/salesforce"
    return Path(shutil.copytree(source, tmp_path / "project"))
