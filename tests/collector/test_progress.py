"""The blobs of the checks, in Azurite: progress, entries of a day, members of channels."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from azure.storage.blob import ContainerClient

from salesforce_client.src.app.errors import StorageRefusedError
from salesforce_client.src.app.model.checks import (
    Entry,
    KeptEntries,
    Member,
    Progress,
    StoredProgress,
)
from salesforce_client.src.app.storage.progress import CheckBlobs

ORG = "00D5f000004rDelEAE"
NOW = "2026-11-20T12:00:00.000Z"
FULL = Progress(
    *("Account", NOW, NOW, NOW, NOW, NOW, True, True, {"2026-11-19": NOW}, "why", "failed")
)


@pytest.fixture
def blobs(cursors: ContainerClient) -> Iterator[CheckBlobs]:
    cursors.create_container()
    yield CheckBlobs(cursors)
    cursors.delete_container()


def test_progress_comes_back_as_it_was_stored(blobs: CheckBlobs, cursors: ContainerClient) -> None:
    """The blob is beside the cursors, and names its org."""
    assert blobs.load_progress(ORG, "Account") == StoredProgress(None, None)
    etag = blobs.save_progress(ORG, FULL, None)
    assert etag
    assert blobs.load_progress(ORG, "Account") == StoredProgress(FULL, etag)
    (name,) = cursors.list_blob_names()
    assert name == f"{ORG}/check/Account.json"
    assert json.loads(cursors.download_blob(name).readall())["org_id"] == ORG


def test_progress_of_another_version_is_not_replaced(blobs: CheckBlobs) -> None:
    """Another run was first. A version that is the same as ours counts as ours."""
    first = blobs.save_progress(ORG, FULL, None)
    other = Progress("Account", NOW)
    assert blobs.save_progress(ORG, other, None) is None
    assert blobs.save_progress(ORG, other, "0x0") is None
    assert blobs.load_progress(ORG, "Account").progress == FULL
    assert blobs.save_progress(ORG, FULL, None) == first, "the answer to our request was lost"
    second = blobs.save_progress(ORG, other, first)
    assert second not in (None, first)
    assert blobs.load_progress(ORG, "Account") == StoredProgress(other, second)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'{"object_name": "Account"}',
        b'{"object_name": "Contact", "since": "2026-11-20T12:00:00.000Z"}',
        b'{"object_name": "Account", "since": "soon"}',
        b'{"object_name": "Account", "since": "2026-11-20T12:00:00Z", "listed_again": {"a": "b"}}',
    ],
)
def test_progress_that_cannot_be_read_is_none_and_can_be_replaced(
    raw: bytes, blobs: CheckBlobs, cursors: ContainerClient
) -> None:
    """The whole reach is then listed again, which is harmless."""
    cursors.upload_blob(f"{ORG}/check/Account.json", raw)
    stored = blobs.load_progress(ORG, "Account")
    assert stored.progress is None
    assert stored.etag
    assert blobs.save_progress(ORG, FULL, stored.etag)


def test_progress_of_a_newer_collector_can_be_read(
    blobs: CheckBlobs, cursors: ContainerClient
) -> None:
    """Fields that this version does not know are left out."""
    told = {"object_name": "Account", "since": NOW, "another": 1}
    cursors.upload_blob(f"{ORG}/check/Account.json", json.dumps(told))
    assert blobs.load_progress(ORG, "Account").progress == Progress("Account", NOW)


def test_the_entries_of_a_day_have_a_blob_of_their_own(blobs: CheckBlobs) -> None:
    """Each version is replaced only once. A damaged one counts as empty."""
    assert blobs.load_kept(ORG, "Account", "2026-11-19") == KeptEntries(frozenset(), None)
    entries = [["0015f0000000001AAA", NOW]]
    etag = blobs.save_kept(ORG, "Account", "2026-11-19", json.dumps(entries).encode(), None)
    assert blobs.load_kept(ORG, "Account", "2026-11-19") == KeptEntries(
        frozenset({Entry("0015f0000000001AAA", NOW)}), etag
    )
    assert blobs.save_kept(ORG, "Account", "2026-11-19", b"{}", None) is None
    for raw in (b"[1]", b"[" * 100_000):
        etag = blobs.save_kept(ORG, "Account", "2026-11-19", raw, etag)
        assert blobs.load_kept(ORG, "Account", "2026-11-19") == KeptEntries(frozenset(), etag)


def test_old_days_of_one_object_are_removed(blobs: CheckBlobs, cursors: ContainerClient) -> None:
    """The days within the reach stay, and so does everything else."""
    blobs.save_progress(ORG, FULL, None)
    for name in ("Account", "AccountHistory"):
        for day in ("2026-11-04", "2026-11-05"):
            blobs.save_kept(ORG, name, day, b"[]", None)
    blobs.forget(ORG, "Account", "2026-11-05")
    assert sorted(cursors.list_blob_names()) == [
        f"{ORG}/check/Account.json",
        f"{ORG}/check/Account/2026-11-05.json",
        f"{ORG}/check/AccountHistory/2026-11-04.json",
        f"{ORG}/check/AccountHistory/2026-11-05.json",
    ]


def test_the_members_of_channels_are_stored_with_their_time(
    blobs: CheckBlobs, cursors: ContainerClient
) -> None:
    """None stands for members that the user may not read."""
    assert blobs.load_members(ORG) == (None, None)
    members = [Member("My__chn", "Account", True), Member("My__chn", None, False)]
    blobs.save_members(ORG, members, NOW)
    assert blobs.load_members(ORG) == (members, NOW)
    blobs.save_members(ORG, None, NOW)
    assert blobs.load_members(ORG) == (None, NOW)


@pytest.mark.parametrize(
    "raw",
    [
        b"[",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        b'{"members": []}',
        b'{"members": [], "asked_at": 5}',
        b'{"members": [5], "asked_at": "2026-11-20T12:00:00.000Z"}',
        b'{"members": ["abc"], "asked_at": "2026-11-20T12:00:00.000Z"}',
        b'{"members": [["My__chn", "Account"]], "asked_at": "2026-11-20T12:00:00.000Z"}',
        b'{"members": [[5, "Account", true]], "asked_at": "2026-11-20T12:00:00.000Z"}',
        b'{"members": [["My__chn", 5, true]], "asked_at": "2026-11-20T12:00:00.000Z"}',
    ],
)
def test_members_that_cannot_be_read_count_as_not_stored(
    raw: bytes, blobs: CheckBlobs, cursors: ContainerClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The next check asks for them again, and the log says why."""
    cursors.upload_blob(f"{ORG}/check/channels.json", raw)
    assert blobs.load_members(ORG) == (None, None)
    assert "channels=unreadable reason=" in caplog.text


