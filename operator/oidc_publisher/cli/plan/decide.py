"""One pass up to its writes, and not one step further: what the operator would read and decide. It changes nothing."""

from __future__ import annotations

from oidc_publisher.api import OIDCIssuer, read_issuer
from oidc_publisher.cli.connection import NoAnswerError, sentence
from oidc_publisher.cli.plan.basis import Basis
from oidc_publisher.cli.plan.decision import Decided, Refused
from oidc_publisher.cluster import ClusterClient, get_issuer
from oidc_publisher.controller.settings import RunSettings
from oidc_publisher.errors import AnswerError, ClusterError, StoreError
from oidc_publisher.findings import Finding, Reason
from oidc_publisher.reconcile.plan import intend, place_of, policy_of
from oidc_publisher.reconcile.ports import Contexts, IssuerContext
from oidc_publisher.reconcile.prove import prove
from oidc_publisher.reconcile.read import Readings, as_pass, read_all
from oidc_publisher.reconcile.status.ledger import read_ledger
from oidc_publisher.rotation import Advance, advance
from oidc_publisher.timing.clock import Clock

_FORBIDDEN, _NOT_FOUND = 403, 404
#: What a write mends: the public URL shows the planned keys only after it.
_MENDED = frozenset({Reason.SigningKeyNotServed, Reason.SignatureInvalid})


async def living_issuer(client: ClusterClient, name: str) -> tuple[OIDCIssuer | None, bool]:
    """The OIDCIssuer of this name as it is in the cluster, and whether the cluster has the CRD at all.

    Raises:
        NoAnswerError: it could not be read.
    """
    try:
        found = await get_issuer(client, name)
    except ClusterError as error:
        status = error.status if isinstance(error, AnswerError) else None
        if status == _NOT_FOUND:
            return None, False
        if status == _FORBIDDEN:
            message = f"You may not read OIDCIssuer {name} (verb get on oidcissuers.oidc-publisher.io)."
            raise NoAnswerError(message) from error
        raise NoAnswerError(sentence(error)) from error
    return (read_issuer(found) if found is not None else None), True


async def decide(client: ClusterClient, basis: Basis, settings: RunSettings, clock: Clock) -> Decided | Refused:
    """Read everything once and decide as the operator would.

    Raises:
        NoAnswerError: the cluster's identity could not be read.
    """
    contexts = Contexts(client, settings)
    try:
        context = await contexts.open(basis.issuer)
        readings = await read_all(context, client, clock)
        return await _decided(context, client, readings, clock)
    except StoreError as error:
        return Refused((error.finding(),))
    except ClusterError as error:
        raise _unidentified(error) from error
    finally:
        await contexts.aclose()


async def _decided(context: IssuerContext, client: ClusterClient, readings: Readings, clock: Clock) -> Decided:
    issuer = context.issuer
    place = place_of(issuer, context.store.location, context.owner, context.store.endpoint_url)
    ledger = read_ledger(issuer.status)
    seen = as_pass(readings, ledger, policy_of(issuer.spec), place=place, target=context.target)
    plan = advance(ledger, seen)
    intent = intend(issuer, plan, readings.stored, place)
    problems = (intent.problem,) if intent.problem else ()
    proven = await _proven(context, client, readings, plan, clock, writes=intent.planned is not None)
    return Decided(
        place=place,
        serial=ledger.serial,
        stored=readings.stored,
        look=readings.look,
        seen=seen,
        plan=plan,
        intent=intent,
        findings=(*readings.findings, *plan.findings, *problems, *proven),
    )


async def _proven(
    context: IssuerContext, client: ClusterClient, readings: Readings, plan: Advance, clock: Clock, *, writes: bool
) -> tuple[Finding, ...]:
    """What the proof finds. Before a write the public URL cannot be judged, and of tokens only what a write does not mend."""
    known = context.issuer.status.publication
    last_change = known.last_change_time if known else None
    proof = await prove(context, client, readings, plan, last_change=last_change, removed=frozenset(), clock=clock)
    if not writes:
        return proof.findings
    return tuple(finding for finding in proof.token_findings if finding.reason not in _MENDED)


def _unidentified(error: ClusterError) -> NoAnswerError:
    if isinstance(error, AnswerError) and error.status == _FORBIDDEN:
        what = "namespace kube-system, whose UID marks the documents as this cluster's (verb get on namespaces)"
        return NoAnswerError(f"You may not read {what}.")
    return NoAnswerError(sentence(error))
