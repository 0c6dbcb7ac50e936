#!/usr/bin/env python3
"""Lint, types and tests: everything that must pass, in one command.

    python3 tests/run.py              lint, types and tests (about 15 minutes)
    python3 tests/run.py lint         code style, format and the width of all texts
    python3 tests/run.py types        mypy, strict
    python3 tests/run.py test [...]   all tests, or those that pytest's arguments choose
    python3 tests/run.py browser      the dashboard in a browser, with its pictures
    python3 tests/run.py pages        the set-up pages by the parsers of their tools, az among them
    python3 tests/run.py versions     the packages of the apps on each version of Python
    python3 tests/run.py mutants      mutation testing of the modules that decide
    python3 tests/run.py bench        measure, and write docs/performance.md (about an hour)
    python3 tests/run.py lock         update all dependencies and write the requirements files

Arguments that begin with a file, a folder or an option go to pytest, without lint and types:

    python3 tests/run.py tests/sync/test_sql.py -k merge
    python3 tests/run.py -k cursor

The first run installs what it needs below .local: 2.5 GB for the tests and versions,
0.3 GB more for browser, 1.0 GB more for pages.
Types need Python 3.10 or newer.
"""

import sys

from local import commands

if __name__ == "__main__":
    try:
        sys.exit(commands.main(sys.argv[1:], __doc__))
    except KeyboardInterrupt:  # the step that ran has printed what it was doing
        sys.exit(130)
