"""Write kubeconfigs as platforms put them into Secrets of a management cluster."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.pki import PKI, Certificate

Object = dict[str, Any]


def encoded(content: bytes) -> str:
    """Base64, as kubeconfigs and Secrets have it."""
    return base64.b64encode(content).decode()


def cluster_entry(pki: PKI, server: str, members: Object | None = None) -> Object:
    """The cluster entry of a server (URL), with the CA in it; a member that is None is left out."""
    return present({"server": server, "certificate-authority-data": encoded(pki.ca_pem)} | (members or {}))


def certificate_user(certificate: Certificate) -> Object:
    """The user entry of a client certificate."""
    return {
        "client-certificate-data": encoded(certificate.chain_file.read_bytes()),
        "client-key-data": encoded(certificate.key_file.read_bytes()),
    }


def kubeconfig(cluster: Object, user: Object, **members: Any) -> Object:
    """A kubeconfig of one context; `members` replaces members of the whole."""
    return present(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "admin@remote",
            "contexts": [{"name": "admin@remote", "context": {"cluster": "remote", "user": "admin"}}],
            "clusters": [{"name": "remote", "cluster": cluster}],
            "users": [{"name": "admin", "user": user}],
            **members,
        }
    )


def written(document: Object) -> bytes:
    """The kubeconfig as bytes; JSON is YAML."""
    return json.dumps(document).encode()


def secret(namespace: str, name: str, content: bytes, *, key: str = "value", version: str | None = None) -> Object:
    """The Secret with a kubeconfig, as Cluster API writes it."""
    metadata = present({"namespace": namespace, "name": name, "resourceVersion": version})
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {key: encoded(content)}}


def present(members: Object) -> Object:
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}
