"""Requests of the commands to the API server, and the sentence that an admin gets when one fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import click

from oidc_publisher.api import GROUP, PLURAL, RECONCILE_REQUESTED_AT, VERSION, OIDCIssuer, read_issuer
from oidc_publisher.cli.wait.verdict import Request
from oidc_publisher.cluster import ClusterAPI, ClusterClient, CredentialsError, get_issuer, load_credentials
from oidc_publisher.cluster.answer import object_in
from oidc_publisher.cluster.failures import ObjectMissingError
from oidc_publisher.cluster.issuers import Object, all_issuers
from oidc_publisher.errors import AnswerError, ClusterError
from oidc_publisher.harmless import harmless

#: Where Kubernetes keeps the events of a cluster-scoped object.
_EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
_EVENTS_PAGE = "500"


class NoAnswerError(click.ClickException):
    """An error that leaves the question without an answer; main prints it as one line and exits with 2."""

    def __init__(self, message: str) -> None:
        super().__init__(harmless(message))


class NoCRDError(NoAnswerError):
    """The error of a cluster in which the CustomResourceDefinition is not installed."""

    def __init__(self) -> None:
        super().__init__("This cluster has no OIDCIssuers: its CustomResourceDefinition is not installed.")


@asynccontextmanager
async def connected(
    kubeconfig: str | None, context: str | None, *, api_server_names: Sequence[str] = ()
) -> AsyncIterator[ClusterClient]:
    """Open a client with the caller's credentials.

    Raises:
        NoAnswerError: there are no credentials that can be used.
    """
    try:
        credentials = load_credentials(kubeconfig, context)
    except CredentialsError as error:
        raise NoAnswerError(sentence(error)) from error
    async with ClusterClient(credentials, api_server_names=api_server_names) as client:
        yield client


async def issuer_named(client: ClusterClient, name: str) -> OIDCIssuer:
    """Read the OIDCIssuer of this name.

    Raises:
        NoAnswerError: there is no such OIDCIssuer, or the caller may not read it.
        ClusterError: the OIDCIssuer could not be read at the moment.
    """
    found = await living_object(client, name)
    if found is None:
        raise NoAnswerError(f"There is no OIDCIssuer {name} in this cluster.")
    return read_issuer(found)


def cluster_time(client: ClusterClient) -> datetime:
    """Return the time by the clock of the API server that answered last, by this machine's where it stated none.

    How old a status is cannot be told by the clock of a laptop that has just woken up.
    """
    return datetime.now(UTC) + client.clock_offsets(0.0).get(client.host_port, timedelta(0))


async def living_object(client: ClusterAPI, name: str) -> Object | None:
    """Read the object of the OIDCIssuer of this name, None when there is none.

    Raises:
        NoCRDError: the cluster has no OIDCIssuers at all.
        NoAnswerError: the caller may not read the object.
        ClusterError: the object could not be read at the moment.
    """
    try:
        return await get_issuer(client, name)
    except AnswerError as error:
        raise _refusal(error, f"You may not read OIDCIssuer {name} (verb get on {PLURAL}.{GROUP})") from error


async def request_look(client: ClusterClient, issuer: OIDCIssuer, value: str) -> tuple[OIDCIssuer, Request]:
    """Ask the operator to look at the issuer now, by an annotation with a `value` that nobody used before.

    Raises:
        NoAnswerError: the caller may not write the annotation, or there is no such OIDCIssuer.
        ClusterError: the annotation could not be written at the moment.
    """
    name = issuer.metadata.name
    body = {"metadata": {"annotations": {RECONCILE_REQUESTED_AT: value}}}
    path = f"/apis/{GROUP}/{VERSION}/{PLURAL}/{quote(name, safe='')}"
    try:
        answer = await client.request("PATCH", path, body=body, content_type="application/merge-patch+json")
    except ObjectMissingError:
        raise NoAnswerError(f"There is no OIDCIssuer {name} in this cluster.") from None
    except AnswerError as error:
        may_not = (
            f"You may not ask the operator for a fresh status of {name}, and an older one is no permission to sign: it "
            f"takes the annotation {RECONCILE_REQUESTED_AT} (verb patch on {PLURAL}.{GROUP})"
        )
        raise _refusal(error, may_not) from error
    request = Request(value, issuer.status.last_handled_reconcile_at, issuer.reconcile_requested_at)
    return read_issuer(answer.stored_object("name")), request


async def set_suspend(client: ClusterClient, name: str, *, suspended: bool) -> None:
    """Set spec.suspend of an issuer.

    Raises:
        NoAnswerError: the caller may not, or there is no such OIDCIssuer.
        ClusterError: the field could not be set at the moment.
    """
    path = f"/apis/{GROUP}/{VERSION}/{PLURAL}/{quote(name, safe='')}"
    body = {"spec": {"suspend": suspended}}
    try:
        await client.request("PATCH", path, body=body, content_type="application/merge-patch+json")
    except ObjectMissingError:
        raise NoAnswerError(f"There is no OIDCIssuer {name} in this cluster.") from None
    except AnswerError as error:
        raise _refusal(error, f"You may not change OIDCIssuer {name} (verb patch on {PLURAL}.{GROUP})") from error


async def living_objects(client: ClusterAPI) -> tuple[Object, ...]:
    """Read the objects of all OIDCIssuers.

    Raises:
        NoCRDError: the cluster has no OIDCIssuers at all.
        NoAnswerError: the caller may not list them.
        ClusterError: the objects could not be listed at the moment.
    """
    try:
        return await all_issuers(client)
    except AnswerError as error:
        raise _refusal(error, f"You may not list OIDCIssuers (verb list on {PLURAL}.{GROUP})") from error


async def events_about(client: ClusterClient, issuer: OIDCIssuer) -> list[dict[str, Any]]:
    """Read all events (events.k8s.io/v1) about this very object, in the order of their names, which is random.

    Raises:
        ClusterError: the events could not be read.
    """
    params = {"fieldSelector": f"regarding.kind={issuer.kind},regarding.name={issuer.metadata.name}"}
    params |= {"limit": _EVENTS_PAGE}
    found: list[dict[str, Any]] = []
    while True:
        answer = await client.request("GET", _EVENTS, params=params)
        found += answer.items()
        following = object_in(answer.object(), "metadata").get("continue")
        if not following:
            break
        params |= {"continue": following}
    # An earlier object of the same name has events as well.
    return [event for event in found if object_in(event, "regarding").get("uid") in (issuer.metadata.uid, "", None)]


def sentence(error: ClusterError) -> str:
    """Say an error on one line, for somebody at a terminal."""
    if isinstance(error, AnswerError) and error.status == HTTPStatus.UNAUTHORIZED:
        return "The API server does not accept your credentials. Try `kubectl auth whoami` with the same kubeconfig."
    return error.sentence


def _refusal(error: AnswerError, may_not: str) -> ClusterError | NoAnswerError:
    """Turn a refusal into the error to raise: NoAnswerError where an admin has to act, `error` itself where waiting may help."""
    if error.status == HTTPStatus.FORBIDDEN:
        return NoAnswerError(f"{may_not}.")
    if error.status == HTTPStatus.NOT_FOUND:
        return NoCRDError()
    return error if error.retryable else NoAnswerError(sentence(error))
