"""Relying parties in Python: PyJWT or joserfc, named by the first argument; the second is a file of roots in PEM.

One question a line, {"name", "issuer", "audience", "token"}; one answer a line, {"name", "accepts", "says"}. Neither
library reads a discovery document: urllib does, as PyJWKClient reads key sets with it.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import ssl
import sys
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

import joserfc.jwk
import joserfc.jwt
import jwt

#: Twice the time of STS, because a hundred issuers are asked at once.
TIMEOUT_S = 10
#: Their timeout is for each read of the socket, so that a host that trickles can hold them as long as it likes.
PATIENCE_S = 30

Question = dict[str, str]


def with_pyjwt(asked: Question, discovery: Any, tls: ssl.SSLContext) -> None:
    """Verify with PyJWT and its PyJWKClient."""
    client = jwt.PyJWKClient(discovery["jwks_uri"], ssl_context=tls, timeout=TIMEOUT_S)
    key = client.get_signing_key_from_jwt(asked["token"])
    jwt.decode(
        asked["token"],
        key,
        algorithms=discovery["id_token_signing_alg_values_supported"],
        audience=asked["audience"],
        issuer=asked["issuer"],
    )


def with_joserfc(asked: Question, discovery: Any, tls: ssl.SSLContext) -> None:
    """Verify with joserfc, over a key set that urllib read."""
    keys = joserfc.jwk.KeySet.import_key_set(read(discovery["jwks_uri"], tls))
    token = joserfc.jwt.decode(asked["token"], keys, algorithms=discovery["id_token_signing_alg_values_supported"])
    joserfc.jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": asked["issuer"]},
        aud={"essential": True, "value": asked["audience"]},
        exp={"essential": True},
        leeway=5,
    ).validate(token.claims)


PARTIES: dict[str, Callable[[Question, Any, ssl.SSLContext], None]] = {"PyJWT": with_pyjwt, "joserfc": with_joserfc}


def read(url: str, tls: ssl.SSLContext) -> Any:
    """Return the JSON at a URL."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=tls) as answer:  # noqa: S310 - what a party is told
        return json.load(answer)


def _compare(named: str, issuer: str) -> None:
    if named != issuer:  # OpenID Connect Discovery 1.0, 4.3: the application has to look
        raise ValueError("the discovery document names another issuer")


def answered(party: str, asked: Question, tls: ssl.SSLContext) -> dict[str, Any]:
    """Return what the party says of one issuer."""
    try:
        discovery = read(f"{asked['issuer']}/.well-known/openid-configuration", tls)
        _compare(discovery["issuer"], asked["issuer"])
        PARTIES[party](asked, discovery, tls)
    except Exception as error:  # noqa: BLE001 - whatever it is, the token is not accepted
        return {"name": asked["name"], "accepts": False, "says": f"{type(error).__name__}: {error}"}
    return {"name": asked["name"], "accepts": True, "says": ""}


def main(party: str, roots: str, lines: Iterable[str]) -> None:
    """Answer every question, all at once; a party that still reads after PATIENCE_S gets no answer in time."""
    tls = ssl.create_default_context(cafile=roots)
    questions = [json.loads(line) for line in lines]
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=max(1, len(questions)))
    asked = {pool.submit(answered, party, question, tls): question["name"] for question in questions}
    done, _ = concurrent.futures.wait(asked, timeout=PATIENCE_S)
    late = {"accepts": False, "says": f"still reading after {PATIENCE_S} s"}
    for future, name in asked.items():
        answer = future.result() if future in done else {"name": name, **late}
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer
    os._exit(0)  # threads that still read


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.stdin)
