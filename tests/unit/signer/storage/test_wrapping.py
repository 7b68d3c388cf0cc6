"""Private halves in the Secret: nobody without the wrapping key has them, and no entry passes for another one."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.signer.ring import PrivateHalf
from oidc_publisher.signer.storage import Plaintext, RingUnreadableError, WrappingKey
from oidc_publisher.signer.storage.wrapping import EntryLabel
from tests.support.rings import pair
from tests.support.signingkeys import KINDS, Kind, signing_key

KEY = WrappingKey.from_file(b"k" * 32)
LABEL = EntryLabel("one", 10, "kid")
PRIVATE = pair(1)[1]
ENTRY = KEY.wrap(PRIVATE, LABEL)


def test_an_entry_is_what_the_page_says() -> None:
    """AES-256-GCM under HKDF-SHA256 (RFC 5869, by hand here), with lineage, version and key ID as additional data."""
    pseudorandom = hmac.digest(b"one", b"k" * 32, hashlib.sha256)
    derived = hmac.digest(pseudorandom, b"oidc-publisher ring of signing keys\x01", hashlib.sha256)
    assert ENTRY[:4] == b"opw1"
    opened = AESGCM(derived).decrypt(ENTRY[4:16], ENTRY[16:], b'["one", "10", "kid"]')
    assert opened == PRIVATE.pkcs8
    assert len(ENTRY) == len(PRIVATE.pkcs8) + 4 + 12 + 16


def test_the_same_key_is_never_wrapped_into_the_same_bytes() -> None:
    """A nonce is used once."""
    assert KEY.wrap(PRIVATE, LABEL) != ENTRY
    assert KEY.unwrap(ENTRY, LABEL) == PRIVATE


@pytest.mark.parametrize(
    ("key", "label"),
    [
        (WrappingKey.from_file(b"K" * 32), LABEL),
        (KEY, replace(LABEL, lineage="two")),
        (KEY, replace(LABEL, number=11)),
        (KEY, replace(LABEL, key_id="kid2")),
    ],
    ids=["another-key", "another-ring", "another-version", "another-kid"],
)
def test_an_entry_cannot_be_moved(key: WrappingKey, label: EntryLabel) -> None:
    """Whoever writes the Secret cannot pass one version's key off as another's."""
    with pytest.raises(RingUnreadableError, match=f"cannot be unwrapped: .* not as version {label.number}"):
        key.unwrap(ENTRY, label)


@given(st.integers(0, len(ENTRY) * 8 - 1))
def test_no_bit_of_an_entry_can_be_changed(bit: int) -> None:
    """GCM authenticates everything."""
    changed = bytearray(ENTRY)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RingUnreadableError):
        KEY.unwrap(bytes(changed), LABEL)


@given(st.binary(max_size=64) | st.integers(0, len(ENTRY) - 1).map(lambda size: ENTRY[:size]))
def test_other_bytes_are_refused_by_name(entry: bytes) -> None:
    """Empty and truncated entries too."""
    with pytest.raises(RingUnreadableError, match=r"is not a wrapped|cannot be unwrapped"):
        KEY.unwrap(entry, LABEL)


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] * (k == "RSA-4096")) for k in KINDS])
def test_a_private_key_wraps_by_its_value(kind: Kind) -> None:
    """Kubeadm copies sa.key, but whoever writes it as PKCS#8 or with other line ends has the same key."""
    pem = signing_key(kind).private_pem
    key = serialization.load_pem_private_key(pem, None)
    pkcs8 = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for form in (pem, pkcs8, pem.replace(b"\n", b"\r\n")):
        assert WrappingKey.from_file(form).unwrap(WrappingKey.from_file(pem).wrap(PRIVATE, LABEL), LABEL) == PRIVATE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has 0 bytes, and 32 are the least"),
        (b"short\n", "has 6 bytes"),
        (signing_key().public_pem, "is PEM and no unencrypted private key"),
        (b"-----BEGIN PRIVATE KEY-----\n", "is PEM and no unencrypted private key"),
    ],
)
def test_a_file_that_is_no_wrapping_key_is_refused(content: bytes, message: str) -> None:
    """A public key wraps for everybody."""
    with pytest.raises(RingUnreadableError, match=message):
        WrappingKey.from_file(content)


def test_an_encrypted_key_is_refused() -> None:
    """Nobody is there to type its password."""
    key = serialization.load_pem_private_key(signing_key().private_pem, None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    with pytest.raises(RingUnreadableError, match="no unencrypted private key"):
        WrappingKey.from_file(encrypted)


def test_plaintext_is_a_pem_file_and_no_wrapped_entry() -> None:
    """Each way refuses what the other one wrote."""
    pem = Plaintext().wrap(PRIVATE, LABEL)
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert Plaintext().unwrap(pem, LABEL) == PRIVATE
    with pytest.raises(RingUnreadableError, match="is not a wrapped private key"):
        KEY.unwrap(pem, LABEL)
    with pytest.raises(RingUnreadableError, match="is wrapped, and no wrapping key was given"):
        Plaintext().unwrap(ENTRY, LABEL)
    with pytest.raises(RingUnreadableError, match="is not a private key in PEM"):
        Plaintext().unwrap(b"nonsense", LABEL)


def test_nothing_of_a_key_is_in_a_repr() -> None:
    """Tracebacks show values by their repr."""
    assert "kkk" not in repr(KEY)
    assert repr(PrivateHalf(b"secret")) == "PrivateHalf()"
