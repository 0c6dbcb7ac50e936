"""Addresses in the settings: which are accepted, and what is said of the others."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_client.src.app import addresses
from salesforce_client.src.app.addresses import fault_of_blob_uri, fault_of_connection_string

KEY = "RXZlcnlib2R5IGtub3dzIHRoaXMga2V5IQ=="
SAS = "sv=2025-01-05&ss=b&srt=co&sp=rwlc&sig=c2VjcmV0"
NO_STRING = "is not a storage connection string (Name=value;…)"
WORDS = st.text(string.ascii_lowercase, min_size=3, max_size=12)


@pytest.mark.parametrize(
    "uri",
    [
        "https://account.blob.core.windows.net",
        "https://account.blob.core.windows.net/",
        "https://account.blob.core.windows.net:443",
        "https://account.z01.blob.storage.azure.net",
        "https://account.privatelink.blob.core.windows.net",
        "https://account.blob.core.usgovcloudapi.net",
        "https://deletes.example.com",
        "https://127.0.0.1:10000/devstoreaccount1",
        "https://localhost:10000/devstoreaccount1",
        "https://[::1]:10000/devstoreaccount1",
    ],
)
def test_the_url_of_a_blob_service_is_accepted(uri: str) -> None:
    """Clouds and private endpoints have other domains. The emulator has the account in the path."""
    assert fault_of_blob_uri(uri) == ""


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("account", "must be {uri}, not 'account'"),
        (
            "http://account.blob.core.windows.net",
            "must be {uri}, not 'http://account.blob.core.windows.net'",
        ),
        ("https://", "must be {uri}, not 'https://'"),
        (
            "AccountName=a;AccountKey=hush",
            "is a connection string: set EVENTS_STORAGE instead",
        ),
        (
            "BlobEndpoint=https://a.example.com;SharedAccessSignature=hush",
            "is a connection string: set EVENTS_STORAGE instead",
        ),
        ("https://[::1", "must be {uri}, not 'https://[::1'"),
        (
            "https://account.blob.core.windows.net/events",
            "must be {uri} without path, not 'https://account.blob.core.windows.net/events'",
        ),
        (
            "https://me:hush@account.blob.core.windows.net",
            "must be {uri} without user and password, not"
            " 'https://…@account.blob.core.windows.net'",
        ),
        (
            "https://account.blob.core.windows.net/?comp=list#a",
            "must be {uri} without query and fragment, not"
            " 'https://account.blob.core.windows.net/?…'",
        ),
        (
            "https://127.0.0.1/devstoreaccount1?a",
            "must be {uri} without path and query, not 'https://127.0.0.1/devstoreaccount1?…'",
        ),
        (
            "https://me@127.0.0.1/devstoreaccount1",
            "must be {uri} without user and password and path, not"
            " 'https://…@127.0.0.1/devstoreaccount1'",
        ),
        (
            f"https://account.blob.core.windows.net/events?{SAS}",
            "has a SAS: remove it and set EVENTS_STORAGE to"
            " BlobEndpoint=<URL>;SharedAccessSignature=<text after the ?>",
        ),
        (
            "https://account.blob.core.windows.net/?sig=c2VjcmV0",
            "has a SAS: remove it and set EVENTS_STORAGE to"
            " BlobEndpoint=<URL>;SharedAccessSignature=<text after the ?>",
        ),
        (
            "https://Account.dfs.core.windows.net/events",
            "names the dfs endpoint: write https://account.blob.core.windows.net",
        ),
        (
            "https://account.z01.queue.storage.azure.net",
            "names the queue endpoint: write https://account.z01.blob.storage.azure.net",
        ),
        (
            "https://account.blob.core.windows.net:0",
            "has the port 0: a port is a number from 1 to 65535",
        ),
    ],
)
def test_another_url_is_refused_with_the_right_form(uri: str, fault: str) -> None:
    """Neither a password nor a signature is quoted."""
    assert fault_of_blob_uri(uri) == fault.format(uri="https://<account>.blob.core.windows.net")


@pytest.mark.parametrize("service", ["dfs", "file", "queue", "table", "web"])
def test_each_other_service_of_the_account_is_known(service: str) -> None:
    """The portal lists their addresses beside the right one."""
    host = f"account.{service}.core.windows.net"
    right = f"names the {service} endpoint: write https://account.blob.core.windows.net"
    assert fault_of_blob_uri(f"https://{host}") == right
    string = f"BlobEndpoint=https://{host}/;SharedAccessSignature={SAS}"
    assert fault_of_connection_string(string) == right


@pytest.mark.parametrize(
    "text",
    [
        "UseDevelopmentStorage=true",
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY};EndpointSuffix=example.net",
        f"AccountName=a;AccountKey={KEY};",
        f"accountname=a;accountkey={KEY}",
        f"AccountName=a;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/a;",
        f"AccountName=a;SharedAccessSignature={SAS}",
        "AccountName=a;SharedAccessSignature=X",
        f"BlobEndpoint=https://a.blob.core.windows.net/;SharedAccessSignature=?{SAS}",
        f"BlobEndpoint=http://azurite:10000/a;AccountName=a;AccountKey={KEY}",
    ],
)
def test_a_connection_string_with_an_account_and_a_key_or_a_sas_is_accepted(text: str) -> None:
    """These are the forms of the portal, of the emulator and of a SAS."""
    assert fault_of_connection_string(text) == ""


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("my-account", NO_STRING),
        ("X", NO_STRING),
        ("AccountName", NO_STRING),
        (KEY, NO_STRING),
        ("UseDevelopmentStorage=yes", NO_STRING),
        (f"AccountName=a;AccountKey={KEY};rest", NO_STRING),
        ("AccountName=;AccountKey=", NO_STRING),
        (f"SharedAccessSignature={SAS}", "names no account: add AccountName=… or BlobEndpoint=…"),
        (f"AccountKey={KEY}", "names no account: add AccountName=… or BlobEndpoint=…"),
        ("AccountName=a", "has no key: add AccountKey=… or SharedAccessSignature=…"),
        ("AccountName=a;AccountKey=", "has no key: add AccountKey=… or SharedAccessSignature=…"),
        (
            "BlobEndpoint=https://a.blob.core.windows.net",
            "has no key: add AccountKey=… or SharedAccessSignature=…",
        ),
        (
            f"BlobEndpoint=https://a.blob.core.windows.net;AccountKey={KEY}",
            "has AccountKey, but no account for it: add AccountName=…",
        ),
        *(
            (
                f"AccountName=a;AccountKey={key}",
                "has an AccountKey that is cut off or changed: copy the connection string again",
            )
            for key in (KEY[:-1], f"{KEY[:5]} {KEY[5:]}", "<key>")
        ),
        (f'"AccountName=a;AccountKey={KEY}"', "is in quotes: remove them"),
        (f"'AccountName=a;AccountKey={KEY}'", "is in quotes: remove them"),
        *(
            (
                f"{scheme}://a.blob.core.windows.net/?{SAS}",
                "is a URL: set EVENTS_STORAGE__blobServiceUri instead, or with a SAS write"
                " BlobEndpoint=<URL>;SharedAccessSignature=<text after the ?>",
            )
            for scheme in ("http", "https")
        ),
        (
            f"BlobEndpoint=a.blob.core.windows.net;SharedAccessSignature={SAS}",
            "has a BlobEndpoint that is no URL: 'a.blob.core.windows.net'",
        ),
        (
            f"BlobEndpoint=ftp://a.example.com;SharedAccessSignature={SAS}",
            "has a BlobEndpoint that is no URL: 'ftp://a.example.com'",
        ),
        *(
            (
                f"BlobEndpoint={endpoint};SharedAccessSignature={SAS}",
                f"has a BlobEndpoint with more than host and path: '{shown}'",
            )
            for endpoint, shown in (
                ("https://me:hush@a.example.com", "https://…@a.example.com"),
                ("https://a.example.com?sig=hush", "https://a.example.com?…"),
                ("https://a.example.com#top", "https://a.example.com#top"),
            )
        ),
        (
            f"AccountName=a;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:70000/a",
            "has the port 70000: a port is a number from 1 to 65535",
        ),
    ],
)
def test_another_connection_string_is_refused_with_what_is_missing(text: str, fault: str) -> None:
    """The client would report it in other words, or only when it connects."""
    assert fault_of_connection_string(text) == fault


@given(WORDS, WORDS, st.sampled_from(["", "?x=1"]))
def test_a_password_is_never_quoted(user: str, host: str, query: str) -> None:
    """A password may have any of the characters that divide a URL."""
    for secret in ("hush", "hu/hush", "hu?hush", "hu@hush", "hu#hush", "hu:hush"):
        for scheme in ("https://", "http://", ""):
            url = f"{scheme}{user}:{secret}@{host}.net{query}"
            assert "hush" not in addresses.shown(url)
            assert "hush" not in fault_of_blob_uri(url)
            string = f"BlobEndpoint={url};SharedAccessSignature=hush"
            assert "hush" not in fault_of_connection_string(string)


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN PRIVATE KEY-----\nhush",
        "AccountName=a;AccountKey=hush",
        "accountkey=hush",
        "sv=1&sig=hush",
        "sig=hush",
    ],
)
def test_a_key_in_the_wrong_setting_is_not_quoted(secret: str) -> None:
    """People swap two settings."""
    assert addresses.shown(secret) == "a text that seems to hold a key"


def test_a_long_text_is_cut_off() -> None:
    """A message stays readable."""
    assert addresses.shown("a" * 100) == f"'{'a' * 100}'"
    assert addresses.shown("a" * 101) == f"'{'a' * 100}…'"


@given(WORDS, WORDS, st.permutations([0, 1, 2]))
def test_a_connection_string_is_accepted_in_any_order(
    name: str, suffix: str, order: list[int]
) -> None:
    """The client reads the parts in any order."""
    parts = [f"AccountName={name}", f"AccountKey={KEY}", f"EndpointSuffix={suffix}"]
    assert fault_of_connection_string(";".join(parts[i] for i in order)) == ""


@pytest.mark.parametrize("text", ["1", "443", "65535"])
def test_a_port_is_a_number_from_1_to_65535(text: str) -> None:
    """These are the bounds of TCP."""
    assert addresses.is_port(text)


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "0065536", "99999999999", "-1", "+1", "1.0", "http", "²", "80:80"]
)
def test_any_other_text_is_no_port(text: str) -> None:
    """Also a number with a sign, a fraction or too many digits."""
    assert not addresses.is_port(text)


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://host:70000", "70000"),
        ("https://host:443:443", "443:443"),
        ("https://[::1]:0", "0"),
        ("https://me:hush@host:0", "0"),
    ],
)
def test_the_port_that_a_url_cannot_have_is_named(url: str, port: str) -> None:
    """Everything after the first colon of host and port counts. A password is not quoted."""
    parts = addresses.split(url)
    assert parts is not None
    fault = f"has the port {port}: a port is a number from 1 to 65535"
    assert addresses.fault_of_port(parts) == fault


@pytest.mark.parametrize("url", ["https://host", "https://[::1]", "https://me:hush@host:443/a:b"])
def test_a_url_may_have_no_port(url: str) -> None:
    """The colons of an address, a password or a path are none of a port."""
    parts = addresses.split(url)
    assert parts is not None
    assert addresses.fault_of_port(parts) == ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_this_machine_has_some_addresses(host: str) -> None:
    """All of 127.0.0.0/8 is this machine."""
    assert addresses.is_loopback(host)


@pytest.mark.parametrize("host", [None, "", "127.0.0.1.example.com", "10.0.0.1", "localhost.net"])
def test_no_other_host_is_this_machine(host: str | None) -> None:
    """A name that only begins like one of them is another machine."""
    assert not addresses.is_loopback(host)
