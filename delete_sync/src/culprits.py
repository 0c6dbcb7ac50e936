"""Finds the files of a refused batch that hold the refused values."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .errors import DataRefusedError, WarehouseRefusedError
from .model import StagedFile

# Loads some files together. Returns whether it loaded any, or why Snowflake refuses them.
Load = Callable[[Sequence[StagedFile]], "bool | DataRefusedError"]


@dataclass
class Search:
    """Loads a refused batch by halves, until each refused file was alone.

    Args:
        load: loads some files together.
        may_begin: whether there is time for another load.

    Attributes:
        refused: the files that were refused alone, with the error.
        left: the files that were not tried, because there was no time.
        loaded: whether some file was loaded.
    """

    load: Load
    may_begin: Callable[[], bool]
    refused: list[tuple[StagedFile, DataRefusedError]] = field(default_factory=list)
    left: list[StagedFile] = field(default_factory=list)
    loaded: bool = False

    def run(self, files: Sequence[StagedFile], error: DataRefusedError) -> None:
        """Search among files that were refused together with this error.

        If there was no time to load any file, nobody knows whether a file or the table is at
        fault. Then all files are left for the next sweep.

        Raises:
            WarehouseRefusedError: no file was loaded, and each of several files was refused alone,
                with one number. So the table is at fault, and no file is refused.
        """
        self._among(files, error)
        numbers = {refusal.number for _, refusal in self.refused}
        if not self.loaded and len(self.refused) > 1 and len(numbers) == 1:
            raise WarehouseRefusedError(
                f"Snowflake refuses each of {len(self.refused)} event files alone, with the same "
                f"error. So the table is at fault, and no file is refused: {error.text}. "
                "Compare the table with docs/setup/snowflake/1_tables.sql"
            )
        if self.left and not self.loaded:
            self.left += [file for file, _ in self.refused]
            self.refused = []

    def _among(self, files: Sequence[StagedFile], error: DataRefusedError) -> None:
        """Try the larger parts first, so that as many files as possible are loaded in time."""
        waiting = deque([(files, error)])
        while waiting:
            part, why = waiting.popleft()
            if len(part) == 1:
                self.refused.append((part[0], why))
                continue
            middle = len(part) // 2
            for half in (part[:middle], part[middle:]):
                if not self.may_begin():
                    self.left += half
                    continue
                result = self.load(half)
                if isinstance(result, DataRefusedError):
                    waiting.append((half, result))
                else:
                    self.loaded = self.loaded or result
