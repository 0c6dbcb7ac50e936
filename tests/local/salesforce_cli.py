"""The Salesforce CLI's own library and parser, which need no org."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import node

SCRIPTS = node.SALESFORCE


@dataclass(frozen=True)
class Deployed:
    """What the CLI would deploy of a source folder."""

    components: dict[str, list[Path]]  # type and name, with the files that it was read from
    files: set[str]  # what is sent


def deployed(source: Path, target: Path) -> Deployed:
    """Resolve a source folder and pack it into ``target``, as the CLI does for ``--source-dir``."""
    told = json.loads(_run("resolve.mjs", str(source), str(target)))
    packed = Path(told["package"])
    return Deployed(
        {one["name"]: [Path(path) for path in one["files"]] for one in told["components"]},
        {str(path.relative_to(packed)) for path in packed.rglob("*") if path.is_file()},
    )


def commands(page: str) -> list[list[str]]:
    """The words of each ``sf`` command in the code blocks of a page, without ``sf``."""
    blocks = "\n".join(re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    lines = re.sub(r"\\\n\s*", " ", blocks).splitlines()
    found = [re.search(r"(?:^|\$\()sf (.*)", line) for line in lines]
    return [_words(match[1]) for match in found if match]


def problems(given: Sequence[Sequence[str]]) -> list[str]:
    """What the CLI's parser says about these commands, each with the command."""
    told = json.loads(_run("parse.mjs", given=json.dumps(given)))
    return [f"sf {' '.join(words)}: {said}" for words, said in zip(given, told) if said]


def _words(line: str) -> list[str]:
    """The words up to the end of the command: a pipe, a redirection or a closing parenthesis."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|>)")
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((at for at, word in enumerate(words) if set(word) <= set("|>)")), len(words))
    return words[:end]


def _run(script: str, *arguments: str, given: str = "") -> str:
    command = [node.node(), str(SCRIPTS / script), str(node.node_modules(SCRIPTS)), *arguments]
    done = subprocess.run(command, check=False, input=given, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{script} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout
