"""The search for secrets in the logs of the live suite finds what it is for, and nothing in lines as they should be."""

from __future__ import annotations

import base64
import json
import re
import secrets
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tests.support import secretscan
from tests.support.secretscan import leaks, secrets_in, watch_log
from tests.support.signingkeys import rsa_key, signing_key

RSA = rsa_key()
CURVES = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
LONG = load_pem_private_key(signing_key("RSA-4096").private_pem, None, unsafe_skip_rsa_key_validation=True)
PRIVATE = [RSA, LONG, *map(ec.generate_private_key, CURVES)]


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("key", PRIVATE, ids=lambda key: f"{type(key).__name__}-{key.key_size}")
def test_a_private_key_is_found_with_and_without_its_pem_lines(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: PrivateFormat
) -> None:
    """In a line of its own, in JSON with escaped line ends, and as bare base64."""
    text = pem(key, form)
    body = re.sub(r"-----[^-]+-----|\s", "", text)
    for said in (text, json.dumps({"message": text}), f"value={body}"):
        assert secrets_in(said)


def test_tokens_are_found_whole_and_in_part() -> None:
    """A header without its payload is a half of a secret, and shows that a token was printed."""
    claims = {"iss": "https://oidc.example.com", "aud": ["sts.amazonaws.com"], "kubernetes.io": {"namespace": "x"}}
    token = jwt.encode(claims, RSA, "RS256", headers={"kid": "a"})
    header, payload, _ = token.split(".")
    for said in (token, header, f'{{"why": "{payload}"}}', f"Authorization: Bearer {secrets.token_hex(16)}"):
        assert secrets_in(said), said


def test_known_values_and_private_members_are_found() -> None:
    """A secret access key has no form of its own."""
    known = secrets.token_urlsafe(30)
    assert secrets_in(f"signed with {known}", [known]) == ["line 1: a secret that it was given"]
    number = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    assert secrets_in(json.dumps({"d": number}))
    assert secrets_in(json.dumps({"message": json.dumps({"d": number})}))


@pytest.mark.parametrize("where", ["AWS_SECRET_ACCESS_KEY", "token", "tokenFile"])
def test_the_log_of_an_operator_is_searched_for_what_it_was_given(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its environment, by its kubeconfig, and by a file that this names; a log that was never written is none."""
    monkeypatch.setattr(secretscan, "_LOGS", {})
    given, log, config = secrets.token_urlsafe(30), tmp_path / "operator.log", tmp_path / "kubeconfig"
    (tmp_path / "token").write_text(f"{given}\n")
    user = {where: str(tmp_path / "token") if where == "tokenFile" else given}
    config.write_text(json.dumps({"users": [{"name": "one", "user": user}]}))
    watch_log(log, {"KUBECONFIG": str(config), **({where: given} if where.isupper() else {})})
    assert leaks() == {}
    log.write_text("as it should be\n")
    assert leaks() == {}
    log.write_text(f"as it should be\nGET / {given}\n")
    assert leaks() == {str(log): ["line 2: a secret that it was given"]}


def test_nothing_is_found_in_lines_as_they_should_be() -> None:
    """Public keys, key IDs (some begin like a token), what the mask leaves, empty values of the environment."""
    lines = [
        signing_key().public_pem.decode(),
        "eyJ" + secrets.token_urlsafe(30).replace("-", "_"),
        "Authorization: Bearer <hidden>",
        "a token <token> and <private key>",
        json.dumps({"use": "sig", "n": secrets.token_urlsafe(256), "e": "AQAB", "kid": "d"}),
    ]
    assert secrets_in("\n".join(lines), ["", "short"]) == []
