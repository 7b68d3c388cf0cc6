"""A control plane of another cluster that trusts the issuer through --authentication-config."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import yaml

from tests.live.rotation_proof.tokens import AUDIENCE, SUBJECT
from tests.support.apiserver import ServerConfig
from tests.support.controlplane import ControlPlane
from tests.support.pki import PKI
from tests.support.signingkeys import signing_key

USERNAME_PREFIX = "workload:"


def remote_cluster(folder: Path, pki: PKI, issuer: str) -> ControlPlane:
    """One kube-apiserver and its etcd, not yet started.

    It reads the discovery document at its start, and 10 s later if that failed: the issuer has to be there before.
    """
    folder.mkdir(parents=True)
    path = folder / "authentication.yaml"
    path.write_text(yaml.safe_dump(_authentication(pki, issuer)))
    flags = (f"--authentication-config={path}",)
    config = ServerConfig(signing_key("P-256", "remote"), extra_flags=flags)
    return ControlPlane(folder / "cluster", pki, [config], loopback=True)


def stranger_token(issuer: str) -> str:
    """A token that is right in everything but the key, which nobody publishes."""
    key = signing_key("P-256", "nobody's")
    now = int(time.time())
    claims = {"iss": issuer, "aud": [AUDIENCE], "sub": SUBJECT, "iat": now, "nbf": now, "exp": now + 600}
    return jwt.encode(claims, key.private_pem, algorithm=key.algorithm, headers={"kid": key.kid})


def _authentication(pki: PKI, issuer: str) -> dict[str, object]:
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [
            {
                "issuer": {"url": issuer, "audiences": [AUDIENCE], "certificateAuthority": pki.ca_pem.decode()},
                "claimMappings": {"username": {"claim": "sub", "prefix": USERNAME_PREFIX}},
            }
        ],
    }
