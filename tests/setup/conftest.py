"""The set-up files are checked on Python 3.10 and newer, like lint and types: the parsers need it."""

import sys

collect_ignore_glob = ["test_*.py"] if sys.version_info < (3, 10) else []
