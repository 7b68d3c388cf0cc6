"""Make the folders of broken issuers anew."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oidc_publisher.documents import discovery_document
from oidc_publisher.keys import PublicKey, thumbprint, to_jwk
from oidc_publisher.keys.jwk import read_jwk

HERE = Path(__file__).parent
ISSUER = "https://issuer.example.test/prod"
JWKS_URI = f"{ISSUER}/openid/v1/jwks"

# RFC 7515, A.2.1
SIGNING_RSA = {
    "kty": "RSA",
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs"
    "D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV"
    "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    "e": "AQAB",
}
# RFC 7515, A.3.1
SIGNING_EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
# RFC 7517, A.1
FORMER_EC = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
# RFC 7517, A.1
STRANGE_RSA = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMst"
    "n64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9"
    "1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
}

Case = tuple[dict[str, bytes], list[str]]


def main() -> None:
    """Write every folder and cases.json."""
    for old in HERE.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    table = {}
    for name, (answers, reasons) in cases().items():
        (HERE / name).mkdir()
        for part, content in answers.items():
            (HERE / name / f"{part}.http").write_bytes(content)
        table[name] = reasons
    (HERE / "cases.json").write_text(json.dumps(table, indent=2) + "\n")
    (HERE / "former.json").write_text(json.dumps(jwk(FORMER_EC)) + "\n")


def jwk(bare: dict[str, str], **changes: Any) -> dict[str, Any]:
    """Return a whole JWK as we publish it, with members changed, or removed by None."""
    material = read_jwk({**bare, "kid": "any"}).key.spki
    whole = to_jwk(PublicKey.from_spki(material, thumbprint(material)))
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def http(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """Return an answer with the headers of a store of ours, changed by name, or removed by an empty string."""
    plain = {"Content-Type": "application/json", "Cache-Control": "public, max-age=300"}
    plain |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}" for name, value in plain.items() if value]
    head = "\r\n".join([f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}", "", ""])
    return head.encode() + body


def key_set(*members: Any) -> bytes:
    """Return the bytes of a key set."""
    return json.dumps({"keys": members}).encode()


def s3_error(status: str, code: str, **headers: str) -> bytes:
    """Return an error as S3 words it."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>Gone wrong</Message></Error>'
    return http(body.encode(), status, Content_Type="application/xml", Cache_Control="", **headers)


def cases() -> dict[str, Case]:
    """Return the answers of each issuer and the reasons they must produce."""
    good = {"discovery": http(discovery()), "jwks": http(key_set(jwk(SIGNING_RSA), jwk(SIGNING_EC)))}
    return {"good": (good, []), **answers_without_document(), **documents_of_others(), **key_sets(), **headers()}


def discovery(*algorithms: str, **changes: Any) -> bytes:
    """Return our discovery document with members changed, or removed by None."""
    members = json.loads(discovery_document(ISSUER, JWKS_URI, algorithms)) | changes
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


def answers_without_document() -> dict[str, Case]:
    """Return the issuers whose host does not give the documents."""
    page = http(b"<!DOCTYPE html><html><body><h1>503</h1></body></html>", Content_Type="text/html", Cache_Control="")
    both: Callable[[bytes], dict[str, bytes]] = lambda answer: {"discovery": answer, "jwks": answer}  # noqa: E731
    return {
        "bucket-not-public": (both(s3_error("403 Forbidden", "AccessDenied")), ["AccessBlocked"]),
        "login-wanted": (both(http(b"", "401 Unauthorized", WWW_Authenticate="Basic")), ["AccessBlocked"]),
        "bucket-in-another-region": (both(s3_error("301 Moved Permanently", "PermanentRedirect")), ["Redirected"]),
        "redirect-to-www": (
            {"discovery": http(b"", "308 Permanent Redirect", Location="https://www/x?s=1")},
            ["Redirected"],
        ),
        "nothing-there": (both(s3_error("404 Not Found", "NoSuchKey")), ["DocumentNotFound"]),
        "jwks-missing": ({"jwks": s3_error("404 Not Found", "NoSuchKey")}, ["DocumentNotFound"]),
        "throttled": ({"jwks": s3_error("503 Slow Down", "SlowDown")}, ["UnexpectedStatus"]),
        "no-content": ({"jwks": http(b"", "204 No Content")}, ["UnexpectedStatus"]),
        "error-page-with-status-200": (both(page), ["DocumentInvalid", "HeadersWrong", "CacheControlWrong"]),
        "bom": ({"discovery": http(b"\xef\xbb\xbf" + discovery())}, ["DocumentInvalid"]),
        "issuer-twice": ({"discovery": http(b'{"issuer":"https://evil",' + discovery()[1:])}, ["DocumentInvalid"]),
        "gzip-unasked": (
            {"jwks": http(gzip.compress(key_set(jwk(SIGNING_RSA)), mtime=0), Content_Encoding="gzip")},
            ["DocumentInvalid", "HeadersWrong"],
        ),
    }


