"""Read a kubeconfig with a client certificate or a token, and open connections with it.

kubernetes.config would cost half of the signer's memory, and the signer needs little of it. A credential plugin and the
token of a ServiceAccount are refused: the signer must not depend on a token that it would have to sign itself.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from oidc_publisher.chainchecks import check_as_go_does
from oidc_publisher.errors import PublisherError
from oidc_publisher.filestate import FileState, file_state
from oidc_publisher.findings import Reason

_HTTPS_PORT = 443
_TIMEOUT_S = 5.0
_KNOWN_USER = frozenset({"client-certificate", "client-certificate-data", "client-key", "client-key-data", "token"})


class _Connection(http.client.HTTPSConnection):
    """A connection to a host that is named in bytes: a string is encoded as IDNA, whose tables are memory for each signer."""

    def __init__(self, host: str, port: int, *, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=_TIMEOUT_S, context=context)
        self._tls = context

    def connect(self) -> None:
        """Open it, as http.client does."""
        host = self.host.encode("ascii") if self.host.isascii() else self.host
        opened = socket.create_connection((host, self.port), _TIMEOUT_S)  # type: ignore[arg-type]  # it takes bytes
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = self._tls.wrap_socket(opened, server_hostname=host)
        except BaseException:
            opened.close()
            raise


class KubeAccessError(PublisherError):
    """The kubeconfig cannot be used."""


def _unusable(message: str) -> KubeAccessError:
    hint = "Give --kubeconfig a file with a server, its authority, and a client certificate or a token."
    return KubeAccessError(Reason.RingUnreadable, f"The kubeconfig cannot be used: {message}", hint=hint)


@dataclass(frozen=True, slots=True)
class KubeAccess:
    """A KubeAccess is one context of the kubeconfig at `path`. It and the files that it names are renewed: `stamp` tells.

    `place` is the address and port of another API server of that cluster, None for the kubeconfig's own.
    """

    path: Path
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    place: str | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the current context of a kubeconfig; raises KubeAccessError, whose message repeats no credential."""
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise _unusable(f"{path} cannot be read: {error.strerror}") from None
        except (yaml.YAMLError, UnicodeDecodeError):
            raise _unusable(f"{path} is not YAML") from None
        try:
            context = _named(document, "contexts", document["current-context"])["context"]
            cluster = _named(document, "clusters", context["cluster"])["cluster"]
            user = _named(document, "users", context["user"])["user"]
        except (KeyError, TypeError, StopIteration):
            raise _unusable(f"{path} has no current context with a cluster and a user") from None
        access = cls(path, cluster, user)
        access.check()
        return access

    def at(self, place: str) -> Self:
        """Return the same access to another API server of the cluster."""
        return replace(self, cluster={**self.cluster, "server": f"https://{place}"}, place=place)

    def renewed(self) -> Self:
        """Read the kubeconfig again; raises KubeAccessError."""
        access = self.read(self.path)
        return access if self.place is None else access.at(self.place)

    def check(self) -> None:
        """Raise KubeAccessError where something is missing, or is more than the signer may use."""
        if urlsplit(str(self.cluster.get("server"))).scheme != "https":
            raise _unusable("the server is not https")
        if self.cluster.get("insecure-skip-tls-verify"):
            raise _unusable("insecure-skip-tls-verify would let anybody be the API server")
        if not any(name in self.cluster for name in ("certificate-authority", "certificate-authority-data")):
            raise _unusable("the cluster has no certificate authority")
        if strange := sorted(set(self.user) - _KNOWN_USER):
            raise _unusable(f"a user with {', '.join(strange)} is not supported")
        if "token" not in self.user and not any(name.startswith("client-certificate") for name in self.user):
            raise _unusable("the user has neither a client certificate nor a token")
        if _of_service_account(str(self.user.get("token", ""))):
            raise _unusable("its token is that of a ServiceAccount, which this signer would have to sign itself")

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.user['token']}"} if "token" in self.user else {}

    @property
    def prefix(self) -> str:
        """What stands before the path of every request."""
        return urlsplit(str(self.cluster["server"])).path.rstrip("/")

    def connection(self, context: ssl.SSLContext) -> http.client.HTTPSConnection:
        """Return a new connection, which is opened by its first request."""
        server = urlsplit(self.cluster["server"])
        if "tls-server-name" in self.cluster:
            raise _unusable("tls-server-name is not supported")
        return _Connection(server.hostname or "", server.port or _HTTPS_PORT, context=context)

    def stamp(self) -> tuple[object, ...]:
        """Return what differs when the kubeconfig, a certificate or a key was renewed, without reading the files."""
        files = (
            (self.cluster, "certificate-authority"),
            (self.user, "client-certificate"),
            (self.user, "client-key"),
        )
        named = (self._at(members[name]) for members, name in files if name in members)
        return tuple(_stamp(file) for file in (self.path, *named))

    def _at(self, name: object) -> Path:
        return self.path.parent / str(name)

    def context(self) -> ssl.SSLContext:
        """Read the certificates and the key, which takes 20 ms; raises KubeAccessError for files that are gone."""
        try:
            with self._file(self.cluster, "certificate-authority") as authority:
                context = ssl.create_default_context(cafile=authority)
            check_as_go_does(context)
            if any(name.startswith("client-certificate") for name in self.user):
                with self._file(self.user, "client-certificate") as chain, self._file(self.user, "client-key") as key:
                    context.load_cert_chain(chain, key)
        except OSError as error:  # SSLError is one
            raise _unusable(f"a certificate or a key cannot be read: {error.strerror or error}") from None
        return context

    @contextlib.contextmanager
    def _file(self, members: Mapping[str, Any], name: str) -> Iterator[str]:
        """Give the file that a member names, or one in memory of a member with data: a private key touches no disk."""
        if f"{name}-data" not in members:
            yield str(self._at(members.get(name)))
            return
        try:
            content = base64.b64decode(members[f"{name}-data"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise _unusable(f"{name}-data is not base64") from None
        descriptor = os.memfd_create(name)
        try:
            os.write(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)


def _of_service_account(token: str) -> bool:
    """Tell whether a token is a JWT of a ServiceAccount; tokens of other kinds are no JWT, or have another subject."""
    try:
        _, claims, _ = token.split(".")
        subject = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]
    except (ValueError, KeyError, TypeError):  # binascii.Error is a ValueError
        return False
    return str(subject).startswith("system:serviceaccount:")


def _stamp(file: Path) -> FileState | None:
    try:
        return file_state(file)
    except OSError:
        return None


def _named(document: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    entry: Mapping[str, Any] = next(each for each in document[kind] if each["name"] == name)
    return entry
