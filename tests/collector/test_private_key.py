"""The private key in what people store: found in every form that tools make, or what is there."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from salesforce_client.src.app.private_key import (
    NOTHING,
    PrivateKey,
    PrivateKeyError,
    load_private_key,
)

DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
PKCS8 = serialization.PrivateFormat.PKCS8
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
OPENSSH = serialization.PrivateFormat.OpenSSH
NO_ENCRYPTION = serialization.NoEncryption()
ENCRYPTION = serialization.BestAvailableEncryption(b"sesame")
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)
ELLIPTIC = ec.generate_private_key(ec.SECP384R1())
PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo
NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "delete tracker")])
NOW = datetime.datetime(2026, 2, 1, tzinfo=datetime.timezone.utc)
CERTIFICATE = (
    x509.CertificateBuilder(NAME, NAME, KEY.public_key(), 1, NOW, NOW + datetime.timedelta(1))
).sign(KEY, hashes.SHA256())
REQUEST = x509.CertificateSigningRequestBuilder(NAME).sign(KEY, hashes.SHA256())
FORMS = {
    "PKCS8": KEY.private_bytes(PEM, PKCS8, NO_ENCRYPTION),
    "traditional": KEY.private_bytes(PEM, TRADITIONAL, NO_ENCRYPTION),
    "OpenSSH": KEY.private_bytes(PEM, OPENSSH, NO_ENCRYPTION),
}
TEXT = FORMS["PKCS8"].decode()
ENCRYPTED = KEY.private_bytes(PEM, PKCS8, ENCRYPTION).decode()
WITH_HEADERS = KEY.private_bytes(PEM, TRADITIONAL, ENCRYPTION).decode()
CERTIFICATE_TEXT = CERTIFICATE.public_bytes(PEM).decode()
PUBLIC_TEXT = KEY.public_key().public_bytes(PEM, PUBLIC).decode()
BAG = (
    "Bag Attributes\n    friendlyName: delete tracker\n    localKeyID: 54 69 6D\n"
    "subject=CN = delete tracker\n\nissuer=CN = delete tracker\n\n"
)
STORE = "store the private key"


def is_key(found: PrivateKey, key: PrivateKey = KEY) -> bool:
    return found.private_numbers() == key.private_numbers()


def problem(content: bytes | str, **options: Any) -> str:
    with pytest.raises(PrivateKeyError) as raised:
        load_private_key(content if isinstance(content, bytes) else content.encode(), **options)
    return str(raised.value)


@st.composite
def as_people_store_it(draw: st.DrawFn) -> str:
    """A PEM after the treatment of settings forms, shells, editors and mail programs."""
    label, body = draw(
        st.sampled_from(
            [
                (lines[0], "".join(lines[1:-1]))
                for lines in (pem.decode().splitlines() for pem in FORMS.values())
            ]
        )
    )
    width = draw(st.sampled_from([48, 64, 70, 76, 5000]))
    wrapped = [body[at : at + width] for at in range(0, len(body), width)]
    indent = draw(st.sampled_from(["", " ", "    ", "\t", "\u00a0"]))
    before = draw(st.sampled_from(["", CERTIFICATE_TEXT, PUBLIC_TEXT, BAG, BAG + CERTIFICATE_TEXT]))
    after = draw(st.sampled_from(["", "\n\n", CERTIFICATE_TEXT, "# the end"]))
    lines = [label, *wrapped, label.replace("BEGIN", "END")]
    text = before + "".join(f"{indent}{line}\n" for line in lines) + after
    end = draw(
        st.sampled_from(["\n", "\r\n", " ", "", "\n\n", "\\n", "\\r\\n", "\\\\n", "\\\\\\\\n"])
    )
    text = text.replace("\n", end)
    if draw(st.booleans()):
        text = json.dumps(text, ensure_ascii=False)
    return text


@given(text=as_people_store_it(), layer=st.sampled_from(["none", "base64", "lines", "UTF-16"]))
@settings(deadline=None)
def test_a_pem_is_found_however_it_is_wrapped_escaped_indented_or_surrounded(
    text: str, layer: str
) -> None:
    """Certificates, public keys and the attributes of a PKCS#12 dump may surround it."""
    content = {
        "none": text.encode(),
        "base64": base64.b64encode(text.encode()),
        "lines": base64.encodebytes(text.encode()),
        "UTF-16": text.encode("utf-16"),
    }[layer]
    assert is_key(load_private_key(content))


