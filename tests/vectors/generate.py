"""Make the files of tests/vectors anew: run it only to add a vector, for every key changes."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

HERE = Path(__file__).parent
CURVES = {"p-256": ec.SECP256R1(), "p-384": ec.SECP384R1(), "p-521": ec.SECP521R1()}
RSA_OID = bytes.fromhex("06092a864886f70d0101010500")
PSS_OID = bytes.fromhex("06092a864886f70d01010a")

Case = tuple[bytes, dict[str, Any]]


def main() -> None:
    """Write both folders."""
    write(HERE / "keys", key_cases())
    write(HERE / "documents", document_cases())


def write(folder: Path, cases: dict[str, Case]) -> None:
    """Replace a folder's files by the cases."""
    for old in folder.iterdir():
        old.unlink()
    for name, (content, _) in cases.items():
        (folder / name).write_bytes(content)
    table = {name: expected for name, (_, expected) in cases.items()}
    (folder / "cases.json").write_text(json.dumps(table, indent=2) + "\n")


# --- keys -------------------------------------------------------------------------------------------------------------


def key_cases() -> dict[str, Case]:
    """Return every entry of a key source: the good, then the bad."""
    rsa_key = rsa.generate_private_key(65537, 2048)
    good = {name: spki(ec.generate_private_key(curve).public_key()) for name, curve in CURVES.items()}
    good["rsa-2048"] = spki(rsa_key.public_key())
    good["rsa-4096"] = spki(rsa.generate_private_key(65537, 4096).public_key())
    p256, rsa2048 = good["p-256"], good["rsa-2048"]
    modulus = rsa_key.public_key().public_numbers().n
    cases: dict[str, Case] = {f"{name}.pem": (pem(der), read(der)) for name, der in good.items()}
    cases |= {
        "several-blocks.pem": (pem(p256) + pem(rsa2048) + pem(good["p-521"]), read(p256, rsa2048, good["p-521"])),
        "the-same-key-twice.pem": (pem(p256) + pem(p256), read(p256)),
        "openshift-spki-labelled-rsa-public-key.pem": (pem(rsa2048, "RSA PUBLIC KEY"), read(rsa2048)),
        "crlf.pem": (pem(p256).replace(b"\n", b"\r\n"), read(p256)),
        "utf-8-bom.pem": (b"\xef\xbb\xbf" + pem(p256), read(p256)),
        "comments-between.pem": (b"# old\n" + pem(p256) + b"\nnote: new\n" + pem(rsa2048), read(p256, rsa2048)),
        "headers.pem": (pem(p256).replace(b"KEY-----\n", b"KEY-----\nComment: x\n\n", 1), read(p256)),
        "no-final-newline.pem": (pem(p256).rstrip(), read(p256)),
        "compressed-point.pem": (pem(compressed_spki(p256)), read(p256)),
        "spki.der": (p256, read(p256)),
        "certificate.pem": (pem(certificate(rsa_key), "CERTIFICATE"), read(rsa2048)),
        "certificate.der": (certificate(rsa_key), read(rsa2048)),
        "zero-bytes.pem": (b"", read()),
    }
    cases |= unsupported_keys(modulus, rsa2048)
    return cases | unreadable_entries(p256, rsa2048, rsa_key)


