"""Entries of key sources: PEM and DER, good and bad."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, pkcs12
from hypothesis import example, given
from hypothesis import strategies as st

from oidc_publisher.findings import Reason
from oidc_publisher.keys import EntryReading, KeyDefect, PublicKey, read_entry
from oidc_publisher.keys.pem import MAX_ENTRY_BYTES
from tests.support.examples import about
from tests.support.signingkeys import rsa_key, signing_key

VECTORS = Path(__file__).parents[2] / "vectors" / "keys"
CASES: dict[str, dict[str, Any]] = json.loads((VECTORS / "cases.json").read_text())


def test_every_vector_has_a_case() -> None:
    """No file of the folder is left untested."""
    assert {path.name for path in VECTORS.iterdir()} - {"cases.json"} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_vector_gives_its_keys_and_reasons(name: str) -> None:
    """Each file gives the kids that OpenSSL computed, and the defect that it is named for."""
    case = CASES[name]
    reading = read_entry((VECTORS / name).read_bytes())
    assert [key.key_id for key in reading.keys] == case["keys"]
    assert [defect.reason for defect in reading.defects] == case["reasons"]
    assert case.get("says", "") in " ".join(defect.detail for defect in reading.defects)


def test_a_zero_byte_entry_is_empty_and_no_defect() -> None:
    """OpenShift keeps zero-byte entries."""
    assert read_entry(b"").empty
    assert not read_entry(b"\n").empty


RSA = rsa_key()
EC = ec.generate_private_key(ec.SECP384R1())
PLAIN, PASSWORD = serialization.NoEncryption(), serialization.BestAvailableEncryption(b"secret")
PRIVATE = {
    "rsa-pkcs1": RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PLAIN),
    "rsa-pkcs1-encrypted": RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PASSWORD),
    "rsa-pkcs8": RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
    "rsa-pkcs8-encrypted": RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PASSWORD),
    "rsa-openssh": RSA.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, PLAIN),
    "ec-sec1": EC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PLAIN),
    "ec-pkcs8": EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
    "ed25519": ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN),
    "rsa-pkcs1-der": RSA.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, PLAIN),
    "rsa-pkcs8-der": RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, PLAIN),
    "rsa-pkcs8-der-encrypted": RSA.private_bytes(Encoding.DER, PrivateFormat.PKCS8, PASSWORD),
    "ec-sec1-der": EC.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, PLAIN),
    "pkcs12": pkcs12.serialize_key_and_certificates(b"x", EC, None, None, PASSWORD),
}


@pytest.mark.parametrize("form", PRIVATE)
def test_a_private_key_in_any_form_is_refused(form: str) -> None:
    """Nothing is read from it, not even its public half."""
    reading = read_entry(PRIVATE[form])
    assert [defect.reason for defect in reading.defects] == [Reason.PrivateKeyInEntry]
    assert reading.keys == ()


@pytest.mark.parametrize("form", [form for form, content in PRIVATE.items() if b"-----BEGIN" in content])
def test_a_mislabelled_private_key_is_refused(form: str) -> None:
    """The content decides, not the label."""
    disguised = PRIVATE[form].replace(b"OPENSSH ", b"").replace(b"ENCRYPTED ", b"")
    for label in (b"RSA PRIVATE KEY", b"EC PRIVATE KEY", b"PRIVATE KEY"):
        disguised = disguised.replace(label, b"PUBLIC KEY")
    if form not in {"rsa-pkcs1-encrypted", "rsa-openssh"}:  # these are no DER: without their label they are noise
        assert [defect.reason for defect in read_entry(disguised).defects] == [Reason.PrivateKeyInEntry]
    assert read_entry(disguised).keys == ()


def test_a_truncated_private_key_is_still_refused_as_one() -> None:
    """A half-copied private key is an exposed private key."""
    for form in ("rsa-pkcs1-der", "rsa-pkcs8-der", "ec-sec1-der"):
        reading = read_entry(PRIVATE[form][:60])
        assert [defect.reason for defect in reading.defects] == [Reason.PrivateKeyInEntry]


@pytest.mark.parametrize("order", ["before", "after"])
def test_an_entry_with_a_private_key_is_refused_as_a_whole(order: str) -> None:
    """Whoever wrote it mistook the file: its public blocks do not count either."""
    public, private = signing_key("P-256").public_pem, PRIVATE["ec-pkcs8"]
    reading = read_entry(private + public if order == "before" else public + private)
    assert reading.keys == ()
    assert [defect.reason for defect in reading.defects] == [Reason.PrivateKeyInEntry]


def test_a_defect_never_shows_the_content() -> None:
    """Details may be printed in status: nothing of an entry, not even its labels, stands in them."""
    secret = b"-----BEGIN hunter2-----\naHVudGVyMg==\n-----END hunter2-----\nhunter2 hunter2\n"
    for content in (secret, b"hunter2", secret.replace(b"==", b"!!"), b"-----BEGIN hunter2 PRIVATE KEY-----\n"):
        reading = read_entry(content)
        assert reading.defects
        assert all("hunter2" not in defect.detail and "aHVudGVy" not in defect.detail for defect in reading.defects)


def test_a_huge_entry_is_refused_at_once() -> None:
    """Ten megabytes cost nothing."""
    started = time.process_time()
    reading = read_entry(b"-----BEGIN PUBLIC KEY-----\n" * 400_000)
    assert time.process_time() - started < 0.5
    assert reading == EntryReading(defects=(KeyDefect(Reason.EntryUnreadable, "is larger than 1024 KiB"),))


@pytest.mark.parametrize(
    "line",
    [
        b"-----BEGIN PUBLIC KEY-----\n",
        b"-----END PUBLIC KEY-----\n",
        b"A",
        b"\n",
        b"-----BEGIN A-----\n-----END A-----\n",
    ],
)
def test_the_largest_entry_is_read_in_linear_time(line: bytes) -> None:
    """No entry of the permitted size can keep the operator busy."""
    started = time.process_time()
    reading = read_entry(line * (MAX_ENTRY_BYTES // len(line)))
    assert time.process_time() - started < 2
    assert reading.keys == ()


SOUND = [
    (VECTORS / name).read_bytes() for name in ("certificate.der", "spki.der", "several-blocks.pem", "certificate.pem")
]


# A later release of cryptography refuses it: a defect then.
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@about(300)
@example(SOUND[3], [(48, 47)])  # serial number 0, of which cryptography warns
@given(st.sampled_from(SOUND), st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), min_size=1, max_size=4))
def test_whatever_comes_a_reading_comes_out(sound: bytes, damage: list[tuple[int, int]]) -> None:
    """A damaged entry raises nothing: it is keys and defects."""
    entry = bytearray(sound)
    for place, value in damage:
        entry[place % len(entry)] = value
    reading = read_entry(bytes(entry))
    assert reading.keys or reading.defects


def test_keys_come_in_the_order_of_their_blocks() -> None:
    """As kube-apiserver reads them."""
    blocks = [signing_key("P-256", name).public_pem for name in "cab"]
    assert [key.to_pem().encode() for key in read_entry(b"".join(blocks)).keys] == blocks


def test_an_entry_is_read_as_its_public_key() -> None:
    """The value holds kid, algorithm and material."""
    pair = signing_key("P-521")
    (key,) = read_entry(pair.public_pem).keys
    assert (key.key_id, key.algorithm, key.key_type) == (pair.kid, "ES512", "EC")
    assert key == PublicKey.from_pem(pair.public_pem.decode())