@pytest.mark.parametrize("form", [PKCS8, TRADITIONAL])
@pytest.mark.parametrize("key", [KEY, ELLIPTIC], ids=["RSA", "elliptic"])
def test_a_der_is_found_alone_and_in_base64(
    form: serialization.PrivateFormat, key: PrivateKey
) -> None:
    """Base64 of a DER is the body of a PEM without its BEGIN and END lines."""
    der = key.private_bytes(DER, form, NO_ENCRYPTION)
    for content in (der, base64.b64encode(der), base64.encodebytes(der)):
        assert is_key(load_private_key(content, elliptic=True), key)


@pytest.mark.parametrize("in_base64", [False, True])
@pytest.mark.parametrize("passphrase", ["", "sesame"])
def test_a_pkcs12_file_has_its_key_taken_out(passphrase: str, in_base64: bool) -> None:
    """Key Vault stores certificates in this form, without a passphrase."""
    encryption = ENCRYPTION if passphrase else NO_ENCRYPTION
    file = pkcs12.serialize_key_and_certificates(b"x", KEY, CERTIFICATE, None, encryption)
    content = base64.b64encode(file) if in_base64 else file
    assert is_key(load_private_key(content, passphrase=passphrase, passphrase_name="PASS"))
    if passphrase:
        assert problem(content) == (
            "is a PKCS#12 file that does not open: take the key out"
            " (openssl pkcs12 -in <file> -nodes -nocerts -out key.pem)"
        )


def test_a_pkcs12_file_without_a_key_says_so() -> None:
    """It holds only certificates."""
    file = pkcs12.serialize_key_and_certificates(b"x", None, CERTIFICATE, None, NO_ENCRYPTION)
    assert problem(file) == f"is a PKCS#12 file without a private key: {STORE}"


ENCRYPTED_FORMS = {
    "PKCS8": ENCRYPTED.encode(),
    "DER": KEY.private_bytes(DER, PKCS8, ENCRYPTION),
    "headers": WITH_HEADERS.encode(),
    "headers, escaped": WITH_HEADERS.replace("\n", "\\n").encode(),
    "headers, one line": WITH_HEADERS.replace("\n", " ").encode(),
    "headers, indented": WITH_HEADERS.replace("\n", "\r\n    ").encode(),
}


@pytest.mark.parametrize("content", ENCRYPTED_FORMS.values(), ids=ENCRYPTED_FORMS)
def test_an_encrypted_key_opens_with_its_passphrase_only(content: bytes) -> None:
    """The message names the setting of the passphrase, if the app has one."""
    assert is_key(load_private_key(content, passphrase="sesame", passphrase_name="PASS"))
    assert problem(content, passphrase="open", passphrase_name="PASS") == "does not open with PASS"
    assert problem(content, passphrase_name="PASS") == "is encrypted: it needs PASS"
    assert problem(content) == "is encrypted: store it without a passphrase"


@pytest.mark.parametrize("form", [TEXT.encode(), KEY.private_bytes(DER, PKCS8, NO_ENCRYPTION)])
def test_a_passphrase_that_the_key_does_not_need_is_reported(form: bytes) -> None:
    """Perhaps another key was meant."""
    assert problem(form, passphrase="sesame", passphrase_name="PASS") == "needs no PASS"


@pytest.mark.parametrize("copies", [2, 3])
def test_the_same_key_twice_is_one_key(copies: int) -> None:
    """A file may have been appended to itself."""
    assert is_key(load_private_key((TEXT * copies).encode()))


def test_two_different_keys_are_not_chosen_from() -> None:
    """The wrong choice would look like a refused login."""
    other = OTHER.private_bytes(PEM, PKCS8, NO_ENCRYPTION).decode()
    assert problem(TEXT + other) == "holds 2 private keys: store only one of them"


