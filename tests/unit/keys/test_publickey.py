"""The public key and its kid."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys import PublicKey, is_thumbprint_of, looks_like_thumbprint, thumbprint
from tests.support.signingkeys import KINDS, Kind, SigningKey, signing_key

# RFC 5480: SubjectPublicKeyInfo up to the point, by hand.
EC_PREFIXES = {
    "P-256": "3059301306072a8648ce3d020106082a8648ce3d030107034200",
    "P-384": "3076301006072a8648ce3d020106052b81040022036200",
    "P-521": "30819b301006072a8648ce3d020106052b8104002303818600",
}


def spki_by_hand(pair: SigningKey) -> bytes:
    """Assemble the DER from the key's numbers, without the library's serialisation."""
    material = load_pem_public_key(pair.public_pem)
    if isinstance(material, ec.EllipticCurvePublicKey):
        numbers, size = material.public_numbers(), (material.curve.key_size + 7) // 8
        point = b"\x04" + numbers.x.to_bytes(size) + numbers.y.to_bytes(size)
        return bytes.fromhex(EC_PREFIXES[pair.kind]) + point
    assert isinstance(material, rsa.RSAPublicKey)
    rsa_numbers = material.public_numbers()
    size = material.key_size // 8
    # RFC 8017, A.1.1 and RFC 3279, 2.3.1; every length is in the two-byte long form, the exponent is 65537.
    modulus = b"\x02\x82" + (size + 1).to_bytes(2) + b"\0" + rsa_numbers.n.to_bytes(size)
    pkcs1 = b"\x30\x82" + (len(modulus) + 5).to_bytes(2) + modulus + bytes.fromhex("0203010001")
    bits = b"\x03\x82" + (len(pkcs1) + 1).to_bytes(2) + b"\0" + pkcs1
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    return b"\x30\x82" + (len(algorithm) + len(bits)).to_bytes(2) + algorithm + bits


@pytest.mark.parametrize("kind", KINDS)
def test_the_kid_is_kube_apiservers(kind: Kind) -> None:
    """base64url(SHA-256(SubjectPublicKeyInfo)), computed here from DER written by hand."""
    pair = signing_key(kind, "a")
    der = spki_by_hand(pair)
    key = PublicKey.from_spki(der)
    assert key == PublicKey(pair.kid, pair.algorithm, der)
    assert key.key_id == base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
    assert is_thumbprint_of(key.key_id, der)
    assert looks_like_thumbprint(key.key_id)
    another = signing_key("RSA-2048" if kind == "RSA-4096" else kind, "another")  # a second of 4096 bits takes a second
    assert not is_thumbprint_of(key.key_id, spki_by_hand(another))


@pytest.mark.parametrize("kind", KINDS)
def test_pem_goes_round(kind: Kind) -> None:
    """What status keeps is what comes back, and what OpenSSL writes."""
    pair = signing_key(kind, "a")
    key = PublicKey.from_spki(spki_by_hand(pair), key_id="a name")
    assert key.to_pem().encode() == pair.public_pem
    assert PublicKey.from_pem(key.to_pem(), key_id="a name") == key
    assert key.key_type == ("RSA" if kind.startswith("RSA") else "EC")


def test_equality_means_kid_and_material() -> None:
    """Two keys under one kid differ; the ledger depends on it (R8)."""
    one, other = (PublicKey.from_pem(signing_key("P-256", name).public_pem.decode(), "kid") for name in "ab")
    assert one != other
    assert one == PublicKey.from_spki(one.spki, "kid")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not PEM",
        "-----BEGIN PUBLIC KEY-----\nAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        signing_key("P-256", "a").public_pem.decode() * 2,
    ],
)
def test_other_pem_is_refused(text: str) -> None:
    """A damaged ledger entry is an error with a reason, never a foreign exception."""
    with pytest.raises(KeyRefusedError) as caught:
        PublicKey.from_pem(text)
    assert caught.value.reason is Reason.EntryUnreadable


@pytest.mark.parametrize("key_id", ["", "k" * 1025, "\u00e9" * 513, "\ud800"])
def test_an_impossible_kid_is_refused(key_id: str) -> None:
    """KEP-740 permits 1 to 1024 bytes."""
    spki = PublicKey.from_pem(signing_key().public_pem.decode()).spki
    with pytest.raises(KeyRefusedError):
        PublicKey.from_spki(spki, key_id)
    assert PublicKey.from_spki(spki, "\u00e9" * 512).key_id == "\u00e9" * 512


@pytest.mark.parametrize(
    "key_id",
    [
        "8",
        "l" * 43,  # its last character carries bits that no 32 bytes have
        "A" * 42 + "=",
        "A" * 42 + "/",
        "A" * 44,
        "0123456789abcdef0123456789abcdef01234567",
    ],
)
def test_other_kids_are_no_thumbprints(key_id: str) -> None:
    """A name that an external signer chose says nothing of the material."""
    assert not looks_like_thumbprint(key_id)
    assert looks_like_thumbprint(thumbprint(b""))
