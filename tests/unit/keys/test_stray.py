"""A key that cannot be seen in an entry beside one that can: it would retire in silence (R4)."""

from __future__ import annotations

import base64
import gzip
import json
import textwrap
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from hypothesis import example, given
from hypothesis import strategies as st

from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey, read_entry, to_jwk
from tests.support.examples import about
from tests.support.foreach import for_each
from tests.support.signingkeys import rsa_key, signing_key

VECTORS = Path(__file__).parents[2] / "vectors" / "keys"
SEEN = signing_key("P-256", "seen").public_pem
(SEEN_KEY,) = read_entry(SEEN).keys
HIDDEN = {
    "P-256": signing_key("P-256", "hidden").public_pem,
    "P-384": signing_key("P-384", "hidden").public_pem,
    "P-521": signing_key("P-521", "hidden").public_pem,
    "RSA": (VECTORS / "rsa-2048.pem").read_bytes(),
    "certificate": (VECTORS / "certificate.pem").read_bytes(),
}


def body(pem: bytes) -> bytes:
    """The base64 between BEGIN and END, as it stands there."""
    return b"\n".join(pem.splitlines()[1:-1])


def der(pem: bytes) -> bytes:
    """The DER in a block."""
    return base64.b64decode(body(pem))


def indented(pem: bytes, prefix: str) -> bytes:
    """Each line after a prefix, as comments and lists have it."""
    return textwrap.indent(pem.decode(), prefix).encode()


