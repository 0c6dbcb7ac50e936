"""What the tests and the demo install, start and measure."""

import os
import sys

# Even Python 2 can read this file, and every script imports it first.
if sys.version_info < (3, 9):  # noqa: UP036
    this = "%d.%d" % sys.version_info[:2]  # noqa: UP031
    sys.exit("This needs Python 3.9 or newer, and " + sys.executable + " is Python " + this + ".")

# A test process runs the mock's gRPC server, and starts other processes. Python 3.9 forks for that,
# and gRPC's fork handlers can abort the new process before it runs.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
