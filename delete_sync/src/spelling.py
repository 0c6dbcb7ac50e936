"""Finds the setting that a misspelled name probably means.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Optional

WORD = re.compile(r"[a-z]+")
# Other tools have names that differ from ours in a short word only, such as SNOWFLAKE_HOME and
# SNOWFLAKE_HOST. So a short word may have one mistake, and only a longer word two.
LONG_WORD = 6


def meant(name: str, known: Iterable[str]) -> Optional[str]:
    """The known name that ``name`` nearly matches. None if there is none.

    A near match differs from the known name in at most two letters, in its separators, or in upper
    and lower case. Two letters that changed their places count as one mistake. A name with a digit
    matches nothing, because nobody types a digit by mistake.
    """
    if re.search(r"\d", name):
        return None
    counted = [(_mistakes(name, right), right) for right in known]
    near = [(mistakes, right) for mistakes, right in counted if mistakes is not None]
    return min(near)[1] if near else None


def _mistakes(name: str, right: str) -> Optional[int]:
    """How many mistakes ``name`` has if it means ``right``. None if it does not mean it."""
    words, right_words = WORD.findall(name.lower()), WORD.findall(right.lower())
    if len(words) != len(right_words):  # a separator is missing, or there is one too many
        mistakes = changes("".join(words), "".join(right_words), 1)
        return mistakes if mistakes <= 1 else None
    found = 0
    for word, right_word in zip(words, right_words):
        most = 2 if len(right_word) >= LONG_WORD else 1
        mistakes = changes(word, right_word, most)
        found += mistakes
        if mistakes > most or found > 2:
            return None
    return found


def changes(one: str, other: str, most: int) -> int:
    """How many letters to insert, remove, replace or swap with their neighbour.

    If there are more than ``most``, the result is any number above ``most``. This is the "optimal
    string alignment" distance.
    """
    # One change takes away at most one letter. This sees at once that most words are unlike.
    if abs(len(one) - len(other)) > most or len(set(one) - set(other)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, right in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != right))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == right:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
