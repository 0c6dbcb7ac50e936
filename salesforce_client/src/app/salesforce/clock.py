"""Compares this machine's clock with Salesforce's."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import requests

from ..errors import NetworkRefusedError, SalesforceUnavailableError
from .login import TIMEOUT_SECONDS
from .network import route_to


def ahead_seconds(login_url: str, ca_file: str = "") -> float:
    """By how many seconds this machine's clock is ahead of Salesforce's. It needs no login.

    Every answer of HTTP has the time in its header Date, in whole seconds (RFC 9110, 6.6.1).

    Raises:
        NetworkRefusedError: a proxy refuses, or the certificate of the host is not trusted.
        SalesforceUnavailableError: there is no usable answer.
    """
    route = route_to(login_url, "SALESFORCE_LOGIN_URL", ca_file)
    asked = datetime.now(timezone.utc)
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.head(
                login_url,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                proxies={"http": route.proxy, "https": route.proxy} if route.proxy else {},
                verify=route.ca_file or True,
            )
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except requests.RequestException as error:
        if cure := route.cure(str(error)):
            raise NetworkRefusedError(f"{route.host}: no answer – {cure}") from None
        raise SalesforceUnavailableError(
            f"{route.host}: no answer ({type(error).__name__}){route.through} – check"
            " SALESFORCE_LOGIN_URL and the network"
        ) from None
    except (KeyError, TypeError, ValueError):
        raise SalesforceUnavailableError(
            f"{route.host}: the answer has no time – check SALESFORCE_LOGIN_URL"
        ) from None
    middle = asked + (datetime.now(timezone.utc) - asked) / 2
    # The header is cut to whole seconds, so on average it is half a second late.
    return (middle - theirs).total_seconds() - 0.5
