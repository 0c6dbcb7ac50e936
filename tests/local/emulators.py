"""Starts Azurite and the stand-in for Snowflake on loopback, with their settings; ends both."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from . import environments, node, signals

# Published by Microsoft: the key of every Azurite.
AZURITE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
TESTS = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 3  # then SIGKILL: Azurite would wait until idle connections close


@dataclass(frozen=True)
class Server:
    """A running emulator. With ``settings`` an app connects to it."""

    port: int
    pid: int
    settings: Mapping[str, str]


def connection_string(port: int) -> str:
    """Return the connection string of an Azurite on this port."""
    endpoint = f"http://127.0.0.1:{port}/devstoreaccount1"
    return (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={AZURITE_KEY};"
        f"BlobEndpoint={endpoint};"
    )


@contextlib.contextmanager
def azurite(
    port: int = 0,
    identity: tuple[Path, Path] | None = None,
    *,
    on_disk: bool = False,
    node_options: Sequence[str] = (),
) -> Iterator[Server]:
    """Run Azurite's Blob service, empty, in memory or in a temporary folder.

    With ``identity``, a certificate and its key, it serves TLS and accepts access tokens.
    """
    port = port or free_port()
    by_identity = (
        ["--oauth", "basic", "--cert", str(identity[0]), "--key", str(identity[1])]
        if identity
        else []
    )
    options = [
        "--silent",
        "--skipApiVersionCheck",
        "--disableTelemetry",
        *([] if on_disk else ["--inMemoryPersistence"]),
    ]
    address = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with process(
        "Azurite", [*node.azurite(node_options), *options, *address, *by_identity], port
    ) as pid:
        uri = {
            "EVENTS_STORAGE": "",
            "EVENTS_STORAGE__blobServiceUri": f"https://127.0.0.1:{port}/devstoreaccount1",
        }
        yield Server(port, pid, uri if identity else {"EVENTS_STORAGE": connection_string(port)})


@contextlib.contextmanager
def snowflake(port: int = 0, threads: int | None = None) -> Iterator[Server]:
    """Run the stand-in for Snowflake. All connections share one empty account in memory.

    Args:
        port: where it listens. 0 is a free port.
        threads: how many threads run a statement. None is one for each core.
    """
    port = port or free_port()
    command = [str(environments.group("fakesnow")), "-m", "local.snowflake", str(port)]
    command += [str(threads)] if threads else []
    with process("snowflake", command, port, {"PYTHONPATH": str(TESTS)}) as pid:
        yield Server(port, pid, snowflake_settings(port))


def snowflake_settings(port: int) -> dict[str, str]:
    """Return the settings of the stand-in on this port."""
    return {
        "SNOWFLAKE_ACCOUNT": "local",
        "SNOWFLAKE_USER": "local",
        "SNOWFLAKE_PASSWORD": "local",
        "SNOWFLAKE_WAREHOUSE": "delete_sync_wh",
        "SNOWFLAKE_DATABASE": "audit",
        "SNOWFLAKE_SCHEMA": "salesforce",
        "SNOWFLAKE_HOST": "127.0.0.1",
        "SNOWFLAKE_PORT": str(port),
        "SNOWFLAKE_PROTOCOL": "http",
    }


def free_port() -> int:
    """Return a port of 127.0.0.1 that no process listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def in_use(port: int) -> bool:
    """Whether a program listens on this port of 127.0.0.1, or of all addresses."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    with socket.socket() as probe:
        # Connections that have ended occupy a port for a while, and hinder nobody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


@contextlib.contextmanager
def process(
    name: str,
    command: Sequence[str],
    port: int,
    environment: Mapping[str, str] = MappingProxyType({}),
    cwd: Path | None = None,
) -> Iterator[int]:
    """Start a server process, wait until it listens on its port, and yield its process id.

    It runs in a temporary folder, unless ``cwd`` is another one. If it ends before it listens, for
    example because another program has the port, its output is in the error.

    At the end, also on Ctrl-C, the server ends with every process that it started.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{name.lower()}-"))
        output = Path(folder) / "output"
        with output.open("w") as log, signals.held():
            process = subprocess.Popen(
                command,
                cwd=cwd or folder,
                env={**os.environ, "TMPDIR": folder, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
            stack.callback(_end, process)
        _wait(name, process, port, output)
        yield process.pid


def _wait(name: str, process: subprocess.Popen[bytes], port: int, output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(
                f"{name} ended with exit code {process.returncode} before it opened its port:\n"
                f"{output.read_text()[-2000:]}"
            )
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            if _listens(process.pid, port):
                return
        time.sleep(0.05)
    raise RuntimeError(
        f"{name} did not open port {port} within {START_SECONDS} s:\n{output.read_text()[-2000:]}"
    )


def _listens(session: int, port: int) -> bool:
    """Whether a process of this session listens on the port, and not another program.

    Without Linux' ``/proc`` nobody can tell, so every listener counts.
    """
    if not Path("/proc/net/tcp").exists():
        return True
    tables = [path for path in map(Path, ("/proc/net/tcp", "/proc/net/tcp6")) if path.exists()]
    lines = [line.split() for table in tables for line in table.read_text().splitlines()[1:]]
    listening = {
        f"socket:[{line[9]}]"
        for line in lines
        if line[3] == "0A" and int(line[1].rpartition(":")[2], 16) == port
    }
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or another user owns it
            if os.getsid(int(folder.name)) == session:
                files = {str(link.readlink()) for link in (folder / "fd").iterdir()}
                if files & listening:
                    return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def connections_to(port: int) -> int:
    """Count the connections of this process to a port of this machine."""
    own = {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established = [
        line for line in table if line[3] == "01" and int(line[2].partition(":")[2], 16) == port
    ]
    return sum(f"socket:[{line[9]}]" in own for line in established)
