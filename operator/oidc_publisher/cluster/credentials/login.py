"""Hold one loading of credentials: the API server's URL, how to verify it, and how to authenticate to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from oidc_publisher.cluster.credentials.authorization import Authorization, Fixed
from oidc_publisher.cluster.credentials.clientcontext import client_context
from oidc_publisher.cluster.failures import CredentialsError
from oidc_publisher.filestate import FileState, file_state

_HINT = "Try `kubectl get --raw /readyz` with the same kubeconfig and context."


@dataclass(frozen=True, slots=True)
class Login:
    """A Login holds what requests to one cluster need.

    `server` is the API server's URL without a slash at the end. `authority` is the file of the CA and the state of that
    file when it was read, so that a later change is noticed; None when the system's CAs are trusted, or where the
    credentials hold their CA themselves (`own_authority`).
    """

    server: str
    tls: ssl.SSLContext
    authorization: Authorization = field(default_factory=Fixed)
    tls_server_name: str | None = None
    proxy: str | None = None
    authority: tuple[str, FileState] | None = None
    own_authority: bool = False

    def __post_init__(self) -> None:
        _require_http(self.server, "The server")
        if self.proxy:
            _require_http(self.proxy, "The proxy-url")

    @property
    def own_name(self) -> str:
        """The name in the certificate of the API server of `server`."""
        return self.tls_server_name or urlsplit(self.server).hostname or ""

    @property
    def vouches(self) -> bool:
        """Whether a CA that the credentials name identifies API servers.

        The system's CAs issue certificates for any public host, and without verification no certificate proves
        anything.
        """
        named = self.own_authority or self.authority is not None
        return named and self.tls.verify_mode is ssl.CERT_REQUIRED and self.tls.check_hostname

    def authority_changed(self) -> bool:
        """Return whether the CA's file has changed since it was read, as it does when the CA is renewed."""
        if self.authority is None:
            return False
        path, state = self.authority
        try:
            return file_state(path) != state
        except OSError:
            return False


def login_from(configuration: Any, authorization: Authorization, *, proxy: str | None = None) -> Login:
    """Return a login from a `kubernetes.client.Configuration` that the library's loaders have filled; raises as `login_to`."""
    return login_to(
        str(configuration.host).rstrip("/"),
        authorization,
        authority=configuration.ssl_ca_cert or None,
        certificate=(configuration.cert_file, configuration.key_file),
        verify=configuration.verify_ssl,
        tls_server_name=configuration.tls_server_name or None,
        proxy=proxy,
    )


def login_to(
    server: str,
    authorization: Authorization,
    *,
    authority: str | None,
    certificate: tuple[str | None, str | None] = (None, None),
    verify: bool = True,
    tls_server_name: str | None = None,
    proxy: str | None = None,
    hint: str = _HINT,
) -> Login:
    """Return a login to the API server of a URL; `authority` is a PEM file, `certificate` one of a client and one of its key.

    `hint` says what to do where one of them cannot be used.

    Raises:
        CredentialsError: a file cannot be used, or a URL is no http or https URL.
    """
    try:
        state = file_state(authority) if authority else None
        tls = client_context(authority, *certificate, verify=verify)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CredentialsError(
            f"The CA or the client certificate in the operator's credentials cannot be used: {why}", hint=hint
        ) from None
    return Login(
        server=server,
        tls=tls,
        authorization=authorization,
        tls_server_name=tls_server_name,
        proxy=proxy,
        authority=(authority, state) if authority and state else None,
    )


def _require_http(url: str, what: str) -> None:
    # The message does not repeat the URL, because that of a proxy may hold a password.
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise CredentialsError(f"{what} in the operator's credentials is no http or https URL", hint=_HINT)
