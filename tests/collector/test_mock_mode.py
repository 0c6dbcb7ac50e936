"""Mock mode

With ``MOCK_MODE=true``, the collector polls a mock Salesforce.
The mock's deletes are invented, so they must never reach a real warehouse.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import pytest

from salesforce_client.src.app.errors import SettingsError
from salesforce_client.src.app.mock_salesforce.places import refuse_real_places
from salesforce_client.src.app.run import run

REAL = (
    "DefaultEndpointsProtocol=https;AccountName=real;AccountKey=c2VjcmV0;"
    "EndpointSuffix=core.windows.net"
)


@pytest.mark.parametrize(
    "storage",
    [
        {"EVENTS_STORAGE": REAL},
        {
            "EVENTS_STORAGE": "",
            "EVENTS_STORAGE__blobServiceUri": "https://real.blob.core.windows.net",
        },
    ],
)
def test_invented_deletes_stay_out_of_a_real_storage_account(
    blob_settings: Mapping[str, str], storage: dict[str, str]
) -> None:
    """If ``MOCK_MODE`` is on and the storage account is a real one, the poll fails before it sends
    anything. This protects production if a laptop has the settings of production.
    """
    with pytest.raises(
        SettingsError,
        match=r"MOCK_MODE is true with the storage account real\.blob.*MOCK_MODE_IN_AZURE=true",
    ):
        run({**blob_settings, **storage, "MOCK_MODE": "true"})


def test_invented_deletes_stay_out_of_azure(blob_settings: Mapping[str, str]) -> None:
    """In Azure, a poll in ``MOCK_MODE`` fails unless ``MOCK_MODE_IN_AZURE`` is true. A local
    Functions host does not count as Azure.
    """
    azure = {**blob_settings, "MOCK_MODE": "true", "WEBSITE_SITE_NAME": "app"}
    with pytest.raises(SettingsError, match="MOCK_MODE is true in Azure"):
        run(azure)
    local = {"MOCK_INTERVAL_SECONDS": "36000", "IDLE_SECONDS": "1"}
    run({**azure, **local, "MOCK_MODE_IN_AZURE": "true"}).raise_if_failed()
    run({**azure, **local, "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}).raise_if_failed()


@pytest.mark.parametrize(
    ("url", "in_azure", "allowed", "refused"),
    [
        ("http://azurite:10000/devstoreaccount1", False, False, False),
        ("http://127.0.0.1:10000/devstoreaccount1", False, False, False),
        ("https://127.0.0.1:10000/devstoreaccount1", False, False, False),
        ("https://localhost:10000/devstoreaccount1", False, False, False),
        ("https://real.blob.core.windows.net/", False, False, True),
        ("https://127.0.0.1.real.example/", False, False, True),
        ("https://real.blob.core.windows.net/", True, True, False),
        ("http://127.0.0.1:10000/devstoreaccount1", True, False, True),
    ],
)
def test_the_mock_runs_only_where_invented_deletes_do_no_harm(
    url: str, in_azure: bool, allowed: bool, refused: bool
) -> None:
    """Outside Azure, a poll in ``MOCK_MODE`` accepts an emulator on the same machine and any
    storage without TLS. ``MOCK_MODE_IN_AZURE=true`` allows every storage account.
    """
    environ = {"WEBSITE_SITE_NAME": "app"} if in_azure else {}
    expected = pytest.raises(SettingsError) if refused else contextlib.nullcontext()
    with expected:
        refuse_real_places(environ, url, allowed=allowed)


def test_an_unknown_fault_is_reported_with_the_list_of_all_faults(
    blob_settings: Mapping[str, str],
) -> None:
    """If ``MOCK_FAULTS`` names an unknown fault, the error names the setting and that fault, and
    lists all faults.
    """
    with pytest.raises(
        SettingsError,
        match=r"MOCK_FAULTS has the unknown fault 'explode': the faults are drop_stream",
    ):
        run({**blob_settings, "MOCK_MODE": "true", "MOCK_FAULTS": "explode"})
