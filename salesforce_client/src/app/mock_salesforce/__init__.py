"""A mock Salesforce on loopback: a token endpoint that verifies the JWT, Pub/Sub API and REST API.

All serve a deterministic org. The mock returns settings with the names of ``docs/settings.md``.
The collector, or any other client, connects with them and runs its real code.
"""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ..errors import SettingsError
from . import certificate, pubsub_server
from .faults import Faults, UnknownFaultError
from .ids import record_id
from .org import Org
from .pubsub_service import PubSubService
from .rest import RestApi
from .rest_calls import RestCalls
from .token_endpoint import TokenEndpoint

CLIENT_ID = "3MVG9mockConsumerKeyOfTheDeleteTracker"
USERNAME = "delete.tracker@example.com.mock"
PRODUCTION, SANDBOX = "https://login.salesforce.com", "https://test.salesforce.com"
DEFAULT_TOPICS = ("/event/Delete_Event__e", "/data/AccountChangeEvent", "/data/ChangeEvents")
# The user's values of these settings replace those of the mock.
USERS_OWN = ("SALESFORCE_TOPICS", "IDLE_SECONDS")


class MockSalesforce:
    """A context manager that serves an org on free ports of 127.0.0.1.

    Args:
        interval_seconds: the time between two events of the org.
        now: a fixed time for the org's clock. The default is the machine's clock.
            A test may replace ``org.now`` later.
        faults: the faults to switch on, written as in ``MOCK_FAULTS``. ``faults.FAULTS`` lists all.
        tls: serve all ports over TLS. ``ca_file`` is then the path of the authority's certificate.
        keepalive_seconds: a stream sends an empty response after this many seconds of silence.
        batch_size: maximum number of events in one response.
        folder: where the temporary folder for the key and the certificates is created.
            The default is the system's folder for temporary files.
        port: of the token endpoint. By default a free port.
        pubsub_port: of the Pub/Sub API. By default a free port.
        key_file: the private key of the client. It is made if it does not exist. By default it is
            a new key in the temporary folder.
        reflection: answer gRPC's server reflection, if the package grpcio-reflection is installed.
            It is not in the app's requirements.txt, because only people with a tool such as
            grpcurl use it.

    Attributes:
        settings: the settings that a client needs. ``IDLE_SECONDS`` is a little longer than
            ``keepalive_seconds``, so that the collector is soon caught up.
        reflects: whether gRPC's server reflection answers.
    """

    def __init__(
        self,
        interval_seconds: float = 60,
        now: datetime | None = None,
        *,
        faults: str = "",
        tls: bool = False,
        keepalive_seconds: float = 1.0,
        batch_size: int = 100,
        folder: Path | None = None,
        port: int = 0,
        pubsub_port: int = 0,
        key_file: Path | None = None,
        reflection: bool = False,
    ) -> None:
        self._ports = (port, pubsub_port)
        self._key_file = key_file
        self._wants_reflection = reflection
        self.reflects = False
        try:
            self._faults = Faults(faults)
        except UnknownFaultError as error:
            raise SettingsError([f"MOCK_FAULTS {error}"]) from None
        self.org = Org(interval_seconds, (lambda: now) if now else None, self._faults)
        self._tls = tls
        self._keepalive_seconds = keepalive_seconds
        self._batch_size = batch_size
        self._folder = folder
        self._resources = contextlib.ExitStack()
        self.settings: dict[str, str] = {}

    def __enter__(self) -> MockSalesforce:
        with self._resources:
            self._start()
            self._resources = self._resources.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.close()

    def instead_of(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return a copy of ``environ`` with the settings of this mock, and with MOCK_MODE off."""
        own = {name: environ[name] for name in USERS_OWN if environ.get(name, "").strip()}
        return {**environ, **self.settings, **own, "MOCK_MODE": "false"}

    def _start(self) -> None:
        temporary = tempfile.TemporaryDirectory(prefix="mock-salesforce-", dir=self._folder)
        folder = Path(self._resources.enter_context(temporary))
        made = certificate.make() if self._tls else None
        key_file = self._key_file or folder / "private_key.pem"
        key = _key_in(key_file)
        ca_file = folder / "ca.pem"
        if made:
            ca_file.write_bytes(made.authority)
        user = record_id("User", 0)
        audience = SANDBOX if self._faults.on("sandbox") else PRODUCTION
        context = _server_context(made, folder) if made else None
        self.calls = RestCalls(self.org, user, self._faults, lambda: self._service.delivered)
        rest = self._resources.enter_context(
            RestApi(
                self.org,
                self.calls,
                self._has_session,
                self._expire_sessions,
                self._faults,
                context,
            )
        )
        self.tokens = self._resources.enter_context(
            TokenEndpoint(
                self.org.org_id,
                user,
                CLIENT_ID,
                USERNAME,
                audience,
                key.public_key(),
                self._faults,
                rest.url,
                context,
                self._ports[0],
            )
        )
        self.settings = {
            "SALESFORCE_LOGIN_URL": self.tokens.url,
            "SALESFORCE_AUDIENCE": audience,
            "SALESFORCE_CLIENT_ID": CLIENT_ID,
            "SALESFORCE_USERNAME": USERNAME,
            "SALESFORCE_PRIVATE_KEY": "",
            "SALESFORCE_PRIVATE_KEY_FILE": str(key_file),
            "SALESFORCE_PUBSUB_ENDPOINT": self._serve(made),
            "SALESFORCE_TOPICS": ",".join(DEFAULT_TOPICS),
            "IDLE_SECONDS": f"{1.2 * self._keepalive_seconds:g}",
        }
        self.ca_file = str(ca_file) if made else ""

    def _has_session(self, access_token: str) -> bool:
        return self.tokens.has_session(access_token)

    def _expire_sessions(self) -> None:
        self.tokens.expire_tokens()

    def _serve(self, made: certificate.Certificate | None) -> str:
        self._service = PubSubService(
            self.org,
            self.tokens.accepts,
            self.tokens.expire_tokens,
            self._faults,
            self._keepalive_seconds,
            self._batch_size,
        )
        served = pubsub_server.start(
            self._service, self._ports[1], made, with_reflection=self._wants_reflection
        )
        self._resources.callback(served.stop)
        self.reflects = served.reflects
        return served.endpoint


def _key_in(file: Path) -> rsa.RSAPrivateKey:
    """Return the key in the file. If there is no file, make a key and write it."""
    if file.exists():
        found = serialization.load_pem_private_key(file.read_bytes(), None)
        if not isinstance(found, rsa.RSAPrivateKey):
            raise SettingsError([f"{file} holds another key than RSA: remove the file"])
        return found
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return key


def _server_context(made: certificate.Certificate, folder: Path) -> ssl.SSLContext:
    chain, key = folder / "server.pem", folder / "server.key"
    chain.write_bytes(made.chain)
    key.touch(mode=0o600)
    key.write_bytes(made.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context
