"""Which checks a doctor makes: the names in its code, and those in what it prints."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# What makes a finding of a check that has looked. The name of the check is the first argument.
MAKERS = {"Finding", "failure", "looked", "of_error", "ok", "warning"}


def kind(check: str) -> str:
    """The first word of a check's name. What follows is what it looked at."""
    return check.partition(" ")[0]


def seen(findings: Iterable[Mapping[str, str]]) -> set[str]:
    """The kinds of the checks in the output of a doctor that have looked."""
    return {kind(it["check"]) for it in findings if it["status"] != "skipped"}


def named_in(folder: Path) -> set[str]:
    """The kinds of the checks whose names are written in the modules of a folder."""
    trees = [ast.parse(path.read_text()) for path in folder.glob("*.py")]
    return {kind(name) for tree in trees for name in _names(tree) if name}


def _names(tree: ast.Module) -> Iterator[str]:
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in MAKERS:
            name = node.args[0]
            known = values.get(name.id, []) if isinstance(name, ast.Name) else [name]
            yield from map(_literal, known)


def _literal(value: ast.expr) -> str:
    """The text that the source has, until the first value that is put in."""
    first = value.values[0] if isinstance(value, ast.JoinedStr) else value
    text = first.value if isinstance(first, ast.Constant) else ""
    return text if isinstance(text, str) else ""
