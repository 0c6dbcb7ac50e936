"""The list of surviving mutants is read and compared as its command says."""

from __future__ import annotations

import pytest
from local.mutants import Change, change, compare, explained, without_mutants

SHOWN = """\
# delete_sync.src.settings.x_read__mutmut_9: survived
--- delete_sync/src/settings.py
+++ delete_sync/src/settings.py
@@ -20,7 +20,7 @@
         full_sweep=values.boolean("FULL_SWEEP"),
-        max_merge_rows=int(values.number("MAX_MERGE_ROWS", 1_000_000, least=1)),
+        max_merge_rows=None,
     )
"""
ONE = Change(
    "delete_sync/src/settings.py",
    'max_merge_rows=int(values.number("MAX_MERGE_ROWS", 1_000_000, least=1)),',
    "max_merge_rows=None,",
)
TWO = Change("delete_sync/src/settings.py", "a < b", "a <= b")


def test_a_change_is_read_from_its_diff() -> None:
    """Numbers of mutants and lines are left out, because they change with the code."""
    assert change(SHOWN) == ONE


def test_one_explanation_may_cover_several_changes() -> None:
    """The comments and the empty lines of the list mean nothing."""
    text = f"# comment\n\n{ONE}\n{TWO}\nBoth are equal.\n".replace(
        "delete_sync/src/settings.py", "delete_sync/src/settings.py:"
    )
    assert explained(text) == {ONE: "Both are equal.", TWO: "Both are equal."}


def test_a_change_without_an_explanation_is_an_error() -> None:
    """The error names the change."""
    with pytest.raises(ValueError, match=r"no explanation(.|\n)*a <= b"):
        explained("delete_sync/src/settings.py:\n- a < b\n+ a <= b\n")


def test_each_survivor_needs_an_explanation_and_each_explanation_a_survivor() -> None:
    """The list has every survivor, and loses an entry as soon as a test notices the change."""
    assert list(compare([ONE], {ONE: "x"})) == []
    (problem,) = compare([ONE, TWO], {ONE: "x"})
    assert problem.startswith("No test notices this change")
    assert "+ a <= b" in problem
    (problem,) = compare([ONE], {ONE: "x", TWO: "y"})
    assert problem.startswith("A test notices this change now")


def test_a_module_that_was_not_changed_at_all_is_reported() -> None:
    """A wrong name in pyproject.toml must not look like a module without survivors."""
    mutants = ["delete_sync.src.sync.x_sweep__mutmut_1", "delete_sync.src.sync.xǁAǁb__mutmut_2"]
    assert list(without_mutants(mutants, ["delete_sync/src/sync.py"])) == []
    (problem,) = without_mutants(mutants, ["delete_sync/src/sync.py", "delete_sync/src/gone.py"])
    assert problem.startswith("delete_sync/src/gone.py: mutmut changed nothing")