#: Each way to write a key so that no PEM reader sees it.
WAYS: dict[str, Callable[[bytes], bytes]] = {
    "a comment before BEGIN": lambda pem: b"key 2: " + pem,
    "no newline before BEGIN": lambda pem: b"end of a comment" + pem,
    "a BOM before BEGIN, as after joining files": lambda pem: b"\xef\xbb\xbf" + pem,
    "a zero-width space before BEGIN": lambda pem: "\u200b".encode() + pem,
    "NUL before BEGIN": lambda pem: b"\0" + pem,
    "commented out": lambda pem: indented(pem, "# "),
    "quoted": lambda pem: indented(pem, "> "),
    "an entry of a YAML list": lambda pem: b"- " + pem.replace(b"\n", b"\n  "),
    "a comment after BEGIN": lambda pem: pem.replace(b"KEY-----", b"KEY----- # new", 1).replace(
        b"TE-----", b"TE----- #", 1
    ),
    "lower case": lambda pem: pem.replace(b"BEGIN", b"begin").replace(b"END", b"end"),
    "lower case throughout": lambda pem: b"-----begin public key-----\n" + body(pem) + b"\n-----end public key-----\n",
    "four dashes": lambda pem: pem.replace(b"-----", b"----"),
    "four dashes at the start": lambda pem: pem[1:],
    "four dashes after BEGIN": lambda pem: pem.replace(b"-----\n", b"----\n", 1),
    "SSH2's boundaries": lambda pem: pem.replace(b"-----BEGIN ", b"---- BEGIN SSH2 ").replace(
        b"-----END ", b"---- END SSH2 "
    ),
    "a space after the dashes": lambda pem: pem.replace(b"-----BEGIN", b"----- BEGIN").replace(
        b"-----END", b"----- END"
    ),
    "an em dash": lambda pem: pem.decode().replace("--", "\u2014").encode(),
    "minus signs": lambda pem: pem.decode().replace("-", "\u2212").encode(),
    "wide letters": lambda pem: pem.decode().replace("BEGIN", "\uff22\uff25\uff27\uff29\uff2e").encode(),
    "Cyrillic letters": lambda pem: (
        pem.decode().replace("BEGIN", "\u0412\u0415GIN").replace("END", "\u0415ND").encode()
    ),
    "a misspelt BEGIN": lambda pem: pem.replace(b"BEGIN", b"BEGlN"),
    "no BEGIN line": lambda pem: pem.partition(b"\n")[2],
    "no BEGIN and no END line": body,
    "no dashes": lambda pem: pem.replace(b"-----", b""),
    "a block in a header of nothing": lambda pem: b"Comment: " + pem.replace(b"\n", b" "),
    "on one line after a comment": lambda pem: b"x " + pem.replace(b"\n", b" "),
    "on one line": lambda pem: pem.replace(b"\n", b" "),
    "line breaks written as backslash n": lambda pem: pem.replace(b"\n", b"\\n"),
    "in JSON": lambda pem: json.dumps({"key": pem.decode()}).encode(),
    "in JSON that escapes dashes": lambda pem: json.dumps({"key": pem.decode()}).replace("-", r"\u002d").encode(),
    "in HTML": lambda pem: pem.replace(b"-", b"&#45;").replace(b"\n", b"<br>"),
    "in a URL": lambda pem: urllib.parse.quote(pem).encode(),
    "UTF-16": lambda pem: pem.decode().encode("utf-16"),
    "UTF-16, big end first": lambda pem: pem.decode().encode("utf-16-be"),
    "UTF-32": lambda pem: pem.decode().encode("utf-32"),
    "base64": base64.b64encode,
    "base64 in lines": base64.encodebytes,
    "base64 after a letter": lambda pem: base64.b64encode(b"\n" + pem),
    "base64 twice": lambda pem: base64.b64encode(base64.b64encode(pem)),
    "base64 of the DER": lambda pem: base64.b64encode(der(pem)),
    "base64 of the DER in quotes": lambda pem: b'key: "' + base64.b64encode(der(pem)) + b'"',
    "base64url of the DER": lambda pem: base64.urlsafe_b64encode(der(pem)).rstrip(b"="),
    "base64 in lines of 20": lambda pem: "\n".join(textwrap.wrap(base64.b64encode(der(pem)).decode(), 20)).encode(),
    "hexadecimal": lambda pem: der(pem).hex().encode(),
    "hexadecimal with colons": lambda pem: der(pem).hex(":").upper().encode(),
    "a C array": lambda pem: ", ".join(f"0x{octet:02x}" for octet in der(pem)).encode(),
    "a string of escaped bytes": lambda pem: "".join(rf"\x{octet:02x}" for octet in der(pem)).encode(),
    "hexadecimal of the PEM": lambda pem: pem.hex().upper().encode(),
    "DER": der,
    "gzip": lambda pem: gzip.compress(pem, mtime=0),
    "gzip in base64": lambda pem: base64.b64encode(gzip.compress(pem, mtime=0)),
}
KEY_WAYS: dict[str, Callable[[bytes], bytes]] = {
    "JWK": lambda pem: json.dumps(to_jwk(read_entry(pem).keys[0])).encode(),
    "JWK in a JSON string": lambda pem: json.dumps(json.dumps(to_jwk(read_entry(pem).keys[0]))).encode(),
    "JWK in YAML": lambda pem: b"kty: EC\ncrv: P-256\nx: " + base64.urlsafe_b64encode(der(pem)[-64:-32]),
    "JWK in base64": lambda pem: base64.b64encode(json.dumps(to_jwk(read_entry(pem).keys[0])).encode()),
    "OpenSSH": lambda pem: load_pem_public_key(pem).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    "RFC 4716": lambda pem: (
        b"---- BEGIN SSH2 PUBLIC KEY ----\n"
        + "\n".join(textwrap.wrap(openssh_body(pem), 70)).encode()
        + b"\n---- END SSH2 PUBLIC KEY ----\n"
    ),
}
TABLE = [
    *((kind, way) for kind in HIDDEN for way in WAYS),
    *(
        (kind, way)
        for kind in HIDDEN
        if kind != "certificate"
        for way in KEY_WAYS
        if kind == "P-256" or "YAML" not in way
    ),
]


def openssh_body(pem: bytes) -> str:
    """The base64 of an OpenSSH public key."""
    return load_pem_public_key(pem).public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).split()[1].decode()


@pytest.mark.parametrize("place", ["before", "after"])
@for_each("kind, way", TABLE)
def test_a_key_that_cannot_be_seen_is_a_defect(kind: str, way: str, place: str) -> None:
    """The key that can be seen counts, and the entry says that it holds more."""
    hidden = (WAYS | KEY_WAYS)[way](HIDDEN[kind])
    if place == "before":
        hidden, seen = hidden.rstrip(b"\n") + b"\n", SEEN
        entry = (
            hidden + seen
            if "UTF" not in way
            else hidden + "\n".encode("utf-16-be" if "big" in way else "utf-16-le") + seen
        )
    else:
        entry = SEEN + hidden
    reading = read_entry(entry)
    assert set(reading.keys) <= {SEEN_KEY, *read_entry(HIDDEN[kind]).keys}
    if not set(reading.keys) >= {SEEN_KEY, *read_entry(HIDDEN[kind]).keys}:
        assert Reason.EntryUnreadable in {defect.reason for defect in reading.defects}
    shown = " ".join(defect.detail for defect in reading.defects)
    assert body(HIDDEN[kind])[:12].decode() not in shown