def unknown_curve() -> bytes:
    """A key on an elliptic curve, with another last number in the name of the curve."""
    der = ec.generate_private_key(ec.SECP256R1()).private_bytes(DER, PKCS8, NO_ENCRYPTION)
    return der.replace(bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030106"))


DAMAGED = "holds a private key that is damaged or incomplete: store it again"
NOT_RSA = "holds a key that is not RSA: create an RSA key of at least 2048 bits"
OTHERS = {
    "a certificate": (CERTIFICATE_TEXT, f"holds BEGIN CERTIFICATE, but no private key: {STORE}"),
    "a public key": (PUBLIC_TEXT, f"holds BEGIN PUBLIC KEY, but no private key: {STORE}"),
    "both, twice": (
        (CERTIFICATE_TEXT + PUBLIC_TEXT) * 2,
        f"holds BEGIN CERTIFICATE and BEGIN PUBLIC KEY, but no private key: {STORE}",
    ),
    "a certificate in base64": (
        base64.b64encode(CERTIFICATE_TEXT.encode()),
        f"holds BEGIN CERTIFICATE, but no private key: {STORE}",
    ),
    "a certificate as DER": (
        CERTIFICATE.public_bytes(DER),
        f"holds a certificate, but no private key: {STORE}",
    ),
    "a certificate under the label of a key": (
        CERTIFICATE_TEXT.replace("CERTIFICATE", "PRIVATE KEY"),
        f"holds a certificate, but no private key: {STORE}",
    ),
    "a request as DER": (
        REQUEST.public_bytes(DER),
        f"holds a certificate request, but no private key: {STORE}",
    ),
    "a public key as DER": (
        KEY.public_key().public_bytes(DER, PUBLIC),
        f"holds a public key, but no private key: {STORE}",
    ),
    "a Java keystore": (
        b"\xfe\xed\xfe\xed\0\0\0\2",
        "is a Java keystore: convert it (keytool -importkeystore … -deststoretype PKCS12), then"
        " take the key out (openssl pkcs12 -in <file> -nodes -nocerts -out key.pem)",
    ),
    "PuTTY": (
        "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n",
        "holds a key in PuTTY's form: export it with PuTTYgen (Conversions, Export OpenSSH key)",
    ),
    "garbage": ("garbage", NOTHING),
    "a path": ("/home/me/delete_tracker.key", NOTHING),
    "nothing": ("", NOTHING),
    "base64 of other text": (base64.b64encode(b"not a key"), NOTHING),
    "a stray character": (f"!{base64.b64encode(TEXT.encode()).decode()}", NOTHING),
    "other bytes": (b"\x81\xff", DAMAGED),
    "cut off": (TEXT[:600], "holds a PEM that is cut off: its END line is missing"),
    "cut off in base64": (
        base64.b64encode(TEXT[:600].encode()),
        "holds a PEM that is cut off: its END line is missing",
    ),
    "another END line": (
        TEXT.replace("END PRIVATE", "END PUBLIC"),
        "holds a PEM that is cut off: its END line is missing",
    ),
    "a line is missing": (
        "".join(TEXT.splitlines(keepends=True)[:3] + TEXT.splitlines()[4:]),
        DAMAGED,
    ),
    "an empty block": ("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----", DAMAGED),
    "an unknown curve": (
        unknown_curve(),
        "holds a key of a type that is not supported: create an RSA key",
    ),
    "an elliptic curve": (ELLIPTIC.private_bytes(PEM, PKCS8, NO_ENCRYPTION), NOT_RSA),
    "Ed25519": (
        ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, NO_ENCRYPTION),
        NOT_RSA,
    ),
    "too short": (
        SHORT.private_bytes(PEM, PKCS8, NO_ENCRYPTION),
        "holds an RSA key of 1024 bits: at least 2048 are needed",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), OTHERS.values(), ids=OTHERS)
def test_what_is_there_instead_of_a_usable_key_is_named(
    content: bytes | str, sentence: str
) -> None:
    """The sentence never quotes the content, because it may be a part of a key."""
    assert problem(content) == sentence


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_a_key_on_one_of_three_curves_is_accepted_if_it_is_allowed(curve: ec.EllipticCurve) -> None:
    """Snowflake accepts the curves of ES256, ES384 and ES512."""
    key = ec.generate_private_key(curve)
    assert is_key(
        load_private_key(key.private_bytes(PEM, PKCS8, NO_ENCRYPTION), elliptic=True), key
    )


def test_a_key_on_another_curve_is_refused_even_if_curves_are_allowed() -> None:
    """No signature of such a key is accepted."""
    key = ec.generate_private_key(ec.SECP256K1()).private_bytes(PEM, PKCS8, NO_ENCRYPTION)
    with pytest.raises(PrivateKeyError, match=NOT_RSA):
        load_private_key(key, elliptic=True)
