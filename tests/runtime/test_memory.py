"""Both apps at work in Microsoft's runtime, within the memory of the smallest instance.

The kernel keeps the limit if this process may make control groups. On every machine, the peak that
the kernel notes is compared with the limit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from local import apps, emulators, limits

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path[:0] = [str(BENCHMARKS)]
import instance  # noqa: E402  (found through the line above)

TAKE_80_MB = "print(len(b'x' * 80_000_000))"


@pytest.fixture
def worker(microsoft: apps.Worker, tmp_path: Path) -> Iterator[apps.Worker]:
    """Microsoft's runtime under the limit, or without it if this process may make no group."""
    with contextlib.ExitStack() as stack:
        try:
            groups = stack.enter_context(limits.limited(instance.LIMIT_MB))
        except limits.NotPermittedError:
            yield microsoft
        else:
            python = limits.python_in(groups, microsoft.python, tmp_path)
            yield dataclasses.replace(microsoft, python=python)


def test_a_poll_of_50_000_events_fits(azurite: emulators.Server, worker: apps.Worker) -> None:
    """All are in event files."""
    needed = instance.poll(worker, azurite.settings)
    print(needed)
    assert 50 < needed.peak_mb < instance.LIMIT_MB


def test_a_sweep_of_500_000_rows_fits(
    azurite: emulators.Server, snowflake_settings: Mapping[str, str], worker: apps.Worker
) -> None:
    """All are in ``delete_tracker``."""
    needed = instance.load(worker, azurite.settings, snowflake_settings)
    print(needed)
    assert 50 < needed.peak_mb < instance.LIMIT_MB


def test_the_kernel_ends_a_process_above_the_limit(tmp_path: Path) -> None:
    """If it did not, the tests above would run without a limit."""
    try:
        with limits.limited(60) as groups:
            python = limits.python_in(groups, lambda _: Path(sys.executable), tmp_path)("any")
            ended = subprocess.run([python, "-c", TAKE_80_MB], check=False)
    except limits.NotPermittedError as error:
        pytest.skip(f"not run: the limit of memory: {error}")
    assert ended.returncode == -signal.SIGKILL


def test_the_limits_are_those_of_both_versions_of_control_groups(tmp_path: Path) -> None:
    """A group of version 2 is one folder; version 1 has one for each kind of limit."""
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first / "memory", first / "cpu", second):
        folder.mkdir(parents=True)
    (second / "cgroup.controllers").touch()
    limit = f"{240 * 1024 * 1024}"
    expected = {
        first: {
            "memory.limit_in_bytes": limit,
            "cpu.cfs_period_us": "100000",
            "cpu.cfs_quota_us": "25000",
        },
        second: {"memory.max": limit, "memory.swap.max": "0", "cpu.max": "25000 100000"},
    }
    for root, values in expected.items():
        with limits.limited(240, 0.25, root) as groups:
            found = {it.name: it.read_text() for group in groups for it in group.iterdir()}
            for group in groups:  # the kernel removes its files itself
                for it in group.iterdir():
                    it.unlink()
        assert found == values
        assert not any(group.exists() for group in groups)
    with (
        pytest.raises(limits.NotPermittedError, match="No such file"),
        limits.limited(1, root=tmp_path / "absent"),
    ):
        pass
