"""Key IDs as the real API server computes them, for every type of key that it signs with."""

from __future__ import annotations

import json

import jwt

from oidc_publisher.keys import PublicKey, read_cluster_jwks, read_entry, to_jwk
from tests.support.controlplane import ControlPlane, ServerConfig, with_keys
from tests.support.signingkeys import KINDS, signing_key


def test_key_ids_and_members_are_those_of_the_api_server(control_plane: ControlPlane) -> None:
    """RSA-2048, RSA-4096, P-256, P-384, P-521: from PEM we get the kid and the JWK that the server serves."""
    keys = [signing_key(kind, "key-ids") for kind in KINDS]
    with control_plane.restored():
        control_plane.restart(0, with_keys(ServerConfig(keys[0]), *(key.public_pem for key in keys)))
        body = control_plane.request("GET", "/openid/v1/jwks", index=0).body
    served = {member["kid"]: member for member in json.loads(body)["keys"]}
    ours = [read_entry(key.public_pem).keys[0] for key in keys]
    assert {key.key_id for key in ours} == set(served)
    for key in ours:
        assert to_jwk(key) == {**served[key.key_id], "use": "sig"}
    assert read_cluster_jwks(body).keys == tuple(PublicKey.from_spki(key.spki) for key in _in_order(ours, served))


def test_tokens_carry_that_key_id_and_algorithm(control_plane: ControlPlane) -> None:
    """One token of a server for each type: the header's kid and alg are what we compute from the public half."""
    control_plane.create_service_account("default", "probe")
    with control_plane.restored():
        for kind in KINDS:
            key = signing_key(kind, "key-ids")
            control_plane.restart(0, ServerConfig(key))
            header = jwt.get_unverified_header(control_plane.mint_token(0, "default", "probe", "aud", 600))
            ours = read_entry(key.public_pem).keys[0]
            assert (header["kid"], header["alg"]) == (ours.key_id, ours.algorithm)


def _in_order(keys: list[PublicKey], served: dict[str, object]) -> list[PublicKey]:
    by_id = {key.key_id: key for key in keys}
    return [by_id[kid] for kid in served]
