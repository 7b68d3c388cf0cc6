"""Mint and review tokens of the probe's ServiceAccount, each at one API server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from oidc_publisher.cluster.access import grant
from oidc_publisher.cluster.answer import object_in
from oidc_publisher.cluster.failures import ObjectMissingError, with_reason
from oidc_publisher.cluster.port import ClusterAPI
from oidc_publisher.errors import AnswerError
from oidc_publisher.findings import Reason

_API_VERSION = "authentication.k8s.io/v1"
_MAKE_IT = (
    "Create it, or name another one with --probe-service-account; the Helm chart creates it with "
    "probe.serviceAccount.create and names it with probe.serviceAccount.name."
)
_MAKE_IT_THERE = (
    "Create it in the remote cluster, or correct spec.keySources[].apiServer.probeServiceAccount; the page on hosted "
    "control planes has the manifest."
)


@dataclass(frozen=True, slots=True)
class TokenReview:
    """A TokenReview holds whether an API server accepts a token, and the API server's error text if not."""

    authenticated: bool
    error: str = ""


async def mint_token(
    client: ClusterAPI,
    endpoint: str | None,
    *,
    namespace: str,
    name: str,
    audience: str,
    lifetime_s: int = 600,
    timeout_s: float = 5.0,
) -> str:
    """Let one API server (None: that of the credentials) mint a token of ServiceAccount `namespace`/`name`.

    600 s is the shortest lifetime that the API allows. The server may grant another one, which `exp` in the token
    shows.

    Raises:
        AnswerError: TokenRequestForbidden, or TokenRequestFailed.
        UnreachableError, CertificateError: the API server could not be asked.
    """
    body = {
        "apiVersion": _API_VERSION,
        "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": lifetime_s},
    }
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    try:
        answer = await client.request("POST", path, endpoint=endpoint, body=body, timeout_s=timeout_s, repeatable=True)
        token = object_in(answer.object(), "status").get("token")
    except AnswerError as error:
        raise _mint_failure(error, f"{namespace}/{name}", client.grantee) from error
    if not isinstance(token, str) or not token:
        message = f"{answer.asked} answered a TokenRequest without a token"
        raise AnswerError(
            Reason.TokenRequestFailed, message, status=answer.status, retryable=True, subject=answer.asked
        )
    return token


async def review_token(
    client: ClusterAPI, endpoint: str | None, token: str, audiences: Sequence[str], *, timeout_s: float = 5.0
) -> TokenReview:
    """Ask one API server (None: that of the credentials) whether it accepts a token for any of the audiences.

    Raises:
        AnswerError: TokenRequestForbidden when the operator may not create tokenreviews, else the client's error.
        UnreachableError, CertificateError: the API server could not be asked.
    """
    body = {
        "apiVersion": _API_VERSION,
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": list(audiences)},
    }
    path = f"/apis/{_API_VERSION}/tokenreviews"
    try:
        answer = await client.request("POST", path, endpoint=endpoint, body=body, timeout_s=timeout_s, repeatable=True)
    except AnswerError as error:
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        raise with_reason(
            error,
            Reason.TokenRequestForbidden,
            f"The operator may not review tokens at {error.subject}",
            hint=grant("create tokenreviews (authentication.k8s.io)", grantee=client.grantee),
        ) from error
    status = object_in(answer.object(), "status")
    return TokenReview(status.get("authenticated") is True, str(status.get("error") or ""))


def _mint_failure(error: AnswerError, account: str, grantee: str) -> AnswerError:
    namespace, name = account.split("/")
    if error.status == HTTPStatus.FORBIDDEN:
        return with_reason(
            error,
            Reason.TokenRequestForbidden,
            f"The operator may not mint a token of ServiceAccount {account} at {error.subject}",
            hint=grant(f"create serviceaccounts/token of {name} in namespace {namespace}", grantee=grantee),
        )
    if isinstance(error, ObjectMissingError):
        return with_reason(
            error,
            Reason.TokenRequestFailed,
            f"ServiceAccount {account} does not exist",
            hint=_MAKE_IT_THERE if grantee else _MAKE_IT,
        )
    return with_reason(error, Reason.TokenRequestFailed, error.message, hint=error.hint)
