"""Ask the cluster: who is asking, the CRD, the rights, every API server, and the probe's ServiceAccount."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus

from oidc_publisher.api import APIServerSourceSpec, OIDCIssuer
from oidc_publisher.api.managed import RING_KIND
from oidc_publisher.cli.check.definition import definition_line
from oidc_publisher.cli.check.lines import CheckResult, Line, Section, line_of, line_of_error, unasked
from oidc_publisher.cli.check.needs import Need, described, installer_line, installer_rights, need_line, operator_needs
from oidc_publisher.cluster import ClusterAPI
from oidc_publisher.cluster.access import Right, own_name, review_right
from oidc_publisher.cluster.issuers import served_schema
from oidc_publisher.cluster.tokens import mint_token
from oidc_publisher.errors import AnswerError, ClusterError
from oidc_publisher.sources import SourceResult
from oidc_publisher.sources.apiserver import APIServerSource
from oidc_publisher.wording import counted

_POD = "system:serviceaccount:"
_IN_THE_POD = (
    "Run it in the operator's pod: kubectl exec deploy/NAME -n NAMESPACE -- oidc-publisher check, or helm test RELEASE."
)
#: Nobody trusts this audience, so that the token of the check is of no use to anybody.
_AUDIENCE = "oidc-publisher-check.invalid"


async def cluster_section(client: ClusterAPI, *, pre: bool) -> Section:
    """Check that the API server answers, and the CRD.

    Raises:
        ClusterError: the API server does not answer, or does not accept the credentials.
    """
    who = await _who(client, pre=pre)
    try:
        definition = definition_line(await served_schema(client), pre=pre)
    except ClusterError as error:
        definition = unasked(error, "CustomResourceDefinition")
    return Section("CLUSTER", (who, definition))


async def _who(client: ClusterAPI, *, pre: bool) -> Line:
    check = f"API server {client.host_port}"
    try:
        name = await own_name(client)
    except AnswerError as error:
        if error.status == HTTPStatus.UNAUTHORIZED or error.retryable:
            raise
        return Line(CheckResult.WARNING, check, f"answers, but does not say who is asking: {error.message}")
    if pre or name.startswith(_POD):
        return Line(CheckResult.YES, check, f"answers; asked as {name}")
    found = f"answers; asked as {name}: permissions, identity and network below are yours, not the operator's"
    return Line(CheckResult.WARNING, check, found, _IN_THE_POD)


async def rights_section(client: ClusterAPI, probe: tuple[str, str] | None, issuers: Iterable[OIDCIssuer]) -> Section:
    """Check each right that the operator needs for these issuers, by a SelfSubjectAccessReview each."""
    needs = operator_needs(probe, issuers, rings=await _has_rings(client))
    lines = await asyncio.gather(*(_need(client, need) for need in needs))
    return Section("PERMISSIONS of the operator", tuple(lines))


async def _has_rings(client: ClusterAPI) -> bool:
    """Tell whether the cluster has the kind SigningKeyRing; a schema that cannot be read has a line of its own."""
    try:
        return await served_schema(client, RING_KIND) is not None
    except ClusterError:
        return False


async def _need(client: ClusterAPI, need: Need) -> Line:
    try:
        return need_line(need, allowed=await review_right(client, need.right, timeout_s=10.0))
    except ClusterError as error:
        return unasked(error, described(need.right))


async def installer_section(client: ClusterAPI) -> Section:
    """Check the rights that whoever installs needs outside the release's namespace."""
    lines = await asyncio.gather(*(_may_install(client, right) for right in installer_rights()))
    return Section("PERMISSIONS to install", tuple(lines))


async def _may_install(client: ClusterAPI, right: Right) -> Line:
    try:
        return installer_line(right, allowed=await review_right(client, right, timeout_s=10.0))
    except ClusterError as error:
        return unasked(error, described(right))


async def servers_section(
    client: ClusterAPI, probe: tuple[str, str] | None, issuers: Sequence[OIDCIssuer], *, pre: bool
) -> Section:
    """Check that each API server answers with a certificate of its own and a key set, and mint one token."""
    read = await asyncio.gather(*(APIServerSource(client, "check", found).read() for found in _addresses(issuers)))
    lines = dict.fromkeys(line for result in read for line in server_lines(result))
    minted = () if pre else (await probe_account_line(client, probe),)
    return Section("API SERVERS", (*lines, *minted))


def _addresses(issuers: Iterable[OIDCIssuer]) -> tuple[tuple[str, ...] | None, ...]:
    """Return the addresses of each different apiServer source of this cluster, None for those that the cluster lists."""
    sources = (source.selected for issuer in issuers for source in issuer.spec.key_sources)
    own = (s for s in sources if isinstance(s, APIServerSourceSpec) and s.kubeconfig_secret is None)
    named = [tuple(s.addresses) if s.addresses else None for s in own]
    return tuple(dict.fromkeys(named)) or (None,)


def server_lines(result: SourceResult) -> Iterator[Line]:
    """Yield a line for each API server that an apiServer source has read, and for each finding about them."""
    failed = {finding.subject for finding in result.findings}
    for server in result.reading.servers:
        if server.address not in failed:
            found = f"its own certificate, and a key set of {counted(len(server.keys), 'key')}"
            yield Line(CheckResult.YES, server.address, found)
    known = {server.address for server in result.reading.servers}
    for finding in result.findings:
        yield line_of(finding, finding.subject if finding.subject in known else "key sets of the API servers")


async def probe_account_line(client: ClusterAPI, probe: tuple[str, str] | None) -> Line:
    """Mint a token of the probe's ServiceAccount, which alone shows that it exists; a token changes nothing."""
    if probe is None:
        found = "not checked: no --probe-service-account was given"
        return Line(CheckResult.WARNING, "ServiceAccount of the probe", found, "Give it as the operator has it.")
    namespace, name = probe
    check = f"ServiceAccount {namespace}/{name}"
    try:
        await mint_token(client, None, namespace=namespace, name=name, audience=_AUDIENCE)
    except ClusterError as error:
        return line_of_error(error, check)
    return Line(CheckResult.YES, check, "a token could be minted")
