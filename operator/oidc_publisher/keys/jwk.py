"""Read and write JSON Web Keys (RFC 7517, RFC 7518 section 6) of the types that sign service-account tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from oidc_publisher.errors import DocumentInvalidError, KeyRefusedError
from oidc_publisher.findings import Reason
from oidc_publisher.keys.oddities import overlooked
from oidc_publisher.keys.publickey import PublicKey, is_thumbprint_of, looks_like_thumbprint, refuse_unsound_rsa
from oidc_publisher.keys.strictjson import parse_object, quoted

#: The members that every relying party accepts; GCP refuses an upload with others (relying-parties.md).
MEMBERS = frozenset({"use", "kty", "kid", "alg", "n", "e", "crv", "x", "y"})
#: The private members of RFC 7518, 6.2.2, 6.3.2 and 6.4.1; `priv` is the one of ML-DSA (kty AKP).
PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv")

_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
_CRV = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
#: The least bytes of an RSA SubjectPublicKeyInfo beside modulus and exponent (RFC 8017, A.1.1; RFC 5280, 4.1).
_RSA_FRAME_BYTES = 30
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*={0,2}")


@dataclass(frozen=True, slots=True)
class JWKReading:
    """A JWKReading holds the key of a JWK, and the flaws for which some verifiers refuse the JWK all the same.

    `oddities` are flaws that no verifier minds, as far as is known.
    """

    key: PublicKey
    flaws: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()


def to_jwk(key: PublicKey) -> dict[str, str]:
    """Return the JWK of a key with the members use, kty, kid, alg, then n, e or crv, x, y, always in this order."""
    return {"use": "sig", "kty": key.key_type, "kid": key.key_id, "alg": key.algorithm, **_numbers_of(key)}


def published_size_bytes(key: PublicKey) -> int:
    """Return an upper bound of the bytes that the key takes in a published key set, at most 16 above the exact size.

    The key is not parsed. An RSA key's numbers have the size of its SubjectPublicKeyInfo without 30 bytes; the
    coordinates of a point have the size of the curve. Five more bytes allow for rounding and separators.
    """
    members = {"use": "sig", "kty": key.key_type, "kid": key.key_id, "alg": key.algorithm}
    named = len(json.dumps(members, separators=(",", ":")))
    if key.key_type == "RSA":
        return named + len(',"n":"","e":""') + -(-4 * max(len(key.spki) - _RSA_FRAME_BYTES, 0) // 3) + 5
    size = _coordinate_size(_CURVES[_CRV[key.algorithm]])
    return named + len(',"crv":"P-256","x":"","y":""') + 2 * -(-4 * size // 3) + 5


def read_jwk(member: object) -> JWKReading:
    """Read the key of one member of a key set, with the member's kid.

    Raises KeyRefusedError, whose message continues after the member's name: PrivateKeyInEntry, KeyUnsupported,
    EntryUnreadable, or KeyMaterialChanged where the kid is the thumbprint of another key.
    """
    if not isinstance(member, dict):
        raise KeyRefusedError(Reason.EntryUnreadable, "is not a JSON object")
    private = [name for name in PRIVATE_MEMBERS if name in member]
    if private:
        raise KeyRefusedError(Reason.PrivateKeyInEntry, f"holds private members ({', '.join(private)})")
    flaws: list[str] = []
    oddities: list[str] = []
    kty = member.get("kty")
    if kty == "RSA":
        material: rsa.RSAPublicKey | ec.EllipticCurvePublicKey = _rsa(member, flaws, oddities)
    elif kty == "EC":
        material = _ec(member, flaws)
    else:
        raise KeyRefusedError(Reason.KeyUnsupported, f"is of kty {quoted(kty)}")
    key = PublicKey.of(material, _kid(member))
    _refuse_other_purpose(member, key)
    _refuse_other_material(key)
    _judge_further_members(member, key, flaws, oddities)
    return JWKReading(key, tuple(flaws), tuple(oddities))


def is_for_encryption(member: object) -> bool:
    """Return whether a member is a sound key for encryption, which verifiers pass over."""
    if not isinstance(member, dict) or member.get("use") != "enc":
        return False
    try:
        return not read_jwk({name: value for name, value in member.items() if name not in ("use", "alg")}).flaws
    except KeyRefusedError:
        return False


def key_members(data: bytes, *, max_bytes: int) -> list[Any]:
    """Return the members of a key set's `keys`; raises DocumentInvalidError when the document is no key set."""
    members = parse_object(data, max_bytes=max_bytes).get("keys")
    if not isinstance(members, list):
        raise DocumentInvalidError(Reason.DocumentInvalid, 'has no member "keys" with a list')
    return members


def member_name(number: int, member: object) -> str:
    """Return the name of a member for messages: its position and, where it has one, its kid."""
    kid = member.get("kid") if isinstance(member, dict) else None
    return f"key {number} (kid {quoted(kid)})" if isinstance(kid, str) else f"key {number}"


