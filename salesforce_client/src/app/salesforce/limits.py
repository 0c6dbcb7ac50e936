"""Asks what is left of the org's limits.

Source: Salesforce "REST API Developer Guide", "Limits".
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import SalesforceUnavailableError
from ..model.limits import OrgLimit
from .rest import Rest

ABOUT = "the limits of the org"


def read_limits(rest: Rest) -> Mapping[str, OrgLimit]:
    """All limits by Salesforce's name. The user needs the permission View Setup and Configuration.

    Raises:
        CollectorError: see ``Rest.get``.
    """
    told = rest.get(rest.data("limits/"), {}, ABOUT)
    try:
        return {
            name: OrgLimit(int(one["Max"]), int(one["Remaining"])) for name, one in told.items()
        }
    except (KeyError, TypeError, ValueError):
        raise SalesforceUnavailableError(
            f"{ABOUT}: the answer lacks what the documentation promises – if this stays, report it"
        ) from None
