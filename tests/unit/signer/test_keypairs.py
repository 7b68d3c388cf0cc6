"""Keys and signatures: the vectors of the standard, and verifiers of other hands."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc import jws
from joserfc.jwk import KeySet

from oidc_publisher.errors import KeyRefusedError
from oidc_publisher.keys import PublicKey, to_jwk
from oidc_publisher.signer.keypairs import TokenSigner, make_pair, read_pair
from oidc_publisher.signer.ring import PrivateHalf, RingKey
from tests.support.rings import NOW
from tests.support.signingkeys import KINDS, Kind, signing_key

ALGORITHMS = ("RS256", "ES256", "ES384", "ES512")
CLAIMS = base64.urlsafe_b64encode(b'{"sub":"system:serviceaccount:a:b"}').rstrip(b"=").decode()


def signer(public: PublicKey, private: PrivateHalf) -> TokenSigner:
    return TokenSigner.of(RingKey(1, public, NOW, private))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tokens_verify_with_libraries_of_other_hands(algorithm: str) -> None:
    """PyJWT and joserfc, by the key as it is published. The header has what kube-apiserver allows, and no more."""
    public, private = make_pair(algorithm)
    made = signer(public, private)
    token = f"{made.header}.{CLAIMS}.{made.sign(CLAIMS)}"
    jwk = to_jwk(public)
    assert jwt.decode(token, jwt.PyJWK(jwk), algorithms=[algorithm]) == {"sub": "system:serviceaccount:a:b"}
    verified = jws.deserialize_compact(token, KeySet.import_key_set({"keys": [{**jwk}]}), algorithms=[algorithm])
    assert verified.headers() == {"alg": algorithm, "kid": public.key_id, "typ": "JWT"}


def test_the_vector_of_the_standard() -> None:
    """RFC 7515, A.2: the signature over its header and payload, with its key."""
    numbers = {name: int.from_bytes(base64.urlsafe_b64decode(f"{value}==")) for name, value in _RFC7515_KEY.items()}
    public = rsa.RSAPublicNumbers(numbers["e"], numbers["n"])
    private = rsa.RSAPrivateNumbers(
        numbers["p"],
        numbers["q"],
        numbers["d"],
        numbers["d"] % (numbers["p"] - 1),
        numbers["d"] % (numbers["q"] - 1),
        pow(numbers["q"], -1, numbers["p"]),
        public,
    ).private_key()
    key_id = PublicKey.of(private.public_key()).key_id
    made = TokenSigner(key_id, "RS256", _RFC7515_HEADER, private)
    assert made.sign(_RFC7515_PAYLOAD) == _RFC7515_SIGNATURE


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.slow] * (k == "RSA-4096")) for k in KINDS])
def test_an_imported_key_keeps_its_key_id(kind: Kind) -> None:
    """What is visible stays as it was: kube-apiserver's own thumbprint."""
    key = signing_key(kind)
    public, private = read_pair(key.private_pem)
    assert (public.key_id, public.algorithm) == (key.kid, key.algorithm)
    assert signer(public, private).key_id == key.kid


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        (b"", "is no unencrypted private key"),
        (signing_key().public_pem, "is no unencrypted private key"),
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            "is neither an RSA nor an EC key",
        ),
        (
            ec.generate_private_key(ec.SECP224R1()).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            "is an EC key on P-224",
        ),
        (
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"password"),
            ),
            "is no unencrypted private key",
        ),
    ],
    ids=["empty", "public", "ed25519", "p-224", "encrypted"],
)
def test_what_an_api_server_would_refuse_is_not_imported(pem: bytes, message: str) -> None:
    """One such key in its list would leave the old set standing."""
    with pytest.raises(KeyRefusedError, match=message):
        read_pair(pem)


def test_a_version_without_private_half_signs_nothing() -> None:
    """The caller has to look first."""
    public, private = make_pair("ES256")
    with pytest.raises(ValueError, match="version 1 has no private half"):
        TokenSigner.of(RingKey(1, public, NOW))
    assert json.dumps(str(private.pkcs8)) not in repr(signer(public, private))


# RFC 7515, appendix A.2.
_RFC7515_HEADER = "eyJhbGciOiJSUzI1NiJ9"
_RFC7515_PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
_RFC7515_SIGNATURE = (
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dn"
    "ZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC"
    "-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)
_RFC7515_KEY = {
    "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC"
    "gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsm"
    "tdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    "e": "AQAB",
    "d": "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ"
    "1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4eh"
    "NYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
    "p": "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPG"
    "BY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    "q": "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA"
    "-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
}
