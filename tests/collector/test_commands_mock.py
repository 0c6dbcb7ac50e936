"""The operator's command mock: a mock Salesforce with the same settings at each start."""

from __future__ import annotations

import importlib.util
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from local.command_line import command
from local.emulators import free_port
from local.environments import REPOSITORY

from salesforce_client.src.app.mock_salesforce import DEFAULT_TOPICS


@contextmanager
def serving(*options: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own. Ctrl-C ends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "src.app", "mock", *options],
        cwd=REPOSITORY / "salesforce_client",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 0


def printed(process: subprocess.Popen[str]) -> dict[str, str]:
    """The lines NAME=value. stderr follows them."""
    assert process.stdout
    assert process.stderr
    process.stderr.readline()
    lines = [process.stdout.readline().rstrip("\n") for _ in range(9)]
    return dict(line.split("=", 1) for line in lines)


def test_the_mock_prints_settings_that_are_the_same_at_the_next_start(
    tmp_path: Path, blob_settings: Mapping[str, str]
) -> None:
    """A client keeps its settings, and a poll with them works after each start."""
    login, pubsub = free_port(), free_port()
    options = ["--port", str(login), "--pubsub-port", str(pubsub), "--keepalive", "0.2"]
    options += ["--key-file", str(tmp_path / "keys/private_key.pem"), "--interval", "3600"]
    found = []
    for _ in range(2):
        with serving(*options) as process:
            found.append(settings := printed(process))
            assert command({**blob_settings, **settings}, "login").code == 0
    first, second = found
    assert first == second
    assert first["SALESFORCE_LOGIN_URL"] == f"http://127.0.0.1:{login}"
    assert first["SALESFORCE_PUBSUB_ENDPOINT"] == f"http://127.0.0.1:{pubsub}"
    key = Path(first["SALESFORCE_PRIVATE_KEY_FILE"])
    assert key.stat().st_mode & 0o077 == 0


def test_the_mock_tells_a_client_of_another_author_all_that_it_needs(tmp_path: Path) -> None:
    """The JSON has the org and the certificate too. The package for reflection is optional."""
    options = ["--port", "0", "--pubsub-port", "0", "--json", "--key-file", str(tmp_path / "k.pem")]
    with serving(*options, "--tls") as process:
        assert process.stderr
        assert process.stdout
        notes = [process.stderr.readline(), process.stderr.readline()]
        lines = [process.stdout.readline()]
        while lines[-1] != "}\n":
            lines.append(process.stdout.readline())
        told = json.loads("".join(lines))
        assert told["SALESFORCE_LOGIN_URL"].startswith("https://127.0.0.1:")
        assert told["SALESFORCE_TOPICS"] == ",".join(DEFAULT_TOPICS)
        assert "CERTIFICATE" in Path(told["ca_file"]).read_text()
    assert not Path(told["ca_file"]).exists()
    assert notes[0] == f"certificate of the authority: {told['ca_file']}\n"
    assert told["org_id"] in notes[1]
    installed = importlib.util.find_spec("grpc_reflection") is not None
    assert told["reflection"] is installed
    assert ("off, because grpcio-reflection is not installed" in notes[1]) is not installed


@pytest.mark.parametrize("option", ["--port", "--pubsub-port"])
def test_a_port_that_is_taken_is_an_error_of_usage(tmp_path: Path, option: str) -> None:
    """The message names the options."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other = "--pubsub-port" if option == "--port" else "--port"
        ports = [option, str(taken.getsockname()[1]), other, "0"]
        call = command({}, "mock", *ports, "--key-file", str(tmp_path / "k.pem"))
    assert call.code == 2
    assert "name another one with --port or --pubsub-port" in call.err


def test_the_faults_are_listed() -> None:
    """They are those of MOCK_FAULTS."""
    call = command({}, "mock", "--faults")
    assert call.code == 0
    assert "deny_topic: GetTopic returns can_subscribe=false\n" in call.out


def test_an_unknown_fault_is_a_problem_of_the_settings(tmp_path: Path) -> None:
    """The message lists the faults."""
    call = command({}, "mock", "--fault", "explode", "--key-file", str(tmp_path / "k.pem"))
    assert call.code == 2
    assert "the faults are" in call.err
