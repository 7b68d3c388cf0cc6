"""A remote cluster is asked with bounded concurrency, and not while it is silent."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from oidc_publisher.cluster.answer import Answer
from oidc_publisher.cluster.client import ClusterClient
from oidc_publisher.cluster.failures import with_reason
from oidc_publisher.cluster.remote.circuit import ANSWERED, Circuit
from oidc_publisher.errors import AnswerError, CertificateError, UnreachableError

#: A pass of one issuer sends no more at once to one cluster of three API servers.
AT_ONCE: Final = 8
#: The longest wait for one answer. Requests to the operator's own cluster may take twice as long.
_LONGEST_S: Final = 5.0


class RemoteCluster:
    """A RemoteCluster is the ClusterAPI of a cluster whose credentials are in a Secret, for all issuers of the cluster.

    `where` names that Secret in advice. Each API server has a circuit of its own (circuit.py).
    """

    def __init__(self, client: ClusterClient, where: str) -> None:
        self._client = client
        self._where = where
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._circuits: dict[str, Circuit] = defaultdict(Circuit)

    @property
    def host_port(self) -> str:
        """The HOST:PORT of the kubeconfig's own server."""
        return self._client.host_port

    @property
    def vouches(self) -> bool:
        """True, because a kubeconfig without a CA is refused."""
        return self._client.vouches

    @property
    def grantee(self) -> str:
        """Who needs the rights that a finding names."""
        return f"the user of the kubeconfig in {self._where}"

    async def request(
        self,
        method: str,
        path: str,
        *,
        endpoint: str | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        repeatable: bool = False,
    ) -> Answer:
        """Send one request (see ClusterClient.request), or fail at once while the API server is silent."""
        asked = endpoint or self.host_port
        self._refuse_the_silent(asked)
        async with self._gate:
            self._refuse_the_silent(asked)  # others may have waited in vain meanwhile
            self._circuits[asked] = self._circuits[asked].sent()
            began_s = time.monotonic()
            try:
                answer = await self._client.request(
                    method,
                    path,
                    endpoint=endpoint,
                    body=body,
                    content_type=content_type,
                    params=params,
                    timeout_s=min(timeout_s, _LONGEST_S),
                    repeatable=repeatable,
                )
            except UnreachableError as error:
                now_s, told = time.monotonic(), self._located(error, endpoint)
                self._circuits[asked] = self._circuits[asked].silent(told, took_s=now_s - began_s, now_s=now_s)
                raise _again(told) from error
            except (AnswerError, CertificateError) as error:
                self._circuits[asked] = ANSWERED
                raise self._advised(error) from error
            except BaseException:
                self._circuits[asked] = self._circuits[asked].abandoned()
                raise
            self._circuits[asked] = ANSWERED
            return answer

    async def stream(
        self, path: str, *, params: Mapping[str, str] | None = None, accept: str, timeout_s: float
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the objects of a watch (see ClusterClient.stream); no pass watches anything in a remote cluster."""
        async for line in self._client.stream(path, params=params, accept=accept, timeout_s=timeout_s):
            yield line

    def clock_offsets(self, since_s: float) -> Mapping[str, timedelta]:
        """Return each API server's clock minus the operator's (see ClusterClient.clock_offsets)."""
        return self._client.clock_offsets(since_s)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _refuse_the_silent(self, asked: str) -> None:
        error = self._circuits[asked].refusal(time.monotonic())
        if error is not None:
            raise _again(error)

    def _located(self, error: UnreachableError, endpoint: str | None) -> UnreachableError:
        """Return the error of the kubeconfig's own server with advice that names the Secret.

        What names the address of any other API server, the key source knows.
        """
        hint = error.hint
        if endpoint is None and not hint:
            hint = (
                f"Look whether the cluster of the kubeconfig in {self._where} runs, and whether the operator can reach it; "
                "the last good keys stay published."
            )
        return UnreachableError(error.reason, error.message, hint=hint, retryable=True, subject=error.subject)

    def _advised(self, error: AnswerError | CertificateError) -> AnswerError | CertificateError:
        """Return the error with advice about this cluster's credentials, which are not the operator's own."""
        if isinstance(error, CertificateError):
            hint = error.hint or (
                f"Compare the CA in {self._where} with the API server's certificate, and look who listens there."
            )
            return CertificateError(
                error.reason, error.message, hint=hint, retryable=error.retryable, subject=error.subject
            )
        if error.status != HTTPStatus.UNAUTHORIZED:
            return error
        hint = f"The API server does not accept the credentials in {self._where}: have them written anew."
        return with_reason(error, error.reason, error.message, hint=hint)


def _again(error: UnreachableError) -> UnreachableError:
    """Return the same error without a traceback, which would keep alive what its frames hold."""
    return UnreachableError(error.reason, error.message, hint=error.hint, retryable=True, subject=error.subject)