def unsupported_keys(modulus: int, rsa2048: bytes) -> dict[str, Case]:
    """Return the keys that are keys but must not be published."""
    unsupported = {
        "rsa-1024": (rsa_spki(modulus >> 1024 | 1, 65537), "1024 bits"),
        "rsa-2047": (rsa_spki(modulus >> 1 | 1, 65537), "2047 bits"),
        "rsa-16385": (rsa_spki(2**16384 + 1, 65537), "16385 bits"),
        "rsa-exponent-too-large": (rsa_spki(modulus, 2**31 + 1), "exponent"),
        "rsa-even-modulus": (rsa_spki(modulus - 1, 65537), "even modulus"),
        "rsa-for-pss-only": (rsa2048.replace(RSA_OID, PSS_OID).replace(b"\x30\x0d", b"\x30\x0b", 1), "PSS"),
        "p-224": (spki(ec.generate_private_key(ec.SECP224R1()).public_key()), "P-224"),
        "secp256k1": (spki(ec.generate_private_key(ec.SECP256K1()).public_key()), "secp256k1"),
        "ed25519": (spki(ed25519.Ed25519PrivateKey.generate().public_key()), "Ed25519"),
        "ml-dsa-44": (spki(mldsa.MLDSA44PrivateKey.generate().public_key()), "MLDSA44"),
        "unknown-type": (rsa2048.replace(RSA_OID, RSA_OID[:-3] + b"\x63\x05\x00"), "unknown type"),
    }
    # One byte less in the algorithm makes one byte less in all: mend the outer length of the PSS key.
    pss, words = unsupported["rsa-for-pss-only"]
    unsupported["rsa-for-pss-only"] = (pss[:2] + (len(pss) - 4).to_bytes(2) + pss[4:], words)
    cases = {f"{name}.pem": (pem(der), bad("KeyUnsupported", words)) for name, (der, words) in unsupported.items()}
    return cases | {"certificate-for-pss-only.pem": (pss_certificate(), bad("KeyUnsupported", "PSS"))}


def pss_certificate() -> bytes:
    """Return a certificate by OpenSSL's program, for `cryptography` makes none of this type."""
    asked = "openssl req -x509 -newkey rsa-pss -pkeyopt rsa_keygen_bits:2048 -noenc -keyout /dev/null -days 9999 -subj /CN=pss"
    return subprocess.run(asked.split(), capture_output=True, check=True).stdout


def unreadable_entries(p256: bytes, rsa2048: bytes, rsa_key: rsa.RSAPrivateKey) -> dict[str, Case]:
    """Return the entries, or parts of entries, that are no key."""
    off_curve = p256[:-1] + bytes([p256[-1] ^ 1])
    pkcs1 = rsa_key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    modulus = rsa_key.public_key().public_numbers().n
    text = pem(p256)
    request = x509.CertificateSigningRequestBuilder().subject_name(NAME).sign(rsa_key, hashes.SHA256())
    unreadable = {
        "rsa-even-exponent.pem": (pem(rsa_spki(modulus, 65536)), "no valid public key"),
        "rsa-exponent-1.pem": (pem(rsa_spki(modulus, 1)), "no valid public key"),
        "point-off-its-curve.pem": (pem(off_curve), "no valid public key"),
        "point-at-infinity.pem": (pem(ec_spki(p256, b"\0")), "no valid public key"),
        "bytes-after-the-key.pem": (pem(p256 + b"\0"), "no valid public key"),
        "pkcs1-public-key.pem": (pem(pkcs1, "RSA PUBLIC KEY"), "PKCS#1"),
        "signing-request.pem": (pem(request.public_bytes(Encoding.DER), "CERTIFICATE REQUEST"), "neither"),
        "certificate-of-version-6.pem": (pem(version_6(certificate(rsa_key)), "CERTIFICATE"), "neither"),
        "without-end-line.pem": (text[: text.index(b"-----END")], "not whole"),
        "end-line-of-another-label.pem": (text.replace(b"END PUBLIC KEY", b"END CERTIFICATE"), "not whole"),
        "damaged-base64.pem": (text.replace(b"\n", b"\n!", 1), "not whole"),
        "on-one-line.pem": (text.replace(b"\n", b" "), "is on one line"),
        "line-breaks-written-as-backslash-n.pem": (
            b'"' + text.replace(b"\n", b"\\n") + b'"',
            "has its line breaks written as",
        ),
        "encoded-twice.pem": (base64.b64encode(text), "once too often"),
        "utf-16.pem": (text.decode().encode("utf-16"), "UTF-16"),
        "base64-without-pem-lines.pem": (base64.b64encode(p256), "without its BEGIN line"),
        "error-page.pem": (b"<html><body>404 Not Found</body></html>", "no PEM block"),
        "public-jwk.pem": (json.dumps(ec_jwk("a")).encode(), "JSON Web Key"),
        "random-der.der": (b"\x30\x03\x0c\x01a", "no SubjectPublicKeyInfo"),
        "one-blank-line.pem": (b"\n", "no PEM block"),
    }
    cases: dict[str, Case] = {name: (content, bad("EntryUnreadable", w)) for name, (content, w) in unreadable.items()}
    mixed = pem(p256) + pem(off_curve) + pem(rsa2048)
    cases["one-damaged-of-three.pem"] = (mixed, read(p256, rsa2048) | bad("EntryUnreadable", "block 2", keys=None))
    # Not real private keys, but of their outline; real ones are made while the tests run.
    outlines = {
        "private-key-label-without-content.pem": b"-----BEGIN RSA PRIVATE KEY-----\n",
        "private-outline-under-a-public-label.pem": pem(bytes.fromhex("300a020101040500000000a0")),
        "encrypted-private-outline.pem": pem(bytes.fromhex("300930030601000402ffff")),
        "public-and-private-outline.pem": pem(p256) + pem(bytes.fromhex("300a020101040500000000a0"), "EC KEY"),
        "private-label-encoded-twice.pem": base64.b64encode(b"-----BEGIN PRIVATE KEY-----\nAAAA\n"),
        "private-label-in-utf-16.pem": "-----BEGIN PRIVATE KEY-----\nAAAA\n".encode("utf-16"),
        "private-jwk.pem": json.dumps(ec_jwk("a") | {"d": "AQAB"}).encode(),
        "putty.ppk": b"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n",
    }
    return cases | {name: (content, bad("PrivateKeyInEntry", "private key")) for name, content in outlines.items()}


NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "service-account")])


def certificate(key: rsa.RSAPrivateKey) -> bytes:
    """Return a self-signed certificate, as kOps keeps one for its service-account key."""
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(NAME, NAME, key.public_key(), 1, start, start + dt.timedelta(days=9999))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def version_6(der: bytes) -> bytes:
    """Return a certificate that claims a version which does not exist."""
    return der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020105"), 1)


def spki(key: PublicKeyTypes) -> bytes:
    """Return the SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def tlv(tag: int, content: bytes) -> bytes:
    """Return one element of DER."""
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def integer(value: int) -> bytes:
    """Return a positive INTEGER."""
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def rsa_spki(modulus: int, exponent: int) -> bytes:
    """Return a SubjectPublicKeyInfo of any two numbers."""
    pkcs1 = tlv(0x30, integer(modulus) + integer(exponent))
    return tlv(0x30, tlv(0x30, RSA_OID) + tlv(0x03, b"\0" + pkcs1))


def ec_spki(like: bytes, point: bytes) -> bytes:
    """Return a P-256 SubjectPublicKeyInfo of any point."""
    return tlv(0x30, like[2:23] + tlv(0x03, b"\0" + point))


def compressed_spki(der: bytes) -> bytes:
    """Return the same P-256 key with its point compressed."""
    return ec_spki(der, bytes([2 + (der[-1] & 1)]) + der[-64:-32])


def pem(der: bytes, label: str = "PUBLIC KEY") -> bytes:
    """Return a PEM block."""
    return f"-----BEGIN {label}-----\n".encode() + base64.encodebytes(der) + f"-----END {label}-----\n".encode()


def read(*keys: bytes) -> dict[str, Any]:
    """Return a case: these keys and nothing wrong."""
    return {"keys": [openssl_kid(der) for der in keys], "reasons": []}


def bad(reason: str, says: str, **instead: Any) -> dict[str, Any]:
    """Return a case: this defect, and no key unless said otherwise."""
    case = {"keys": [], "reasons": [reason], "says": says}
    return {name: value for name, value in (case | instead).items() if value is not None}


def openssl_kid(der: bytes) -> str:
    """Return the kid by OpenSSL's program: parse, write as DER, digest."""
    canonical = subprocess.run(
        ["openssl", "pkey", "-pubin", "-inform", "DER", "-outform", "DER"], input=der, capture_output=True, check=True
    ).stdout
    digest = subprocess.run(
        ["openssl", "dgst", "-sha256", "-binary"], input=canonical, capture_output=True, check=True
    ).stdout
    return b64(digest)


# --- documents --------------------------------------------------------------------------------------------------------


