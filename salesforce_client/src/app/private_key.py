"""Finds the private key in what a person has stored as one.

This is a twin file. Both apps have an equal copy.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Callable
from typing import Optional, Union

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_ssh_private_key,
    pkcs12,
)

PrivateKey = Union[RSAPrivateKey, EllipticCurvePrivateKey]
Load = Callable[[bytes, Optional[bytes]], object]

LEAST_BITS = 2048
# The curves of ES256, ES384 and ES512.
CURVES = ("secp256r1", "secp384r1", "secp521r1")
BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
# The headers of an encrypted key in the traditional form (RFC 1421), and the text after them.
HEADERS = re.compile(
    r"\s*(Proc-Type:\s*4,\s*ENCRYPTED)\s+(DEK-Info:\s*[A-Z0-9-]+,[0-9A-Fa-f]+)\s(.*)", re.DOTALL
)
OPENSSH = "OPENSSH PRIVATE KEY"
NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
# The first bytes of files that have a key inside, but in another form.
JAVA_KEYSTORE = b"\xfe\xed\xfe\xed"
PKCS12_FILE = re.compile(rb"\x30(\x80|[\x00-\x7f]|\x81.|\x82..|\x83...)\x02\x01\x03", re.DOTALL)
TO_PEM = "openssl pkcs12 -in <file> -nodes -nocerts -out key.pem"
NOTHING = (
    "holds no private key: store it as PEM (from the line BEGIN PRIVATE KEY to the line END"
    " PRIVATE KEY), as DER, or as base64 of one of them"
)


class PrivateKeyError(Exception):
    """There is no usable private key. The text goes on where the name of the setting ends."""


def load_private_key(
    content: bytes, *, passphrase: str = "", passphrase_name: str = "", elliptic: bool = False
) -> PrivateKey:
    """The private key in ``content``.

    The content is a PEM, with or without other text around it, a DER, a PKCS#12 file, or base64 of
    one of them. The lines of a PEM may be wrapped, indented, escaped or joined, because settings
    forms and shells do that.

    Args:
        content: what is stored, as bytes.
        passphrase: opens an encrypted key.
        passphrase_name: the setting of the passphrase, for the messages. Empty if there is none.
        elliptic: a key on one of ``CURVES`` is accepted too.

    Raises:
        PrivateKeyError: there is no key, or it cannot be used. The error says what is there.
    """
    text = _text(content)
    if text is not None and "PuTTY-User-Key-File" in text:
        raise PrivateKeyError(
            "holds a key in PuTTY's form: export it with PuTTYgen (Conversions, Export OpenSSH key)"
        )
    opener = _Opener(passphrase, passphrase_name)
    if text is None:
        key = opener.from_der(content)
    elif "-----BEGIN" in text:
        key = opener.from_pem(text)
    else:
        decoded = _decoded("".join(text.split()))
        if not decoded:
            raise PrivateKeyError(NOTHING)
        inner = _text(decoded)
        if inner is not None and "-----BEGIN" not in inner:
            raise PrivateKeyError(NOTHING)
        key = opener.from_der(decoded) if inner is None else opener.from_pem(inner)
    return _checked(key, elliptic=elliptic)


def _text(content: bytes) -> Optional[str]:
    """The content as text, or None if it is not text. Windows tools may write UTF-16."""
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8")
    except UnicodeDecodeError:
        return None


def _decoded(base64_text: str) -> bytes:
    """The bytes of a base64 text. Empty if it is none."""
    try:
        return base64.b64decode(base64_text, validate=True)
    except (binascii.Error, ValueError):
        return b""


class _Opener:
    """Opens a key with a passphrase, or without one if it is empty."""

    def __init__(self, passphrase: str, passphrase_name: str) -> None:
        self._passphrase = passphrase.encode() or None
        self._passphrase_name = passphrase_name

    def from_pem(self, text: str) -> object:
        unescaped = re.sub(r"\\+n", "\n", re.sub(r"\\+[rt]", "", text))
        blocks = dict.fromkeys(
            (label, NOT_BASE64.sub("", body) if ":" not in body else body)
            for label, body in BLOCK.findall(unescaped)
        )
        keys = [block for block in blocks if block[0].endswith("PRIVATE KEY")]
        if len(keys) > 1:
            raise PrivateKeyError(f"holds {len(keys)} private keys: store only one of them")
        if keys:
            return self._from_block(*keys[0])
        if not blocks:
            raise PrivateKeyError("holds a PEM that is cut off: its END line is missing")
        found = " and ".join(dict.fromkeys(f"BEGIN {label}" for label, _ in blocks))
        raise PrivateKeyError(f"holds {found}, but no private key: store the private key")

    def _from_block(self, label: str, body: str) -> object:
        if headers := HEADERS.fullmatch(body):
            lines = [*headers.groups()[:2], "", NOT_BASE64.sub("", headers[3])]
            return self._open(load_pem_private_key, _pem(label, lines))
        if label == OPENSSH:
            return self._open(load_ssh_private_key, _pem(label, [body]))
        return self.from_der(_decoded(body))

    def from_der(self, der: bytes) -> object:
        if der.startswith(JAVA_KEYSTORE):
            raise PrivateKeyError(
                "is a Java keystore: convert it (keytool -importkeystore … -deststoretype PKCS12),"
                f" then take the key out ({TO_PEM})"
            )
        if PKCS12_FILE.match(der):
            return self._from_pkcs12(der)
        for what, load in (
            ("a certificate", x509.load_der_x509_certificate),
            ("a certificate request", x509.load_der_x509_csr),
            ("a public key", load_der_public_key),
        ):
            if _loads(load, der):
                raise PrivateKeyError(f"holds {what}, but no private key: store the private key")
        return self._open(load_der_private_key, der)

    def _from_pkcs12(self, der: bytes) -> object:
        try:
            key = pkcs12.load_key_and_certificates(der, self._passphrase)[0]
        except ValueError:
            raise PrivateKeyError(
                f"is a PKCS#12 file that does not open: take the key out ({TO_PEM})"
            ) from None
        if key is None:
            raise PrivateKeyError("is a PKCS#12 file without a private key: store the private key")
        return key

    def _open(self, load: Load, content: bytes) -> object:
        try:
            return load(content, self._passphrase)
        except TypeError:
            raise PrivateKeyError(self._needs()) from None
        except ValueError:
            raise PrivateKeyError(
                f"does not open with {self._passphrase_name}"
                if self._passphrase
                else "holds a private key that is damaged or incomplete: store it again"
            ) from None
        except UnsupportedAlgorithm:
            raise PrivateKeyError(
                "holds a key of a type that is not supported: create an RSA key"
            ) from None

    def _needs(self) -> str:
        """The library refuses a key that needs a passphrase, and a passphrase without need."""
        if self._passphrase:
            return f"needs no {self._passphrase_name}"
        if self._passphrase_name:
            return f"is encrypted: it needs {self._passphrase_name}"
        return "is encrypted: store it without a passphrase"


def _pem(label: str, lines: list[str]) -> bytes:
    body = "\n".join(lines)
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n".encode()


def _loads(load: Callable[[bytes], object], der: bytes) -> bool:
    try:
        load(der)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _checked(key: object, *, elliptic: bool) -> PrivateKey:
    """The key, if its type and size are accepted."""
    if isinstance(key, EllipticCurvePrivateKey) and elliptic and key.curve.name in CURVES:
        return key
    if not isinstance(key, RSAPrivateKey):
        raise PrivateKeyError(
            f"holds a key that is not RSA: create an RSA key of at least {LEAST_BITS} bits"
        )
    if key.key_size < LEAST_BITS:
        raise PrivateKeyError(
            f"holds an RSA key of {key.key_size} bits: at least {LEAST_BITS} are needed"
        )
    return key
