"""Ask the cluster what a signer has to agree with: every API server, the issuers, the ring."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from oidc_publisher.cli.check.lines import CheckResult, Line
from oidc_publisher.cli.signer.socketlines import SignerAnswers
from oidc_publisher.cluster.endpoints import places_of
from oidc_publisher.errors import ClusterError, PublisherError
from oidc_publisher.probe.token.judge import read_token
from oidc_publisher.signer.kube import KubeAccess, KubeApi, KubeRequestError, SecretRing
from oidc_publisher.signer.kube.sightings import ISSUERS_PATH, RING_PATH
from oidc_publisher.signer.ring.issuerview import read_duration, view_of
from oidc_publisher.signer.storage import Wrapping

#: Up to 1.33 an API server with a signer publishes no key set.
_LEAST = (1, 34)
_SLICES = (
    "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name=kubernetes"
)
_TOKEN = "/api/v1/namespaces/default/serviceaccounts/default/token"  # noqa: S105 - a path
#: Nobody trusts this audience, so that the token of the check is of no use to anybody.
_REQUEST = {
    "apiVersion": "authentication.k8s.io/v1",
    "kind": "TokenRequest",
    "spec": {"audiences": ["oidc-publisher-check.invalid"], "expirationSeconds": 600},
}
_ANOTHER_KEY = "Give every control-plane node the same key file before any of them signs through a signer."
_MAY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def cluster_lines(access: KubeAccess, answers: SignerAnswers, key_id: str, wrapping: Wrapping | None) -> Iterator[Line]:
    """Yield a line for each question; what may not be asked is open, and no answer is none."""
    api = KubeApi(access)
    yield from _answered("version of Kubernetes", lambda: _version(api))
    yield from _answered("key with which tokens are signed now", lambda: _minted(api, key_id))
    yield from _answered("API servers", lambda: _servers(access, api, key_id))
    yield from _answered("OIDCIssuers", lambda: _lifetimes(api, answers.lifetime))
    yield from _answered("SigningKeyRing default", lambda: _ring_object(api))
    if wrapping is not None:
        yield from _answered("Secret of the ring", lambda: _secret(api, wrapping, answers))


def _answered(check: str, lines: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    """Yield the lines of one question, and one that says why there are no more."""
    try:
        yield from lines()
    except KubeRequestError as error:
        hint = "Ask with a kubeconfig that may, such as /etc/kubernetes/admin.conf." if error.status in _MAY else ""
        yield Line(CheckResult.NO_ANSWER, check, error.message, hint)
    except PublisherError as error:
        yield Line(CheckResult.NO, check, error.message, error.hint)


def _version(api: KubeApi) -> Iterator[Line]:
    said = api.get("/version").document
    numbers = tuple(int("".join(filter(str.isdigit, str(said.get(name, "")))) or 0) for name in ("major", "minor"))
    check, found = "version of Kubernetes", str(said.get("gitVersion", "unknown"))
    if numbers < _LEAST:
        lacks = f"{found}: an API server with a signer publishes no key set before 1.34"
        yield Line(CheckResult.NO, check, lacks, "Upgrade the control plane first.")
    else:
        yield Line(CheckResult.YES, check, found)


def _minted(api: KubeApi, key_id: str) -> Iterator[Line]:
    """Compare the key of a token that the API server mints now; a token changes nothing."""
    check = "key with which tokens are signed now"
    try:
        token = str(api.send("POST", _TOKEN, _REQUEST).document.get("status", {}).get("token"))
        now = read_token(token).key_id
    except ClusterError as error:
        yield Line(CheckResult.NO_ANSWER, check, error.message)
        return
    if now == key_id:
        yield Line(CheckResult.YES, check, "is the one that the signer signs with")
    else:
        found = f"is {now}, and the signer signs with {key_id}"
        yield Line(CheckResult.NO, check, found, "Look at the flags of that API server, and at the other signers.")


def _servers(access: KubeAccess, api: KubeApi, key_id: str) -> Iterator[Line]:
    """Ask every API server of the cluster, at its own address, for its key set."""
    slices = api.get(_SLICES).document.get("items") or ()
    for place in sorted({place for each in slices for place in places_of(each)}):
        yield from _answered(
            f"API server {place}", functools.partial(_listing, KubeApi(access.at(place)), place, key_id)
        )


def _listing(api: KubeApi, place: str, key_id: str) -> Iterator[Line]:
    keys = api.get("/openid/v1/jwks", "application/jwk-set+json").document.get("keys") or ()
    if any(key.get("kid") == key_id for key in keys):
        yield Line(CheckResult.YES, f"API server {place}", "lists the key that the signer signs with")
    else:
        found = f"does not list {key_id}, and refuses the tokens of this signer"
        yield Line(CheckResult.NO, f"API server {place}", found, _ANOTHER_KEY)


def _lifetimes(api: KubeApi, longest: timedelta) -> Iterator[Line]:
    """Compare what the signer declares with what each issuer waits for until a key is gone (S18)."""
    for issuer in api.get(ISSUERS_PATH).document.get("items") or ():
        if not view_of(issuer).api_sources:
            continue
        text = issuer["spec"]["rotation"]["maxTokenLifetime"]
        check = f"OIDCIssuer {issuer['metadata']['name']}"
        if read_duration(text) >= longest:
            yield Line(CheckResult.YES, check, f"maxTokenLifetime is {text}")
        else:
            found = (
                f"maxTokenLifetime is {text}, and the signer's tokens may live longer: a key would go before its tokens"
            )
            yield Line(CheckResult.NO, check, found, "Raise spec.rotation.maxTokenLifetime.")


def _ring_object(api: KubeApi) -> Iterator[Line]:
    check = "SigningKeyRing default"
    try:
        status: Mapping[str, Any] = api.get(RING_PATH).document.get("status") or {}
    except KubeRequestError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        yield Line(CheckResult.NO, check, "does not exist: nothing new begins", "Apply one; its spec may be empty.")
        return
    ready: Mapping[str, Any] = next(
        (each for each in status.get("conditions") or () if each.get("type") == "Ready"), {}
    )
    if ready.get("status") == "True":
        yield Line(CheckResult.YES, check, "is Ready")
    else:
        yield Line(CheckResult.WARNING, check, f"is not Ready: {ready.get('message') or 'no signer has reported'}")


def _secret(api: KubeApi, wrapping: Wrapping, answers: SignerAnswers) -> Iterator[Line]:
    """Read the ring as the signer does: this shows that the wrapping key of this node opens it."""
    check = "Secret of the ring"
    ring, _ = SecretRing(api, wrapping).read()
    if ring is None:
        yield Line(CheckResult.WARNING, check, "is empty", "The next look of a signer fills it.")
    elif {key.key_id for key in ring.keys} != answers.listed:
        found = "is opened by this wrapping key; the signer lists other keys than it has"
        yield Line(CheckResult.WARNING, check, found, "Ask again in a few seconds; then look at the signer's log.")
    else:
        yield Line(CheckResult.YES, check, "is opened by this wrapping key, and has the keys that the signer lists")
