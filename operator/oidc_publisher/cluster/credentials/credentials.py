"""Hold the operator's credentials for the API server, and renew them."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from oidc_publisher.cluster.credentials.authorization import PLUGIN_THREADS
from oidc_publisher.cluster.credentials.kubeconfig import load_login
from oidc_publisher.cluster.credentials.login import Login
from oidc_publisher.cluster.failures import CredentialsError

#: The shortest time between two reloads of refused credentials.
RELOAD_PAUSE_S = 30.0
#: The time limit of a reload. All refused requests wait for the same reload.
RELOAD_TIMEOUT_S = 8.0


def load_credentials(kubeconfig: str | None = None, context: str | None = None) -> Credentials:
    """Load credentials as kubectl does: `kubeconfig`, $KUBECONFIG (several files too), ~/.kube/config, in-cluster.

    Blocks: it reads files and may run a credential plugin.

    Raises:
        CredentialsError: there are no credentials, or they cannot be used (for example, a plugin is not installed).
    """
    return Credentials(load_login(kubeconfig, context), reload=lambda: load_login(kubeconfig, context))


class Credentials:
    """Credentials hold the API server's URL, how to verify the server, and how to authenticate to it.

    A token is renewed before it expires. Credentials whose end is not known in advance (a plugin's token without a
    date, a client certificate that expired, a CA that was replaced) are loaded again when the API server refuses them:
    `renew`.
    """

    def __init__(self, login: Login, *, reload: Callable[[], Login] | None = None) -> None:
        self._login = login
        self._reload = reload
        self._reloaded_s = float("-inf")
        self._lock = asyncio.Lock()

    @property
    def server(self) -> str:
        """The API server's URL, without a slash at the end."""
        return self._login.server

    @property
    def host_port(self) -> str:
        """The HOST:PORT of the API server."""
        parts = urlsplit(self.server)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    @property
    def tls(self) -> ssl.SSLContext:
        """The TLS context with the cluster's CA and a client certificate; the kubeconfig may turn verification off."""
        return self._login.tls

    @property
    def tls_server_name(self) -> str | None:
        """The name in the API server's certificate where it is not the host of `server`."""
        return self._login.tls_server_name

    @property
    def own_name(self) -> str:
        """The name by which the API server of `server` is known: `tls_server_name`, or the host of `server`."""
        return self._login.own_name

    @property
    def vouches(self) -> bool:
        """Whether the credentials name a CA, so that other machines than `server` can be verified as API servers."""
        return self._login.vouches

    @property
    def proxy(self) -> str | None:
        """The proxy of the kubeconfig's cluster entry."""
        return self._login.proxy

    async def headers(self) -> dict[str, str]:
        """Return the Authorization header for the next request, nothing where a client certificate authenticates it.

        Raises:
            CredentialsError: there is no valid token at the moment.
        """
        value = await self._login.authorization.header()
        return {} if value is None else {"Authorization": value}

    async def renew(self) -> bool:
        """Load the credentials again after the API server refused them (401); False within RELOAD_PAUSE_S of a reload.

        Raises:
            CredentialsError: there are no usable credentials any more.
        """
        before = self._login
        async with self._lock:
            if self._login is not before:
                return True  # another refused request has reloaded them already
            if self._reload is None or time.monotonic() - self._reloaded_s < RELOAD_PAUSE_S:
                return False
            self._reloaded_s = time.monotonic()
            try:
                self._login = await PLUGIN_THREADS.run(self._reload, key="reload", timeout_s=RELOAD_TIMEOUT_S)
            except TimeoutError:
                raise CredentialsError(
                    "The credentials cannot be loaded again in time",
                    hint="Run the credential plugin of the kubeconfig by hand, as the operator's user.",
                ) from None
            return True

    async def renew_trust(self) -> bool:
        """Load the credentials again if the CA's file has changed since; False when it has not."""
        return self._login.authority_changed() and await self.renew()
