"""``python3 tests/demo.py --dashboard``, with a day of history instead of a month."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from local.environments import REPOSITORY

START = """
import sys
sys.path.insert(0, "tests")
import demo
from local import dashboard_demo
dashboard_demo.DAYS = 1
sys.exit(demo.main(["--dashboard"]))
"""


@contextlib.contextmanager
def running(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """The demo in a process group of its own, as a terminal makes it. Ctrl-C reaches all of it."""
    with subprocess.Popen(
        [sys.executable, "-u", "-c", START],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
        start_new_session=True,
    ) as demo:
        try:
            yield demo
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(demo.pid, signal.SIGKILL)


def line_with(demo: subprocess.Popen[str], words: str) -> str:
    assert demo.stdout
    told = []
    for line in demo.stdout:
        told.append(line)
        if words in line:
            return line
    raise AssertionError("".join(told))


def test_the_demo_says_the_address_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    """It leaves nothing in the temporary folder."""
    with running(tmp_path) as demo:
        (address,) = re.findall(r"http://\S+", line_with(demo, "press Ctrl-C"))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address) as answer:
            assert answer.status == 200
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(30) == 0
        assert demo.stdout
        assert demo.stdout.read() == ""
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_interrupted_while_it_loads_leaves_nothing_behind(tmp_path: Path) -> None:
    with running(tmp_path) as demo:
        line_with(demo, "on the mock's clock")
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(30) == 130
        assert demo.stdout
        assert "Traceback" not in demo.stdout.read()
    assert list(tmp_path.iterdir()) == []
