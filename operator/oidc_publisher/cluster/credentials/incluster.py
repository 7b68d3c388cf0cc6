"""Load the credentials of a pod: the files that kubelet mounts, and the two variables that name the API server.

`kubernetes.config` has a loader of them too. It would be all that an operator in a pod needs of that package, whose import
costs 10 MiB on top of the operator's own.
"""

from __future__ import annotations

import os
from pathlib import Path

from oidc_publisher.cluster.credentials.authorization import TokenFile
from oidc_publisher.cluster.credentials.login import Login, login_to
from oidc_publisher.cluster.failures import CredentialsError

SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"

_MOUNT = "Let the pod mount its ServiceAccount token (automountServiceAccountToken, or a projected volume)."
_LOOK = "Look at the volume that is mounted there, and whether the operator's user may read it (fsGroup, runAsUser)."


def in_cluster_login(folder: str = SERVICE_ACCOUNT_FOLDER) -> Login:
    """Load the ServiceAccount credentials that kubelet mounts into a pod. Blocks: it reads files.

    Raises:
        CredentialsError: a file is missing or empty, or a variable is.
    """
    host, port = os.environ.get(HOST), os.environ.get(PORT)
    if not host or not port:
        raise CredentialsError(
            f"The pod's API server is not known: {PORT if host else HOST} is not set or empty",
            hint="kubelet sets both variables in every container; name a kubeconfig with --kubeconfig elsewhere.",
        )
    token, authority = Path(folder, "token"), Path(folder, "ca.crt")
    for path, what in ((token, "token file"), (authority, "CA's file")):
        _require_content(path, what)
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return login_to(server, TokenFile(token), authority=str(authority), hint=_LOOK)


def _require_content(path: Path, what: str) -> None:
    hint = _LOOK
    try:
        why = "" if path.read_bytes().strip() else "is empty"
    except FileNotFoundError:
        why, hint = "does not exist", _MOUNT
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    if why:
        raise CredentialsError(f"The pod's credentials in {path.parent} cannot be used: the {what} {why}", hint=hint)
