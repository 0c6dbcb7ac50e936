"""One call of a command: its terminal, and the app with the settings of the call.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..adapters import App
from ..console import Console
from ..errors import SettingsError
from ..run import opened
from ..settings_sources import Gathered, gather, with_cures


@dataclass(frozen=True)
class Call:
    """One call of a command.

    Attributes:
        console: the terminal.
        environ: the environment.
        file: the file of settings that the person names. None for the usual one, if it is there.
        folder: the folder of the app.
        adopt: puts settings into the environment of this process. Libraries read proxies and
            certificate authorities there, as they do in Azure.
    """

    console: Console
    environ: Mapping[str, str]
    file: Optional[Path]
    folder: Path
    adopt: Callable[[Mapping[str, str]], None]

    def gathered(self) -> Gathered:
        """The settings and where they come from.

        Raises:
            SettingsError: the file of settings cannot be used.
        """
        return gather(self.environ, self.file, self.folder)

    @contextlib.contextmanager
    def app(self, **changes: str) -> Iterator[App]:
        """The app with the gathered settings and these changes.

        Raises:
            Exception: see ``run.opened``.
        """
        gathered = self.gathered()
        self.adopt({name: value for name, value in gathered.values.items() if value.strip()})
        # Only a machine in Azure has the endpoint. Everywhere else a person's own login counts.
        person = not self.environ.get("IDENTITY_ENDPOINT")
        with contextlib.ExitStack() as stack:
            try:
                app = stack.enter_context(opened({**gathered.values, **changes}, person=person))
            except SettingsError as error:
                raise with_cures(error, gathered) from None
            yield app