def _kid(member: Mapping[str, Any]) -> str:
    kid = member.get("kid")
    if not isinstance(kid, str):
        raise KeyRefusedError(Reason.EntryUnreadable, "has no kid")
    return kid


def _judge_further_members(member: Mapping[str, Any], key: PublicKey, flaws: list[str], oddities: list[str]) -> None:
    others = sorted(set(member) - MEMBERS)
    for found, names in (
        (flaws, [name for name in others if not overlooked(member, name, key)]),
        (oddities, [name for name in others if overlooked(member, name, key)]),
    ):
        if names:
            who = "some" if found is flaws else "few"
            found.append(f"has members that {who} relying parties refuse ({', '.join(map(quoted, names))})")


def _refuse_other_purpose(member: Mapping[str, Any], key: PublicKey) -> None:
    if member.get("use", "sig") != "sig":
        raise KeyRefusedError(Reason.KeyUnsupported, f"is for use {quoted(member['use'])}, not for signatures")
    if member.get("alg", key.algorithm) != key.algorithm:
        raise KeyRefusedError(Reason.KeyUnsupported, f"is for alg {quoted(member['alg'])}, not {key.algorithm}")


def _refuse_other_material(key: PublicKey) -> None:
    """Apply R8: a thumbprint kid must match its material.

    A kid in the form of a thumbprint is one: the API server's own (over the SubjectPublicKeyInfo), or RFC 7638's, which
    an external signer may use. Every other kid is a name that an external signer chose, which need not match.
    """
    if not looks_like_thumbprint(key.key_id) or is_thumbprint_of(key.key_id, key.spki):
        return
    if key.key_id != _rfc7638_thumbprint(key):
        raise KeyRefusedError(Reason.KeyMaterialChanged, "has a kid that is the thumbprint of another key")


def _rfc7638_thumbprint(key: PublicKey) -> str:
    required = {"kty": key.key_type, **_numbers_of(key)}
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":"))
    return _encoded(hashlib.sha256(canonical.encode()).digest())


def _numbers_of(key: PublicKey) -> dict[str, str]:
    material = key.material()
    if isinstance(material, rsa.RSAPublicKey):
        rsa_numbers = material.public_numbers()
        return {"n": _encoded(_minimal(rsa_numbers.n)), "e": _encoded(_minimal(rsa_numbers.e))}
    ec_numbers = material.public_numbers()
    size = _coordinate_size(material.curve)
    x, y = ec_numbers.x.to_bytes(size), ec_numbers.y.to_bytes(size)
    return {"crv": _CRV[key.algorithm], "x": _encoded(x), "y": _encoded(y)}


def _rsa(member: Mapping[str, Any], flaws: list[str], oddities: list[str]) -> rsa.RSAPublicKey:
    numbers = []
    for name in ("n", "e"):
        octets = _octets(member, name, flaws)
        if octets[:1] == b"\0":
            oddities.append(f"has leading zeros in {name}")  # RFC 7518, 2: Base64urlUInt has none
        numbers.append(int.from_bytes(octets))
    modulus, exponent = numbers
    refuse_unsound_rsa(modulus, exponent)
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _ec(member: Mapping[str, Any], flaws: list[str]) -> ec.EllipticCurvePublicKey:
    crv = member.get("crv")
    curve = _CURVES.get(crv) if isinstance(crv, str) else None
    if curve is None:
        raise KeyRefusedError(Reason.KeyUnsupported, f"is on the curve {quoted(crv)}")
    coordinates: list[int] = []
    for name in ("x", "y"):
        octets = _octets(member, name, flaws)
        if len(octets) != _coordinate_size(curve):
            flaws.append(
                f"has {len(octets)} bytes in {name} where {crv} has {_coordinate_size(curve)}"
            )  # RFC 7518, 6.2.1.2
        coordinates.append(int.from_bytes(octets))
    x, y = coordinates
    try:
        return ec.EllipticCurvePublicNumbers(x, y, curve).public_key()
    except ValueError:
        raise KeyRefusedError(Reason.EntryUnreadable, f"is a point that is not on {crv}") from None


def _octets(member: Mapping[str, Any], name: str, flaws: list[str]) -> bytes:
    value = member.get(name)
    if not isinstance(value, str) or not value or not _BASE64URL.fullmatch(value):
        raise KeyRefusedError(Reason.EntryUnreadable, f"has no base64url in {name}")
    bare = value.rstrip("=")
    try:
        octets = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        raise KeyRefusedError(Reason.EntryUnreadable, f"has no base64url in {name}") from None
    if value != _encoded(octets):
        flaws.append(f"has padding or stray bits in the base64url of {name}")
    return octets


def _encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _minimal(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _coordinate_size(curve: ec.EllipticCurve) -> int:
    return (curve.key_size + 7) // 8
