"""The way to Salesforce: proxies and certificate authorities, the same for login and Pub/Sub API.

Sources: the documentation of requests, "Proxies" and "SSL Cert Verification"; gRPC's guide "Default
HTTP Proxy Mapper". The texts of errors were seen with requests 2.32 and 2.34, grpcio 1.59 (which
some Functions workers bring), 1.80 and 1.85.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from ..errors import NetworkRefusedError

# How requests and gRPC report the answer of a proxy that makes no tunnel.
ANSWER_OF_PROXY = re.compile(r"(?:Tunnel connection failed:|proxy returned response code) (\d{3})")
# How gRPC reports an answer of HTTP alone.
ANSWER_WITHOUT_GRPC = re.compile(r"Received http2 header with status: (\d{3})")
# The same request may succeed a little later (RFC 9110, RFC 8470, RFC 6585): a time-out, an early
# request, too many requests. So may any request that the server itself could not handle (5xx).
TEMPORARY = (408, 425, 429)
OTHER_HOST = (
    "Hostname mismatch",
    "Hostname Verification Check failed",
    "is not in peer certificate",
)
OTHER_PROTOCOL = ("WRONG_VERSION_NUMBER", "missing selected ALPN property")


class Route(NamedTuple):
    """How to reach one host.

    Attributes:
        host: the host, with its port if that is given.
        setting: the setting that names the host.
        proxy: URL of the proxy. Empty if there is none. It may contain a password.
        ca_file: path of a PEM file with the trusted certificate authorities. If it is empty, the
            client uses its own.
    """

    host: str = ""
    setting: str = ""
    proxy: str = ""
    ca_file: str = ""

    @property
    def proxy_name(self) -> str:
        """Host and port of the proxy, without its password."""
        return _host_of(self.proxy)

    @property
    def through(self) -> str:
        """Ends the sentence about a failed connection. Empty if there is no proxy."""
        return f" (through the proxy {self.proxy_name})" if self.proxy else ""

    def cure(self, reason: str) -> str:
        """What a person must do about a failed connection. Empty if a retry may help.

        Args:
            reason: the text of the client's error.
        """
        if answer := ANSWER_OF_PROXY.search(reason):
            return self.cure_of_status(int(answer[1]))
        if any(words in reason for words in OTHER_HOST):
            return f"the certificate is that of another host: check {self.setting}"
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            return self._cure_of_certificate()
        if any(words in reason for words in OTHER_PROTOCOL) or _refused_without_grpc(reason):
            return (
                f"this was not the answer of {self.host}: check {self.setting}, and whether a proxy"
                " or firewall inspects the connection"
            )
        return ""

    def cure_of_status(self, status: int) -> str:
        """What a person must do if a proxy answers with this HTTP status. Empty if it is temporary.

        Args:
            status: the status. Salesforce itself has not answered.
        """
        if is_temporary(status):
            return ""
        who = f"the proxy {self.proxy_name}" if self.proxy else "a proxy or firewall on the way"
        if status == 407:
            return (
                f"{who} wants a login: write user and password into HTTPS_PROXY"
                " (http://<user>:<password>@<host>:<port>)"
            )
        return (
            f"{who} refuses the connection: allow {self.host} there, or name it in NO_PROXY if it"
            " can be reached directly"
        )

    def _cure_of_certificate(self) -> str:
        if self.ca_file:
            return (
                "the certificate was not issued by an authority in the file of REQUESTS_CA_BUNDLE"
                " or SSL_CERT_FILE: add the authority to this file"
            )
        return (
            "the certificate was not issued by a known authority: if your company inspects TLS, set"
            " REQUESTS_CA_BUNDLE to a PEM file with its authority"
        )


def is_temporary(status: int) -> bool:
    """Whether an HTTP status says that the same request may succeed a little later."""
    return status in TEMPORARY or status >= 500


def route_to(url: str, setting: str, ca_file: str = "") -> Route:
    """The route to the host of a URL.

    The environment variables HTTPS_PROXY, ALL_PROXY and NO_PROXY count, in capitals or not, by the
    rules of requests. A host on this machine is always reached directly.

    Args:
        url: the URL. Only its scheme, host and port count.
        setting: the setting that names the host, for messages.
        ca_file: see ``Route``.

    Raises:
        NetworkRefusedError: HTTPS_PROXY is malformed, or of a kind that gRPC does not know.
    """
    host = _host_of(url)
    if _is_this_machine(urlsplit(url).hostname or ""):
        return Route(host, setting, "", ca_file)
    found = select_proxy(url, get_environ_proxies(url)) or ""
    return Route(host, setting, _proxy(found, host) if found else "", ca_file)


def _proxy(found: str, host: str) -> str:
    """The URL of a proxy in the form that both clients understand alike."""
    parts = urlsplit(found if "://" in found else f"http://{found}")
    try:
        name, port = parts.hostname, parts.port or 80  # requests' default; gRPC's is another one
    except ValueError:
        name, port = None, 0
    if not name:
        raise NetworkRefusedError(
            f"{host}: HTTPS_PROXY is not the URL of a proxy: write http://<host>:<port>"
        )
    if parts.scheme != "http":
        raise NetworkRefusedError(
            f"{host}: HTTPS_PROXY names the proxy {_host_of(found)} with {parts.scheme}://, which"
            " gRPC does not support: write http://"
        )
    login, at, _ = parts.netloc.rpartition("@")
    return f"http://{login}{at}{f'[{name}]' if ':' in name else name}:{port}"


def _host_of(url: str) -> str:
    """Host and port of a URL, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _refused_without_grpc(reason: str) -> bool:
    answer = ANSWER_WITHOUT_GRPC.search(reason)
    return answer is not None and not is_temporary(int(answer[1]))


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
