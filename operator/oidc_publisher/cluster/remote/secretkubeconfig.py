"""Parse the kubeconfig of a remote cluster, which somebody else than the operator's admin may have written. Pure.

kubernetes.config is not used for it: that library runs credential plugins, reads files, writes keys to the disk and
repeats entries in its messages. Here a kubeconfig holds everything itself, or is refused by a sentence that repeats
nothing of it. Only the current context counts, as for kubectl.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlsplit

import yaml

from oidc_publisher.cluster.forbiddenaddresses import is_forbidden
from oidc_publisher.errors import ClusterError
from oidc_publisher.findings import Reason
from oidc_publisher.linklocal import plain_address

#: Ten times what platforms write. YAML is parsed at some 200 kB a second.
MAX_BYTES = 128 * 1024

_HOST = r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_SERVER = re.compile(rf"https://{_HOST}(:[0-9]{{1,5}})?(/[A-Za-z0-9._~-]+)*/?")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?")
_TOKEN = re.compile(r"[!-~]+")
#: How YAML writes a member without a value, read as text.
_ABSENT = ("", "~", "null", "Null", "NULL")
_FALSE = ("false", "False", "FALSE")

_WRITE_IT_IN = "Let the platform write it into the kubeconfig itself (kubectl config view --raw --flatten does so)."
#: Members of the cluster entry and of the user entry that are refused: what they are, and what to do instead.
_OF_CLUSTER = {
    "certificate-authority": ("names its CA as a file, and no file is read for it", _WRITE_IT_IN),
    "proxy-url": (
        "names a proxy (proxy-url), by which requests could reach what the operator alone reaches",
        "Remove proxy-url, and let the operator reach the API server itself.",
    ),
}
_TOKEN_INSTEAD = "Use a client certificate, or the token of a ServiceAccount of the remote cluster."  # noqa: S105 - advice
_OF_USER = {
    "exec": ("runs a credential plugin (exec), and no program is run for it", _TOKEN_INSTEAD),
    "auth-provider": ("names an auth-provider, which would run code in the operator", _TOKEN_INSTEAD),
    "tokenFile": ("names its token as a file, and no file is read for it", _WRITE_IT_IN),
    "client-certificate": ("names its client certificate as a file, and no file is read for it", _WRITE_IT_IN),
    "client-key": ("names its client key as a file, and no file is read for it", _WRITE_IT_IN),
    "username": ("has a user name and a password, which no API server since Kubernetes 1.19 accepts", _TOKEN_INSTEAD),
    "password": ("has a user name and a password, which no API server since Kubernetes 1.19 accepts", _TOKEN_INSTEAD),
    **dict.fromkeys(
        ("as", "as-uid", "as-groups", "as-user-extra"),
        (
            "impersonates another user (as), which is not supported",
            "Use the credentials of a user with the least rights.",
        ),
    ),
}


class KubeconfigRefusedError(ClusterError):
    """The kubeconfig of a remote cluster cannot be used, or must not be."""

    def __init__(self, where: str, why: str, hint: str = "") -> None:
        super().__init__(Reason.KubeconfigRefused, f"The kubeconfig in {where} {why}", hint=hint, subject=where)


@dataclass(frozen=True, slots=True)
class RemoteKubeconfig:
    """A RemoteKubeconfig holds all that requests to one remote cluster need, and names no file.

    `server` is an https URL without a slash at the end, and `authority` PEM certificates. `certificate` and `key` are
    PEM and stand together; without them there is a `token`.
    """

    server: str
    authority: str
    tls_server_name: str | None = None
    token: str | None = field(default=None, repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    key: bytes | None = field(default=None, repr=False)


def parse_kubeconfig(content: bytes, where: str) -> RemoteKubeconfig:
    """Return what the kubeconfig's current context says; `where` names the Secret for messages.

    Raises:
        KubeconfigRefusedError: it is no kubeconfig, or one that must not be used.
    """
    document = _Map(_parsed(content, where), where)
    context = document.named("contexts", "context", document.text("current-context"), "current-context")
    cluster = document.named("clusters", "cluster", context.text("cluster"), "the cluster of its current context")
    user = document.named("users", "user", context.text("user"), "the user of its current context")
    cluster.refuse(_OF_CLUSTER)
    user.refuse(_OF_USER)
    if cluster.text("insecure-skip-tls-verify") not in (None, *_FALSE):
        cluster.wrong(
            "does not verify the API server (insecure-skip-tls-verify), so that anybody could take its place",
            "Remove insecure-skip-tls-verify, and name the CA in certificate-authority-data.",
        )
    certificate, key = _client_certificate(user)
    token = _token(user)
    if token is None and certificate is None:
        user.wrong("has no credentials: neither a token nor client-certificate-data", _TOKEN_INSTEAD)
    return RemoteKubeconfig(_server(cluster), _authority(cluster), _tls_server_name(cluster), token, certificate, key)


def _parsed(content: bytes, where: str) -> Mapping[str, Any]:
    if len(content) > MAX_BYTES:
        raise KubeconfigRefusedError(
            where, f"is longer than {MAX_BYTES // 1024} KiB", "Leave other clusters out of it."
        )
    try:
        # Everything is read as text, so that no value is turned into a number, a date or an object.
        parsed = yaml.load(content.decode(), Loader=yaml.BaseLoader)  # noqa: S506 - it makes text, lists and maps alone
    except yaml.MarkedYAMLError as error:
        line = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise KubeconfigRefusedError(where, f"is no YAML{line}") from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        raise KubeconfigRefusedError(where, "is no YAML") from None
    if not isinstance(parsed, Mapping) or "clusters" not in parsed:
        raise KubeconfigRefusedError(
            where, "is no kubeconfig", "Name the entry of the Secret that holds one in kubeconfigSecret.key."
        )
    return parsed


@dataclass(frozen=True, slots=True)
class _Map:
    """One map of a kubeconfig."""

    members: Mapping[str, Any]
    where: str

    def wrong(self, why: str, hint: str = "") -> NoReturn:
        raise KubeconfigRefusedError(self.where, why, hint)

    def text(self, member: str) -> str | None:
        """Return a member that is text, None where it is absent."""
        value = self.members.get(member)
        if value is None or (isinstance(value, str) and value.strip() in _ABSENT):
            return None
        if not isinstance(value, str):
            self.wrong(f"has a member {member} that is no text")
        return value.strip()

    def named(self, collection: str, member: str, name: str | None, what: str) -> _Map:
        """Return the map `member` of the entry of that name in a list."""
        if name is None:
            self.wrong(f"does not name {what}", "Set current-context to a context that names a cluster and a user.")
        entries = self.members.get(collection)
        listed = entries if isinstance(entries, list) else []
        found = [entry for entry in listed if isinstance(entry, Mapping) and entry.get("name") == name]
        if len(found) > 1:
            self.wrong(f"has two {collection} of the same name", "Leave one of them.")
        inner = found[0].get(member) if found else None
        if not isinstance(inner, Mapping):
            self.wrong(f"does not hold {what}", "Set current-context to a context whose cluster and user are in it.")
        return _Map(inner, self.where)

    def refuse(self, members: Mapping[str, tuple[str, str]]) -> None:
        """Refuse the first of these members that has a value."""
        for member, (why, hint) in members.items():
            value = self.members.get(member)
            if value and not (isinstance(value, str) and value.strip() in _ABSENT):
                self.wrong(why, hint)

    def decoded(self, member: str) -> bytes | None:
        """Return a member that is base64, None where it is absent."""
        text = self.text(member)
        if text is None:
            return None
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except ValueError:
            self.wrong(f"has a member {member} that is no base64")


def _server(cluster: _Map) -> str:
    server = cluster.text("server")
    if server is None:
        cluster.wrong("names no server")
    if not server.startswith("https://"):
        cluster.wrong(
            "names a server without TLS", "Name an https URL as its server: credentials are sent to no other."
        )
    if not _SERVER.fullmatch(server) or {".", ".."} & set(server.split("/")):
        cluster.wrong(
            "names a server that is no plain URL", "Write https://HOST:PORT, without user information or query."
        )
    try:
        parts = urlsplit(server)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", 0
    if not host or port == 0:
        cluster.wrong("names a server with a host or a port that cannot be", "Write https://HOST:PORT.")
    _refuse_inside(cluster, host)
    return server.rstrip("/")


def _refuse_inside(cluster: _Map, host: str) -> None:
    """Refuse a host that is the operator's own machine or a metadata service; other names are judged when they resolve."""
    name = host.lower().rstrip(".")
    inside = name == "localhost" or name.endswith(".localhost")
    try:
        inside = inside or is_inside(host)
    except ValueError:
        if ":" in host:
            cluster.wrong("names a server at an address that is none", "Write https://[IPv6]:PORT.")
    if inside:
        cluster.wrong(
            "names a server at a loopback, link-local or metadata address, where no remote cluster is",
            "Name the address or the host name at which the operator's pod reaches the API server.",
        )


