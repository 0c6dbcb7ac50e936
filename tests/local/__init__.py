"""What the tests and the demo install, start and measure."""

import sys

# Even Python 2 can read this file, and every script imports it first.
if sys.version_info < (3, 9):  # noqa: UP036
    this = "%d.%d" % sys.version_info[:2]  # noqa: UP031
    sys.exit("This needs Python 3.9 or newer, and " + sys.executable + " is Python " + this + ".")
