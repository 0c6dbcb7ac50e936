"""``python3 tests/demo.py --dashboard``, with a day of history instead of a month."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from local.environments import REPOSITORY

START = "import sys; from local import dashboard_demo; sys.exit(dashboard_demo.demonstrate(days=1))"


def test_the_demo_says_the_address_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    """It leaves nothing in the temporary folder."""
    path = f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", START],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)},
    ) as demo:
        assert demo.stdout
        found = next(filter(None, (re.search(r"http://\S+", line) for line in demo.stdout)))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(found[0]) as answer:
            assert answer.status == 200
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
    assert list(tmp_path.iterdir()) == []
