"""What writing an event file costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
WRITE = """
import re, sys
from datetime import datetime, timezone
from pathlib import Path
from salesforce_client.src.app.model import Delete
from salesforce_client.src.app.storage.event_file import EventFile

def rows(response, count):
    return [Delete(f"{response}:{row}", "t", "o", "r", "u", "d", None, "x" * 1800, "i", b"", "s") for row in range(count)]

file = EventFile(Path(sys.argv[1]), datetime.now(timezone.utc))
for response in range(100):
    file.add(rows(response, 900 + response))
file.close()
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def test_memory_does_not_grow_with_the_sizes_of_responses(tmp_path: Path) -> None:
    """A change of many records fills a response with any number of rows, which are no reason to keep those of all before it."""
    command = [sys.executable, "-c", WRITE, str(tmp_path / "x.db")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 48  # MiB; the page cache of SQLite has 16 of them
