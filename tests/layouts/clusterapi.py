"""Cluster API's Secret `<cluster>-sa` in the management cluster.

Source: util/secret of kubernetes-sigs/cluster-api, generateServiceAccountKeys: the entries are named as for certificates, but
tls.crt holds the public key, SubjectPublicKeyInfo under "PUBLIC KEY", and tls.key the private one under
"RSA PRIVATE KEY".
"""

from __future__ import annotations

import base64

from tests.layouts.material import pem, rsa_private_pem, rsa_public

PATTERN = r"tls\.crt"
#: A pattern that somebody writes who wants it all.
CARELESS_PATTERN = r"tls\..*"


def secret_data(cluster: str) -> dict[str, str]:
    """The Secret's data as the API shows it."""
    entries = {"tls.crt": pem(rsa_public(cluster)), "tls.key": rsa_private_pem()}
    return {name: base64.b64encode(content).decode() for name, content in entries.items()}
