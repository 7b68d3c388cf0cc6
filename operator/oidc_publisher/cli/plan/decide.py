"""One pass up to its writes: this module reads and decides as the operator does, and changes nothing."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from oidc_publisher.api import OIDCIssuer, read_issuer
from oidc_publisher.cli.connection import NoAnswerError, NoCRDError, living_object, sentence
from oidc_publisher.cli.options import Reading
from oidc_publisher.cli.plan.basis import Basis
from oidc_publisher.cli.plan.decision import Decided, Refused
from oidc_publisher.cluster import ClusterAPI
from oidc_publisher.cluster.remote import RemoteClusterError
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

#: Findings that a write mends, because the public URL shows the planned keys only afterwards.
_MENDED = frozenset({Reason.SigningKeyNotServed, Reason.SignatureInvalid})


async def living_issuer(client: ClusterAPI, name: str) -> tuple[OIDCIssuer | None, bool]:
    """Read the OIDCIssuer of this name, None when there is none, and tell whether the cluster has the CRD.

    Raises:
        NoAnswerError: it could not be read.
    """
    try:
        found = await living_object(client, name)
    except NoCRDError:
        return None, False
    except ClusterError as error:
        raise NoAnswerError(sentence(error)) from error
    try:
        return (read_issuer(found) if found is not None else None), True
    except InvalidObjectError as error:
        message = f"OIDCIssuer {name} as it is in the cluster cannot be read, so nobody can tell what would change"
        raise NoAnswerError(f"{message}. {error.message}. The manifest itself is sound.") from error


async def look_and_decide(client: ClusterAPI, basis: Basis, reading: Reading, clock: Clock) -> Decided | Refused:
    """Read everything once and decide as the operator does.

    Raises:
        NoAnswerError: the cluster's identity could not be read.
    """
    opener = PortOpener(
        client,
        probe_account=reading.probe_service_account,
        key_files_root=reading.key_files_root,
        store_endpoints=reading.store_endpoints,
        probe_proxies=reading.probe_proxies,
        api_server_names=reading.api_server_names,
    )
    opened = OpenedPorts(opener.open)
    try:
        ports = _asking_nothing_more(await opened.of(basis.issuer))
        return await _decided(basis.issuer, ports, await read_all(ports, clock), clock)
    except (StoreError, RemoteClusterError) as error:
        return Refused((error.finding(),))
    except ClusterError as error:
        raise _unidentified(error) from error
    finally:
        await opened.aclose()


def _asking_nothing_more(ports: Ports) -> Ports:
    """Take from the ports the request for a token beyond the policy: an API server that grants it has issued such a token."""
    return replace(ports, limits=TokenLimits(None, ports.spec.rotation.max_token_lifetime))


async def _decided(issuer: OIDCIssuer, ports: Ports, readings: Readings, clock: Clock) -> Decided:
    ledger = read_ledger(issuer.status).ledger
    # The operator remembers its writes. This command has none, so the ledger stands for them.
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
    """Prove the issuer and return the findings.

    When documents would be written, the public URL shows the old ones: only findings on tokens count then, without those
    that the write mends.
    """
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