@pytest.mark.parametrize(
    ("hidden", "cure"),
    [
        (KEY_WAYS["OpenSSH"](HIDDEN["RSA"]), "ssh-keygen -e -m PKCS8"),
        (KEY_WAYS["OpenSSH"](HIDDEN["P-256"]), "ssh-keygen -e -m PKCS8"),
        (WAYS["on one line"](HIDDEN["RSA"]), "in YAML write | and not >"),
        (WAYS["base64"](HIDDEN["RSA"]), "encoded once too often"),
    ],
)
def test_what_people_paste_names_its_cure(hidden: bytes, cure: str) -> None:
    """Alone and beside another."""
    for entry in (hidden, SEEN + hidden):
        assert cure in " ".join(defect.detail for defect in read_entry(entry).defects)


HARMLESS = {
    "comments": b"# the public half of the private key of cluster a, see begin of the wiki page\n",
    "separators": b"----- cluster a -----\n==========\n--------------------\nEnd of the old keys\n",
    "a digest": b"sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\nsha512: "
    + b"0a" * 64
    + b"\n",
    "a list": b"- begin with this one\n- keys of cluster b\n",
    "what openssl x509 -text writes": b"Certificate:\n    Data:\n        Version: 3 (0x2)\n        Signature Algorithm: "
    b"sha256WithRSAEncryption\n        Subject Public Key Info:\n            Public Key Algorithm: rsaEncryption\n"
    b"                Public-Key: (2048 bit)\n                Modulus:\n                    00:a9:00:bb:5e:fb:94:58\n",
    "bag attributes of pkcs12": b"Bag Attributes\n    friendlyName: service-account\nKey Attributes: <No Attributes>\n",
    "a link": b"https://example.com/MAIN/a/very/long/path/with/Many/Letters/and/NUMBERS/0123456789/abcdef\n",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_comment_is_no_key(name: str) -> None:
    """What people and openssl write around PEM is no defect."""
    reading = read_entry(HARMLESS[name] + SEEN + HARMLESS[name])
    assert (reading.keys, reading.defects) == ((SEEN_KEY,), ())


PRIVATE: dict[str, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey] = {
    "EC": ec.generate_private_key(ec.SECP256R1()),
    "RSA": rsa_key(),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}
PRIVATE_WAYS = [
    *("lower case", "four dashes", "an em dash", "minus signs", "wide letters", "a space after the dashes", "UTF-16"),
    *(
        "in JSON",
        "on one line",
        "base64",
        "base64 in lines",
        "no BEGIN and no END line",
        "commented out",
        "base64 after a letter",
    ),
]


@pytest.mark.parametrize("way", PRIVATE_WAYS)
@pytest.mark.parametrize("kind", PRIVATE)
def test_a_private_key_in_disguise_voids_the_entry(kind: str, way: str) -> None:
    """Whoever wrote it mistook the file, however it is written."""
    private = PRIVATE[kind].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    reading = read_entry(SEEN + WAYS[way](private))
    assert [defect.reason for defect in reading.defects] == [Reason.PrivateKeyInEntry]
    assert reading.keys == ()


PAIR = SEEN + HIDDEN["RSA"]
BOTH = {key.key_id: key for key in read_entry(PAIR).keys}
EDIT = st.tuples(
    st.integers(0, len(PAIR) - 1),
    st.integers(0, 30),
    st.sampled_from(
        [b"", b" ", b"\n", b"\r", b"\0", b"-", b"x", b":", b"#", b"=", b"\xe2\x80\x94", b"\xff", b"-----", b"A"]
    ),
)


@about(600)
@given(st.lists(EDIT, min_size=1, max_size=2))
@example([(0, 27, b"")])
@example([(len(SEEN), 27, b"")])
@example([(len(SEEN) - 1, 1, b"")])
def test_no_damage_loses_a_key_in_silence(edits: list[tuple[int, int, bytes]]) -> None:
    """However a file of two keys is damaged, both are read or something is said of the entry."""
    entry = PAIR
    for place, length, instead in edits:
        entry = entry[:place] + instead + entry[place + length :]
    reading = read_entry(entry)
    lost = BOTH.keys() - {key.key_id for key in reading.keys}
    # A letter of the base64 can be changed so that it is another key: nobody can tell.
    assert not lost or reading.defects or len(reading.keys) == len(BOTH)
    assert all(isinstance(key, PublicKey) for key in reading.keys)
