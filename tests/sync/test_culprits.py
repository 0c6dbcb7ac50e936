"""How a sweep finds the files of a refused batch that hold the refused values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import pytest

from delete_sync.src.culprits import Search
from delete_sync.src.errors import DataRefusedError, WarehouseRefusedError
from delete_sync.src.model import EventBlob, StagedFile

JSON, DATE = 100069, 100035


def files(names: str) -> list[StagedFile]:
    return [StagedFile(EventBlob(name, 1, "etag", ""), "", None) for name in names]


def names(found: Sequence[StagedFile]) -> str:
    return "".join(file.name for file in found)


class Target:
    """Refuses all loads with certain files.

    Args:
        refused: Snowflake's number of the error, by the name of the file.

    Attributes:
        loads: the names of the files of each load.
        kept: the names of the files that were loaded.
    """

    def __init__(self, refused: Mapping[str, int]) -> None:
        self.loads: list[str] = []
        self.kept = ""
        self._refused = refused

    def load(self, batch: Sequence[StagedFile]) -> bool | DataRefusedError:
        """Load some files, or return the error about the first refused one.

        A file whose name is a digit is no longer there.
        """
        self.loads.append(names(batch))
        for file in batch:
            if file.name in self._refused:
                number = self._refused[file.name]
                return DataRefusedError(f"{number}: {file.name}", number)
        there = [file for file in batch if not file.name.isdigit()]
        self.kept += names(there)
        return bool(there)


def time_for(loads: int) -> Callable[[], bool]:
    """Whether there is time, which is true so many times."""
    asked = itertools.count()
    return lambda: next(asked) < loads


def search(target: Target, batch: str, *, loads: int = 1000) -> Search:
    """Search in a batch that was refused as a whole, with time for so many loads."""
    found = Search(target.load, time_for(loads))
    error = target.load(files(batch))
    assert isinstance(error, DataRefusedError)
    target.loads.clear()
    found.run(files(batch), error)
    return found


@pytest.mark.parametrize(
    ("batch", "refused", "loads"),
    [
        ("A", {"A": JSON}, []),
        ("AB", {"B": JSON}, ["A", "B"]),
        ("ABC", {"A": JSON}, ["A", "BC"]),
        ("ABCDEFGH", {"F": JSON}, ["ABCD", "EFGH", "EF", "GH", "E", "F"]),
        ("ABCD", {"B": JSON, "C": JSON}, ["AB", "CD", "A", "B", "C", "D"]),
        ("AB", {"A": JSON, "B": DATE}, ["A", "B"]),
        ("ABC", {"A": JSON, "B": JSON, "C": DATE}, ["A", "BC", "B", "C"]),
    ],
)
def test_a_batch_is_loaded_by_halves_until_each_refused_file_was_alone(
    batch: str, refused: Mapping[str, int], loads: list[str]
) -> None:
    """All other files are loaded. The number of loads grows with the refused files."""
    target = Target(refused)
    found = search(target, batch)
    assert target.loads == loads
    assert [(file.name, error.number) for file, error in found.refused] == list(refused.items())
    assert sorted(target.kept) == sorted(set(batch) - set(refused))
    assert found.left == []


def test_each_refused_file_has_the_error_of_its_own() -> None:
    """The error of the whole batch was about another file."""
    found = search(Target({"A": JSON, "D": DATE}), "ABCD")
    assert [(file.name, error.text) for file, error in found.refused] == [
        ("A", f"{JSON}: A"),
        ("D", f"{DATE}: D"),
    ]


def test_one_refused_file_among_many_costs_few_loads() -> None:
    """The halves have two loads at each level: 500 files have nine levels."""
    batch = "".join(chr(0x4E00 + number) for number in range(500))
    target = Target({batch[321]: JSON})
    found = search(target, batch)
    assert names([file for file, _ in found.refused]) == batch[321]
    assert len(target.loads) <= 18


@pytest.mark.parametrize("batch", ["AB", "ABC", "ABCDEFG"])
def test_if_every_file_is_refused_alone_with_one_number_the_table_is_at_fault(
    batch: str,
) -> None:
    """A column that is too short for any value, for example."""
    target = Target(dict.fromkeys(batch, JSON))
    with pytest.raises(WarehouseRefusedError) as raised:
        search(target, batch)
    assert not isinstance(raised.value, DataRefusedError)
    assert raised.value.text == (
        f"Snowflake refuses each of {len(batch)} event files alone, with the same error. "
        f"So the table is at fault, and no file is refused: {JSON}: A. "
        "Compare the table with docs/setup/snowflake/1_tables.sql"
    )


def test_a_single_file_tells_nothing_about_the_table() -> None:
    """The value in it may be at fault as well."""
    found = search(Target({"A": JSON}), "A")
    assert names([file for file, _ in found.refused]) == "A"


def test_a_file_that_is_gone_meanwhile_does_not_count_as_loaded() -> None:
    """Then each file that is still there is refused alone, so the table is at fault."""
    with pytest.raises(WarehouseRefusedError, match="refuses each of 2 event files alone"):
        search(Target({"A": JSON, "B": JSON}), "AB1")


def test_larger_parts_are_tried_first() -> None:
    """If the time is too short to find the file, as many others as possible are loaded."""
    target = Target({"A": JSON})
    found = search(target, "ABCDEFGH", loads=2)
    assert (target.kept, sorted(names(found.left))) == ("EFGH", sorted("ABCD"))


def test_if_one_file_is_loaded_the_table_is_not_at_fault() -> None:
    """All other files are refused, although with one number."""
    found = search(Target({"A": JSON, "C": JSON}), "ABC")
    assert names([file for file, _ in found.refused]) == "AC"
    assert found.loaded


@pytest.mark.parametrize(
    ("loads", "kept", "refused", "left"),
    [
        (0, "", "", "ABCD"),
        (1, "AB", "", "CD"),
        (2, "AB", "", "CD"),
        (3, "AB", "C", "D"),
        (4, "ABD", "C", ""),
    ],
)
def test_without_time_the_rest_is_left(loads: int, kept: str, refused: str, left: str) -> None:
    """Each file is loaded, refused or left."""
    target = Target({"C": JSON})
    found = search(target, "ABCD", loads=loads)
    assert target.kept == kept
    assert names([file for file, _ in found.refused]) == refused
    assert names(found.left) == left


@pytest.mark.parametrize("loads", [1, 2, 3])
def test_no_file_is_refused_if_the_time_was_too_short_to_load_any(loads: int) -> None:
    """The table may be at fault. The next sweep begins with these files."""
    target = Target(dict.fromkeys("ABCD", JSON))
    found = search(target, "ABCD", loads=loads)
    assert found.refused == []
    assert sorted(names(found.left)) == ["A", "B", "C", "D"]


@pytest.mark.parametrize(("loads", "alone"), [(4, 2), (5, 3)])
def test_the_table_is_at_fault_if_no_file_was_loaded_until_the_time_was_up(
    loads: int, alone: int
) -> None:
    """With many files, there is not enough time to try each of them alone, in any sweep."""
    with pytest.raises(
        WarehouseRefusedError, match=f"refuses each of {alone} event files alone, with the same"
    ):
        search(Target(dict.fromkeys("ABCD", JSON)), "ABCD", loads=loads)