def test_the_numbers_of_calls_are_stored_for_the_whole_org(
    blobs: CheckBlobs, cursors: ContainerClient
) -> None:
    """No poll overwrites what another one has counted. Damaged numbers count as none."""
    assert blobs.load_calls(ORG) == ({}, None)
    etag = blobs.save_calls(ORG, {NOW: 35}, None)
    assert blobs.load_calls(ORG) == ({NOW: 35}, etag)
    assert blobs.save_calls(ORG, {NOW: 1}, None) is None
    at = b'{"2026-11-20T12:00:00.000Z": '
    for damaged in (b"[", b"[1]", b'{"soon": 1}', at + b'"many"}', at + b"1e999}", b"[" * 100_000):
        cursors.upload_blob(f"{ORG}/check/calls.json", damaged, overwrite=True)
        found, etag = blobs.load_calls(ORG)
        assert found == {}
        assert etag
    assert blobs.save_calls(ORG, {}, etag)


def test_a_container_that_is_gone_is_an_error_that_names_the_blob(
    blobs: CheckBlobs, cursors: ContainerClient
) -> None:
    """It is not taken for progress that is not there yet."""
    cursors.delete_container()
    with pytest.raises(StorageRefusedError, match=r"progress of the checks 00D.*/check/Account"):
        blobs.load_progress(ORG, "Account")
    cursors.create_container()
