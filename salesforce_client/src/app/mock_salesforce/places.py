"""Keeps the mock's invented deletes away from a real warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ..errors import SettingsError

AZURE_MARKS = ("WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME")
THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


def refuse_real_places(environ: Mapping[str, str], storage_url: str, *, allowed: bool) -> None:
    """Refuse to run if the mock's deletes could reach a real warehouse.

    Args:
        environ: the environment of this process.
        storage_url: URL of the storage account that receives the event files.
        allowed: the value of MOCK_MODE_IN_AZURE. If it is true, nothing is refused.

    Raises:
        SettingsError: this process runs in Azure, or the storage is not an emulator.
    """
    if allowed:
        return
    where = []
    if (
        any(environ.get(mark) for mark in AZURE_MARKS)
        and environ.get("AZURE_FUNCTIONS_ENVIRONMENT") != "Development"
    ):
        where.append("in Azure")
    url = urlsplit(storage_url)
    if url.scheme != "http" and url.hostname not in THIS_MACHINE:
        where.append(f"with the storage account {url.hostname}")
    if where:
        wanted = "set MOCK_MODE=false, or set MOCK_MODE_IN_AZURE=true to allow it"
        harm = "the mock's invented deletes would reach the warehouse"
        raise SettingsError([f"MOCK_MODE is true {' and '.join(where)}: {harm}; {wanted}"])