def documents_of_others() -> dict[str, Case]:
    """Return the issuers whose discovery document is not the published one."""
    return {
        "trailing-slash": ({"discovery": http(discovery(issuer=f"{ISSUER}/"))}, ["IssuerMismatch"]),
        "host-in-capitals": (
            {"discovery": http(discovery(issuer=ISSUER.replace("issuer", "ISSUER")))},
            ["IssuerMismatch"],
        ),
        "jwks-uri-of-the-api-server": (
            {"discovery": http(discovery(jwks_uri="https://10.0.0.1:6443/openid/v1/jwks"))},
            ["JWKSURIInvalid"],
        ),
        "without-jwks-uri": ({"discovery": http(discovery(jwks_uri=None))}, ["DocumentInvalid"]),
        "advertises-rs256-only": (
            {"discovery": http(discovery(id_token_signing_alg_values_supported=["RS256"]))},
            ["AlgorithmsIncomplete"],
        ),
        "advertises-no-algorithm": (
            {"discovery": http(discovery(id_token_signing_alg_values_supported=None))},
            ["AlgorithmsIncomplete"],
        ),
        "without-authorization-endpoint": (
            {"discovery": http(discovery(authorization_endpoint=None))},
            ["RelyingPartyRuleBroken"],
        ),
    }


def key_sets() -> dict[str, Case]:
    """Return the issuers whose key set is not the published one, or does harm."""
    ours = jwk(SIGNING_RSA), jwk(SIGNING_EC)
    former, strange = jwk(FORMER_EC), jwk(STRANGE_RSA)
    impostor = jwk(STRANGE_RSA, kid=ours[0]["kid"])
    post_quantum = {"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AA"}
    old = http(key_set(ours[0], former))
    return {
        "empty-set": ({"jwks": http(key_set())}, ["KeySetInvalid", "RelyingPartyRuleBroken"]),
        "older-set": ({"jwks": old}, ["StaleCopy"]),
        "new-key-missing": ({"jwks": http(key_set(ours[0]))}, ["StaleCopy"]),
        "former-key-still-there": ({"jwks": http(key_set(*ours, former))}, ["StaleCopy"]),
        "key-of-a-stranger": ({"jwks": http(key_set(*ours, strange))}, ["DifferentKeysServed"]),
        "another-cluster": ({"jwks": http(key_set(strange))}, ["DifferentKeysServed"]),
        "other-material-under-our-kid": (
            {"jwks": http(key_set(impostor, ours[1]))},
            ["KeySetInvalid", "StaleCopy"],  # a thumbprint kid that does not match: the key does not count
        ),
        "one-edge-is-old": ({"jwks-again": old}, ["AnswersDisagree"]),
        "one-edge-is-empty": (
            {"jwks-again": s3_error("404 Not Found", "NoSuchKey")},
            ["AnswersDisagree", "DocumentNotFound"],
        ),
        "each-read-another-set": (
            {"jwks": http(key_set(ours[0])), "jwks-again": http(key_set(ours[1]))},
            ["AnswersDisagree", "StaleCopy"],
        ),
        "key-twice": ({"jwks": http(key_set(*ours, ours[1]))}, ["KeySetInvalid"]),
        "private-key": (
            {"jwks": http(key_set(*ours, jwk(FORMER_EC, d="AAAA")))},
            ["KeySetInvalid", "RelyingPartyRuleBroken"],
        ),
        "x5c": (
            {"jwks": http(key_set(ours[0], ours[1] | {"x5c": ["AAAA"]}))},
            ["KeySetInvalid", "RelyingPartyRuleBroken"],
        ),
        "point-off-its-curve": (
            {"jwks": http(key_set(*ours, former | {"y": former["x"]}))},
            ["KeySetInvalid"],
        ),
        "curve-p-224": (
            {"jwks": http(key_set(*ours, former | {"crv": "P-224"}))},
            ["KeySetInvalid", "RelyingPartyRuleBroken"],
        ),
        "post-quantum-key": ({"jwks": http(key_set(*ours, post_quantum))}, ["KeySetInvalid", "RelyingPartyRuleBroken"]),
    }


def headers() -> dict[str, Case]:
    """Return the issuers whose documents are good and whose headers are not."""
    keys = key_set(jwk(SIGNING_RSA), jwk(SIGNING_EC))
    return {
        "octet-stream": ({"discovery": http(discovery(), Content_Type="application/octet-stream")}, ["HeadersWrong"]),
        "without-content-type": ({"jwks": http(keys, Content_Type="")}, ["HeadersWrong"]),
        "aws-chunked": ({"jwks": http(keys, Content_Encoding="aws-chunked")}, ["HeadersWrong"]),
        "without-cache-control": ({"jwks": http(keys, Cache_Control="")}, ["CacheControlWrong"]),
        "cached-for-a-day": ({"jwks": http(keys, Cache_Control="public, max-age=86400")}, ["CacheControlWrong"]),
        "no-store": ({"discovery": http(discovery(), Cache_Control="no-store")}, ["CacheControlWrong"]),
        "as-a-real-api-server-has-it": (
            {
                "discovery": http(
                    discovery(), Cache_Control="Public, Max-Age=300", Content_Type="application/json; charset=utf-8"
                ),
                "jwks": http(keys, Content_Type="application/jwk-set+json"),
            },
            [],
        ),
    }


if __name__ == "__main__":
    main()
