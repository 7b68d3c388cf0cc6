"""One pass up to its writes, and not one step further: what the operator would read and decide. It changes nothing."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from oidc_publisher.api import OIDCIssuer, read_issuer
from oidc_publisher.cli.connection import NoAnswerError, sentence
from oidc_publisher.cli.options import Reading
from oidc_publisher.cli.plan.basis import Basis
from oidc_publisher.cli.plan.decision import Decided, Refused
from oidc_publisher.cluster import ClusterAPI, get_issuer
from oidc_publisher.errors import AnswerError, ClusterError, InvalidObjectError, StoreError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.probe.token.limits import TokenLimits
from oidc_publisher.reconcile.ownership import remembering
from oidc_publisher.reconcile.plan import decide
from oidc_publisher.reconcile.ports import OpenedPorts, PortOpener, Ports
from oidc_publisher.reconcile.prove import prove
from oidc_publisher.reconcile.read import Readings, read_all
from oidc_publisher.reconcile.status.ledger import read_ledger
from oidc_publisher.rotation import Advance
from oidc_publisher.timing.clock import Clock

#: What a write mends: the public URL shows the planned keys only after it.
_MENDED = frozenset({Reason.SigningKeyNotServed, Reason.SignatureInvalid})


async def living_issuer(client: ClusterAPI, name: str) -> tuple[OIDCIssuer | None, bool]:
    """The OIDCIssuer of this name as it is in the cluster, and whether the cluster has the CRD at all.

    Raises:
        NoAnswerError: it could not be read.
    """
    try:
        found = await get_issuer(client, name)
    except ClusterError as error:
        status = error.status if isinstance(error, AnswerError) else None
        if status == HTTPStatus.NOT_FOUND:
            return None, False
        if status == HTTPStatus.FORBIDDEN:
            message = f"You may not read OIDCIssuer {name} (verb get on oidcissuers.oidc-publisher.io)."
            raise NoAnswerError(message) from error
        raise NoAnswerError(sentence(error)) from error
    try:
        return (read_issuer(found) if found is not None else None), True
    except InvalidObjectError as error:
        message = f"OIDCIssuer {name} as it is in the cluster cannot be read, so nobody can tell what would change"
        raise NoAnswerError(f"{message}. {error.message}. The manifest itself is sound.") from error


async def look_and_decide(client: ClusterAPI, basis: Basis, reading: Reading, clock: Clock) -> Decided | Refused:
    """Read everything once and decide as the operator would.

    Raises:
        NoAnswerError: the cluster's identity could not be read.
    """
    opener = PortOpener(
        client,
        probe_account=reading.probe_service_account,
        key_files_root=reading.key_files_root,
        store_endpoints=reading.store_endpoints,
    )
    opened = OpenedPorts(opener.open)
    try:
        ports = _asking_nothing_more(await opened.of(basis.issuer))
        return await _decided(basis.issuer, ports, await read_all(ports, clock), clock)
    except StoreError as error:
        return Refused((error.finding(),))
    except ClusterError as error:
        raise _unidentified(error) from error
    finally:
        await opened.aclose()


def _asking_nothing_more(ports: Ports) -> Ports:
    """The ports without the operator's question for a token beyond the policy: where it is granted, it is in the world."""
    return replace(ports, limits=TokenLimits(None, ports.spec.rotation.max_token_lifetime))


async def _decided(issuer: OIDCIssuer, ports: Ports, readings: Readings, clock: Clock) -> Decided:
    ledger = read_ledger(issuer.status).ledger
    # The operator remembers what it wrote; this command asks on its behalf.
    place = remembering(ports.place_of(issuer), issuer, ledger, ledger, readings.instant)
    decision = decide(issuer, ledger, readings, place, ports.target, nonce="")
    plan, intent = decision.plan, decision.intent
    problems = (intent.problem,) if intent.problem else ()
    proven = await _proven(issuer, ports, readings, plan, clock, writes=bool(intent.writes))
    return Decided(
        serial=ledger.serial,
        look=readings.look,
        decision=decision,
        findings=(*readings.findings, *plan.findings, *problems, *proven),
    )


async def _proven(
    issuer: OIDCIssuer, ports: Ports, readings: Readings, plan: Advance, clock: Clock, *, writes: bool
) -> tuple[Finding, ...]:
    """What the proof finds. Before a write the public URL cannot be judged, and of tokens only what a write does not mend."""
    known = issuer.status.publication
    last_change = known.last_change_time if known else None
    proof = await prove(ports, readings, plan, last_change=last_change, removed=frozenset(), clock=clock)
    if not writes:
        return proof.findings
    return tuple(finding for finding in proof.token_findings if finding.reason not in _MENDED)


def _unidentified(error: ClusterError) -> NoAnswerError:
    if isinstance(error, AnswerError) and error.status == HTTPStatus.FORBIDDEN:
        what = "namespace kube-system, whose UID marks the documents as this cluster's (verb get on namespaces)"
        return NoAnswerError(f"You may not read {what}.")
    return NoAnswerError(sentence(error))
