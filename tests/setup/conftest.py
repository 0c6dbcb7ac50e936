"""Checks the set-up files on Python 3.10 and newer only, because the parsers need it."""

import sys

collect_ignore_glob = ["test_*.py"] if sys.version_info < (3, 10) else []
