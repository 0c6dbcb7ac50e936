"""Finds lines that are too wide and phrases that are hard to read: ``python3 tests/run.py lint``.

These are the rules of plain English that a program can check.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
CODE_COLUMNS, PAGE_COLUMNS, TABLE_COLUMNS = 100, 120, 400
CODE = {
    ".bicep", ".bicepparam", ".cls", ".ini", ".json", ".mjs", ".py", ".sh", ".sql", ".toml",
    ".trigger", ".yaml", ".yml",
}  # fmt: skip
GENERATED = re.compile(
    r"/wire/|(package-lock|\.snapshot)\.json$|^tests/requirements/|^[^/]+/requirements\.txt$"
)
# Each phrase is in two parts, so that this file does not contain it.
PHRASES = [
    "".join(parts)
    for parts in (
        ("can be", " had"), ("be had", " from"), ("what", " stands"), ("stands", " in ["),
        ("told", " apart"), ("lies", " in"), ("nobody", "'s business"), ("so-", "manieth"),
        ("what it was", " not made for"),
    )
]  # fmt: skip


def faults(name: str, text: str) -> Iterator[str]:
    """What is wrong with the text of the file ``name``, as ``file:line: message``."""
    code, page = Path(name).suffix in CODE, name.endswith(".md")
    for number, line in enumerate(text.splitlines(), 1):
        table = page and line.startswith("|")
        widest = TABLE_COLUMNS if table else PAGE_COLUMNS if page else CODE_COLUMNS
        if (code or page) and len(line) > widest:
            yield f"{name}:{number}: {len(line)} columns; at most {widest} here"
        for phrase in PHRASES:
            if (code or page) and phrase in line.lower():
                yield f"{name}:{number}: {phrase!r} is hard to read; say it in plain words"


def main() -> int:
    """Check every file that git knows or would add; return 1 if there is a fault."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    names = [
        name
        for name in listed.stdout.splitlines()
        if Path(name).suffix in {*CODE, ".md"}
        and not GENERATED.search(name)
        and (REPOSITORY / name).is_file()
    ]
    found = [fault for name in names for fault in faults(name, (REPOSITORY / name).read_text())]
    print("\n".join(found) or f"The texts of {len(names)} files are within their width.")
    return 1 if found or not names else 0


if __name__ == "__main__":
    sys.exit(main())