def b64(octets: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def ec_jwk(kid: str, curve: str = "P-256", key: ec.EllipticCurvePublicKey | None = None) -> dict[str, Any]:
    """Return a sound JWK."""
    material = key or ec.generate_private_key(CURVES[curve.lower()]).public_key()
    numbers, size = material.public_numbers(), (material.curve.key_size + 7) // 8
    alg = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[curve]
    x, y = b64(numbers.x.to_bytes(size)), b64(numbers.y.to_bytes(size))
    return {"use": "sig", "kty": "EC", "kid": kid, "alg": alg, "crv": curve, "x": x, "y": y}


def rsa_jwk(kid: str, modulus: int) -> dict[str, Any]:
    """Return a sound JWK."""
    octets = modulus.to_bytes((modulus.bit_length() + 7) // 8)
    return {"use": "sig", "kty": "RSA", "kid": kid, "alg": "RS256", "n": b64(octets), "e": "AQAB"}


def key_set(*members: Any) -> bytes:
    """Return a key set."""
    return json.dumps({"keys": members}, indent=1).encode() + b"\n"


def document_cases() -> dict[str, Case]:
    """Return every document."""
    return not_json_cases() | member_cases() | discovery_cases()


def not_json_cases() -> dict[str, Case]:
    """Return documents that no parser, or not every parser, takes."""
    good = key_set(ec_jwk("a"))
    xml = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
    refused = {
        "empty-file": (b"", "is empty"),
        "blank": (b" \n", "is empty"),
        "bom": (b"\xef\xbb\xbf" + good, "BOM"),
        "utf-16": (good.decode().encode("utf-16"), "BOM"),
        "latin-1": (good.replace(b'"a"', b'"\xe4"'), "is not UTF-8"),
        "gzip": (gzip.compress(good, mtime=0), "gzip"),
        "html-error-page": (b"<!DOCTYPE html>\n<html><title>403</title></html>", "is an HTML page"),
        "html-without-doctype": (b"\n<html><head></head></html>", "is an HTML page"),
        "xml-access-denied": (xml, "XML error page with the code AccessDenied"),
        "text": (b"Not Found\n", "is not JSON (line 1, column 1)"),
        "trailing-comma": (b'{"keys":[],}', "is not JSON"),
        "comment": (b'{"keys":[] /* none */}', "is not JSON"),
        "two-documents": (good + good, "is not JSON"),
        "truncated": (good[:-20], "is not JSON"),
        "member-twice": (b'{"keys":[],"keys":[]}', 'has the member "keys" twice'),
        "member-twice-inside": (good.replace(b'"kid"', b'"kid": "b", "kid"'), 'has the member "kid" twice'),
        "members-that-differ-by-case": (b'{"keys":[],"Keys":[]}', 'the members "keys" and "Keys"'),
        "nan": (b'{"keys":[],"x":NaN}', "holds NaN"),
        "infinity": (b'{"keys":[],"x":-Infinity}', "holds -Infinity"),
        "number-of-5000-digits": (b'{"keys":[],"x":' + b"9" * 5000 + b"}", "a number that is too long"),
        "half-a-surrogate-pair": (b'{"keys":[],"x":"\\ud800"}', "surrogate"),
        "nested-deeply": (b'{"keys":' + b"[" * 40 + b"]" * 40 + b"}", "nested"),
        "array": (b"[]", "is JSON but not an object"),
        "string": (b'"keys"', "is JSON but not an object"),
        "without-keys": (b"{}", 'has no member "keys" with a list'),
        "keys-is-an-object": (b'{"keys":{}}', 'has no member "keys" with a list'),
        "keys-is-null": (b'{"keys":null}', 'has no member "keys" with a list'),
        "above-64-kib": (good + b" " * 65536, "larger than 64 KiB"),
    }
    cases: dict[str, Case] = {}
    for name, (content, error) in refused.items():
        too_large_for_us_only = name == "above-64-kib"
        cluster = [] if too_large_for_us_only else ["EntryUnreadable"]
        expected = {"error": error, "cluster": cluster, "cluster_keys": ["a"] if too_large_for_us_only else []}
        cases[f"jwks-{name}.json"] = (content, expected)
    return cases


def member_cases() -> dict[str, Case]:
    """Return key sets of which a member is wrong, beside a good one with the kid `good`."""
    modulus = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    one, other, r = ec_jwk("a"), ec_jwk("a"), rsa_jwk("a", modulus)
    thumbprint = b64(hashlib.sha256(b"something else").digest())
    octets = modulus.to_bytes(256)
    short = next(
        key
        for key in iter(lambda: ec.generate_private_key(CURVES["p-256"]).public_key(), None)
        if starts_with_zero(key)
    )
    x = short.public_numbers().x.to_bytes(32)
    off = one | {"y": other["y"]}
    gone: dict[str, tuple[dict[str, Any] | str, str, str]] = {
        "kty-akp": (
            {"use": "sig", "kty": "AKP", "kid": "a", "alg": "ML-DSA-44", "pub": "AAAA"},
            'kty "AKP"',
            "KeyUnsupported",
        ),
        "kty-okp": ({"kty": "OKP", "kid": "a", "crv": "Ed25519", "x": b64(bytes(32))}, 'kty "OKP"', "KeyUnsupported"),
        "kty-absent": ({"kid": "a"}, 'kty "null"', "KeyUnsupported"),
        "crv-p-224": (one | {"crv": "P-224"}, 'curve "P-224"', "KeyUnsupported"),
        "crv-absent": (without(one, "crv"), 'curve "null"', "KeyUnsupported"),
        "rsa-1024": (rsa_jwk("a", modulus >> 1024 | 1), "1024 bits", "KeyUnsupported"),
        "rsa-even-exponent": (r | {"e": b64(b"\1\0\0")}, "exponent", "KeyUnsupported"),
        "rsa-exponent-1": (r | {"e": "AQ"}, "exponent", "KeyUnsupported"),
        "rsa-even-modulus": (rsa_jwk("a", modulus - 1), "even modulus", "KeyUnsupported"),
        "use-enc": (r | {"use": "enc"}, 'use "enc"', "KeyUnsupported"),
        "alg-rs512": (r | {"alg": "RS512"}, 'alg "RS512", not RS256', "KeyUnsupported"),
        "alg-of-another-curve": (one | {"alg": "ES384"}, 'alg "ES384", not ES256', "KeyUnsupported"),
        "point-off-its-curve": (off, "not on P-256", "EntryUnreadable"),
        "point-beyond-the-field": (one | {"x": b64(b"\xff" * 32)}, "not on P-256", "EntryUnreadable"),
        "without-n": (without(r, "n"), "no base64url in n", "EntryUnreadable"),
        "x-is-a-number": (one | {"x": 1}, "no base64url in x", "EntryUnreadable"),
        "x-of-impossible-length": (one | {"x": "AAAAA"}, "no base64url in x", "EntryUnreadable"),
        "base64-with-plus": (r | {"n": "+" + r["n"][1:]}, "no base64url in n", "EntryUnreadable"),
        "base64-with-line-break": (r | {"n": r["n"] + "\n"}, "no base64url in n", "EntryUnreadable"),
        "without-kid": (without(one, "kid"), "key 2 has no kid", "EntryUnreadable"),
        "kid-empty": (one | {"kid": ""}, "1 to 1024 bytes", "EntryUnreadable"),
        "kid-a-number": (one | {"kid": 7}, "has no kid", "EntryUnreadable"),
        "kid-of-1025-bytes": (one | {"kid": "k" * 1025}, "1 to 1024 bytes", "EntryUnreadable"),
        "kid-thumbprint-of-another-key": (one | {"kid": thumbprint}, "thumbprint of another key", "KeyMaterialChanged"),
        "not-an-object": ("a", "key 2 is not a JSON object", "EntryUnreadable"),
        "private-member-d": (one | {"d": "AQAB"}, "private members (d)", "PrivateKeyInEntry"),
        "private-members-of-rsa": (r | {"p": "AQAB", "oth": []}, "private members (p, oth)", "PrivateKeyInEntry"),
        "symmetric": ({"kty": "oct", "kid": "a", "k": "AQAB"}, "private members (k)", "PrivateKeyInEntry"),
    }
    flawed = {
        "padding": (r | {"e": "AQAB", "n": base64.urlsafe_b64encode(octets).decode()}, ["base64url of n"]),
        "leading-zero-in-n": (r | {"n": b64(b"\0" + octets)}, ["leading zeros in n"]),
        "coordinate-too-short": (
            ec_jwk("a", key=short) | {"x": b64(x.lstrip(b"\0"))},
            ["31 bytes in x where P-256 has 32"],
        ),
        "coordinate-too-long": (ec_jwk("a", key=short) | {"x": b64(b"\0" + x)}, ["33 bytes in x where P-256 has 32"]),
        "x5c": (one | {"x5c": ["AAAA"], "x5t": "AAAA"}, ['relying parties refuse ("x5c", "x5t")']),
        "key-ops": (one | {"key_ops": ["verify"]}, ['"key_ops"']),
    }
    good = ec_jwk("good", "P-384")
    cases: dict[str, Case] = {
        f"jwks-{name}.json": (
            key_set(good, member),
            {"defects": [words], "keys": ["good"], "cluster": [reason], "cluster_keys": ["good"]},
        )
        for name, (member, words, reason) in gone.items()
    }
    for name, (jwk, words) in flawed.items():
        kids = ["good", "a"]
        expected = {"defects": words, "keys": kids, "cluster": [], "cluster_keys": kids}
        cases[f"jwks-{name}.json"] = (key_set(good, jwk), expected)
    return cases | kid_cases(one, other, r)


def kid_cases(one: dict[str, Any], other: dict[str, Any], rsa_member: dict[str, Any]) -> dict[str, Case]:
    """Return key sets that are wrong, or right, as a whole."""
    again = "has the kid of an earlier key"
    minimal = {name: rsa_member[name] for name in ("kty", "kid", "n", "e")}
    sound = {"defects": [], "keys": ["a"], "cluster": [], "cluster_keys": ["a"]}
    return {
        "jwks-no-keys.json": (key_set(), {"defects": ["is empty"], "keys": [], "cluster": [], "cluster_keys": []}),
        "jwks-duplicate.json": (key_set(one, one), sound | {"defects": [again]}),
        "jwks-two-materials-under-one-kid.json": (
            key_set(one, other),
            sound | {"defects": [f"{again} and other material"], "cluster_keys": ["a", "a"]},
        ),
        "jwks-sound-without-alg-and-use.json": (key_set(minimal), sound),
        "jwks-sound-with-members-beside-keys.json": (
            json.dumps({"keys": [one], "x": {"y": [1, 2.5, None]}}).encode(),
            sound,
        ),
        "jwks-sound-with-a-kid-of-1024-bytes.json": (
            key_set(one | {"kid": "k" * 1024}),
            sound | {"keys": ["k" * 1024], "cluster_keys": ["k" * 1024]},
        ),
    }


def discovery_cases() -> dict[str, Case]:
    """Return discovery documents that cannot be used."""
    algorithms = "id_token_signing_alg_values_supported"
    sound = {"issuer": "https://i.example", "jwks_uri": "https://i.example/k", algorithms: ["RS256"]}
    refused: dict[str, tuple[dict[str, Any], str]] = {
        "without-issuer": (without(sound, "issuer"), 'no member "issuer"'),
        "issuer-a-list": (sound | {"issuer": ["https://i.example"]}, 'no member "issuer"'),
        "issuer-empty": (sound | {"issuer": ""}, 'no member "issuer"'),
        "without-jwks-uri": (without(sound, "jwks_uri"), 'no member "jwks_uri"'),
        "algorithms-a-string": (sound | {algorithms: "RS256"}, "not a list of strings"),
        "algorithms-a-list-of-numbers": (sound | {algorithms: [256]}, "not a list of strings"),
    }
    return {
        f"discovery-{name}.json": (json.dumps(members).encode(), {"error": words})
        for name, (members, words) in refused.items()
    }


def without(members: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the members but one."""
    return {other: value for other, value in members.items() if other != name}


def starts_with_zero(key: ec.EllipticCurvePublicKey) -> bool:
    """Say whether exactly the first byte of x is zero: one key in 256."""
    x = key.public_numbers().x.to_bytes(32)
    return x[0] == 0 and x[1] != 0


if __name__ == "__main__":
    main()
