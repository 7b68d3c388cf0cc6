"""Make of a parsed kubeconfig what requests need; its private key never comes to a disk."""

from __future__ import annotations

import os
import ssl

from oidc_publisher.chainchecks import check_as_go_does
from oidc_publisher.cluster.credentials.authorization import Fixed
from oidc_publisher.cluster.credentials.login import Login
from oidc_publisher.cluster.remote.secretkubeconfig import KubeconfigRefusedError, RemoteKubeconfig


def remote_login(kubeconfig: RemoteKubeconfig, where: str) -> Login:
    """Return the login of a remote cluster; `where` names the Secret for messages.

    Raises:
        KubeconfigRefusedError: OpenSSL takes a certificate or the key of it for none.
    """
    return Login(
        server=kubeconfig.server,
        tls=_context(kubeconfig, where),
        authorization=Fixed(f"Bearer {kubeconfig.token}" if kubeconfig.token else None),
        tls_server_name=kubeconfig.tls_server_name,
        own_authority=True,
    )


def _context(kubeconfig: RemoteKubeconfig, where: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=kubeconfig.authority)
    except (ssl.SSLError, ValueError):
        raise KubeconfigRefusedError(
            where,
            "has a certificate-authority-data that holds no readable certificate",
            "Write the cluster's CA there, as PEM in base64.",
        ) from None
    check_as_go_does(context)
    if kubeconfig.certificate is not None and kubeconfig.key is not None:
        _load_chain(context, kubeconfig.certificate + b"\n" + kubeconfig.key, where)
    return context


def _load_chain(context: ssl.SSLContext, pem: bytes, where: str) -> None:
    """Load a client certificate and its key by way of a file in memory, since `ssl` takes files alone."""
    file = os.memfd_create("client", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(file), "wb") as writer:
            writer.write(pem)
        # Without a password, OpenSSL would ask for one at the terminal.
        context.load_cert_chain(f"/proc/self/fd/{file}", password="")
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        raise KubeconfigRefusedError(
            where,
            "has a client certificate and a client key that cannot be used together",
            "Write both anew, as PEM in base64: client-certificate-data and client-key-data.",
        ) from None
    finally:
        os.close(file)