def is_inside(address: str) -> bool:
    """Return whether an IP address is one at which no remote cluster can be: loopback, link-local, a metadata service's.

    Raises ValueError for what is no IP address.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return parsed.is_loopback or plain_address(address).is_loopback or is_forbidden(address)


def _authority(cluster: _Map) -> str:
    content = cluster.decoded("certificate-authority-data")
    if content is None:
        cluster.wrong(
            "names no CA, so that nobody could tell the API server from another machine",
            "Write the cluster's CA into certificate-authority-data.",
        )
    if b"-----BEGIN CERTIFICATE-----" not in content or not content.isascii():
        cluster.wrong("has a certificate-authority-data without PEM certificates", "Write the cluster's CA there.")
    return content.decode("ascii")


def _tls_server_name(cluster: _Map) -> str | None:
    name = cluster.text("tls-server-name")
    if name is not None and not _NAME.fullmatch(name):
        cluster.wrong("has a tls-server-name that is no name of a host")
    return name


def _token(user: _Map) -> str | None:
    token = user.text("token")
    if token is not None and not _TOKEN.fullmatch(token):
        user.wrong("has a token with characters that no token has", "Write the token alone, without quotes or lines.")
    return token


def _client_certificate(user: _Map) -> tuple[bytes | None, bytes | None]:
    certificate, key = user.decoded("client-certificate-data"), user.decoded("client-key-data")
    if (certificate is None) != (key is None):
        user.wrong("has only one of client-certificate-data and client-key-data", "Write both, or neither and a token.")
    if key is not None and b"ENCRYPTED" in key:
        user.wrong("has a client key behind a password, for which nobody can be asked", "Write the key without one.")
    return certificate, key
