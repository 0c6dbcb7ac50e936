"""Finds the settings for a command: in the environment and in a file such as local.settings.json.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from .errors import SettingsError

FILE = "local.settings.json"
REFERENCE = "@Microsoft.KeyVault("
# Both forms of a reference (Microsoft Learn, "Use Key Vault references").
OF_URI = re.compile(r"SecretUri=https://([\w-]+)\.vault\.[\w.]+/secrets/([\w-]+)(?:/(\w+))?")
OF_NAMES = re.compile(r"(VaultName|SecretName|SecretVersion)=([\w-]+)")
HOW_TO_DECRYPT = (
    "run 'func settings decrypt' in its folder, as the user and on the machine that fetched it;"
    " or set the settings as environment variables"
)


class Gathered(NamedTuple):
    """The settings of a command.

    Attributes:
        values: the settings by name.
        file: the file that was read. None if there was none.
        overridden: names of settings in the file that the environment has with another value.
    """

    values: Mapping[str, str]
    file: Optional[Path]
    overridden: Sequence[str]

    @property
    def told(self) -> str:
        """Where the settings come from, for the operator. It has no value of a setting."""
        if self.file is None:
            return "the environment"
        told = f"the environment and {self.file}"
        if self.overridden:
            told += f" (the environment has another {', '.join(self.overridden)}, which counts)"
        return told


def gather(environ: Mapping[str, str], file: Optional[Path], folder: Path) -> Gathered:
    """Read the settings. A variable of the environment counts before the file, as for ``func``.

    Args:
        environ: the environment.
        file: the file to read. None means local.settings.json in ``folder``, if it is there.
        folder: the folder of the app.

    Raises:
        SettingsError: the file is missing, encrypted or malformed.
    """
    if file is None:
        file = folder / FILE
        if not file.exists():
            return Gathered(environ, None, ())
    values = _values_of(file)
    overridden = [
        name for name, value in values.items() if environ.get(name, value).strip() != value.strip()
    ]
    return Gathered({**values, **environ}, file, overridden)


def _values_of(file: Path) -> Mapping[str, str]:
    """The settings in the file. Paths in it count from its folder, as they do for ``func``."""
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SettingsError([f"{file} cannot be read: {error.strerror}"]) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise SettingsError([f"{file} is not JSON: {error.msg} in {where}: correct it"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{file} is not UTF-8: save it as UTF-8"]) from None
    values = content.get("Values") if isinstance(content, dict) else None
    if isinstance(content, dict) and content.get("IsEncrypted"):
        raise SettingsError([f"{file} is encrypted (IsEncrypted is true): {HOW_TO_DECRYPT}"])
    if not isinstance(values, dict):
        raise SettingsError(
            [f'{file} has no object "Values": begin again with a copy of the example beside it']
        )
    wrong = [name for name, value in values.items() if not isinstance(value, str)]
    if wrong:
        raise SettingsError(
            [f"{name} in {file} is not a text: write it in double quotes" for name in wrong]
        )
    return {name: _from_folder(file, name, value) for name, value in values.items()}


def _from_folder(file: Path, name: str, value: str) -> str:
    is_path = name.endswith("_FILE") and value.strip() and "-----BEGIN" not in value
    return str(file.absolute().parent / value.strip()) if is_path else value


def with_cures(error: SettingsError, gathered: Gathered) -> SettingsError:
    """The same error for a person's own machine, where nothing resolves Key Vault references."""
    return SettingsError([_cure(problem, gathered.values) for problem in error.problems])


def _cure(problem: str, values: Mapping[str, str]) -> str:
    name = problem.partition(" ")[0]
    value = values.get(name, "").strip()
    if not value.startswith(REFERENCE) or "Key Vault reference" not in problem:
        return problem
    return (
        f"{name} is a Key Vault reference, which only Azure resolves: set it in the environment,"
        f' for example with export {name}="$({_command(value)})"'
    )


def _command(reference: str) -> str:
    """The command that prints the secret. It needs the role Key Vault Secrets User."""
    parts: dict[str, Any] = dict(OF_NAMES.findall(reference))
    if match := OF_URI.search(reference):
        parts = dict(zip(("VaultName", "SecretName", "SecretVersion"), match.groups()))
    vault, secret = parts.get("VaultName", "<vault>"), parts.get("SecretName", "<secret>")
    version = f" --version {parts['SecretVersion']}" if parts.get("SecretVersion") else ""
    return (
        f"az keyvault secret show --vault-name {vault} --name {secret}{version}"
        " --query value --output tsv"
    )
