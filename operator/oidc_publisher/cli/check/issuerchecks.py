"""Check what one OIDCIssuer names: its key sources, its store, its distribution and its public URL."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

from oidc_publisher.api import APIServerSourceSpec, FilesSourceSpec, KeySourceSpec, OIDCIssuer
from oidc_publisher.cli.check.lines import CheckResult, Line, Section, line_of, line_of_error
from oidc_publisher.cli.check.remotechecks import remote_lines
from oidc_publisher.cluster import ClusterAPI
from oidc_publisher.cluster.remote import RemoteClusters
from oidc_publisher.documents import DISCOVERY_PATH, StoredDocument
from oidc_publisher.errors import FetchError, StoreError
from oidc_publisher.findings import Finding, Reason, sorted_findings
from oidc_publisher.probe import ProbeProxies, Read, look
from oidc_publisher.probe.answers import DISCOVERY_TYPES, JWKS_TYPES, judge_answer, parsed_discovery, parsed_jwks
from oidc_publisher.reconcile.ports import target_of, wire_of
from oidc_publisher.sources import open_sources
from oidc_publisher.stores.factory import open_distribution, open_store
from oidc_publisher.stores.port import Distribution, Rehearsal, RehearsingStore
from oidc_publisher.stores.storeendpoints import StoreEndpoints
from oidc_publisher.wording import counted

_LATER = "The operator proves it after its first write, and stops where it is not so; nothing is to do."


async def issuer_section(
    client: ClusterAPI,
    issuer: OIDCIssuer,
    *,
    key_files_root: Path | None,
    endpoints: StoreEndpoints,
    proxies: ProbeProxies,
    remotes: RemoteClusters,
) -> Section:
    """Check everything that the issuer names, but the API servers of this cluster, which issuers have in common."""
    store = open_store(issuer.spec.store, endpoints)
    try:
        lines, published = await store_lines(store, (issuer.spec.jwks_path, DISCOVERY_PATH))
    finally:
        await store.aclose()
    remote = await remote_lines(remotes, issuer)
    sources = [line for one in _other_sources(issuer) for line in await _source_lines(client, one, key_files_root)]
    distribution = open_distribution(issuer.spec.store)
    cdn = [await _distribution_line(distribution)] if distribution else []
    public = await _public_line(issuer, proxies, published=published)
    return Section(f"oidci/{issuer.metadata.name}", (*remote, *sources, *lines, *cdn, public))


def _other_sources(issuer: OIDCIssuer) -> Iterable[KeySourceSpec]:
    return (source for source in issuer.spec.key_sources if not isinstance(source.selected, APIServerSourceSpec))


async def _source_lines(client: ClusterAPI, spec: KeySourceSpec, root: Path | None) -> tuple[Line, ...]:
    check = f"key source {spec.name}"
    if isinstance(spec.selected, FilesSourceSpec) and root is None:
        found = "not checked: no --key-files-root was given"
        return (Line(CheckResult.WARNING, check, found, "Give it as the operator has it."),)
    (source,) = open_sources([spec], client, key_files_root=root)
    read = await source.read()
    if read.findings:
        return tuple(line_of(finding, check) for finding in sorted_findings(read.findings))
    return (Line(CheckResult.YES, check, counted(len(read.reading.listings), "key")),)


async def store_lines(store: RehearsingStore, paths: tuple[str, ...]) -> tuple[tuple[Line, ...], bool]:
    """Return the lines of the store, and whether both documents are stored already."""
    lines: list[Line] = []
    rehearsed: list[Rehearsal] = []
    stored: list[StoredDocument | None] = []
    for path in paths:
        check = f"read {path}"
        try:
            stored.append(await store.read(path))
            lines.append(Line(CheckResult.YES, check, "allowed" if stored[-1] else "allowed; nothing is stored yet"))
            check = f"write {path}"
            rehearsed.append(await store.rehearse(path))
            lines.append(Line(CheckResult.YES, check, "allowed; shown by a write that had to fail"))
        except StoreError as error:
            lines.append(line_of_error(error, check))
    if rehearsed:
        lines.append(_conditions_line(rehearsed))
    identity = await _identity_line(store)  # last: some credentials know whose they are only after they were used
    return (identity, *lines), len(stored) == len(paths) and all(stored)


async def _identity_line(store: RehearsingStore) -> Line:
    check = f"identity at {store.location}"
    try:
        return Line(CheckResult.YES, check, await store.identity())
    except StoreError as error:
        if error.reason is not Reason.StoreUnavailable:
            return line_of_error(error, check)
        # A store may be usable without the service that knows the names of its users.
        return Line(CheckResult.WARNING, check, error.message, error.hint)


def _conditions_line(rehearsed: Iterable[Rehearsal]) -> Line:
    check = "conditional writes"
    if all(one is Rehearsal.REFUSED_BY_CONDITION for one in rehearsed):
        return Line(CheckResult.YES, check, "honoured")
    found = "not to be seen before something is stored: If-None-Match fails only where there is an object"
    return Line(CheckResult.WARNING, check, found, _LATER)


async def _distribution_line(distribution: Distribution) -> Line:
    check = f"CloudFront distribution {distribution.name}"
    try:
        await distribution.check()
    except StoreError as error:
        return line_of_error(error, check)
    return Line(CheckResult.YES, check, "serves the bucket")


async def _public_line(issuer: OIDCIssuer, proxies: ProbeProxies, *, published: bool) -> Line:
    """Fetch the documents as a relying party does. Nothing else than a connection is expected before they are published."""
    seen = await look(target_of(issuer.spec), wire_of(issuer.spec.probe, proxies), reads=1)
    return public_line(issuer.spec.issuer_url, seen.reads[-1], published=published)


def public_line(url: str, read: Read, *, published: bool) -> Line:
    """Make the line of the public URL: name resolution, connection, certificate and, once there are any, documents."""
    answers = [answer for answer in (read.discovery, read.jwks) if answer is not None]
    failure = next((answer for answer in answers if isinstance(answer, FetchError)), None)
    if failure is not None:
        return line_of_error(failure, url)
    problem = _problem(read)
    if problem is None:
        return Line(CheckResult.YES, url, "reached, and both documents can be read")
    if published:
        return line_of(problem, url)
    if problem.reason is Reason.DocumentNotFound:
        return Line(CheckResult.YES, url, f"reached; nothing is published there yet ({HTTPStatus.NOT_FOUND.value})")
    found = f"reached, but {problem.message} Nothing is published yet"
    return Line(CheckResult.WARNING, url, found, problem.advice)


def _problem(read: Read) -> Finding | None:
    _, of_discovery = judge_answer(read.discovery, parsed_discovery, DISCOVERY_TYPES, None)
    _, of_jwks = judge_answer(read.jwks, parsed_jwks, JWKS_TYPES, None)
    return next(iter((*of_discovery, *of_jwks)), None)
