"""The body of `check`: it asks the cluster, the stores and the public URLs, and writes the report."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import IO

import click

from oidc_publisher.api import OIDCIssuer, read_issuer
from oidc_publisher.cli.asked import wanted, within
from oidc_publisher.cli.check.clusterchecks import cluster_section, installer_section, rights_section, servers_section
from oidc_publisher.cli.check.issuerchecks import issuer_section
from oidc_publisher.cli.check.lines import CheckResult, Line, Report, Section, line_of_error, unasked
from oidc_publisher.cli.check.text import print_report
from oidc_publisher.cli.connection import NoAnswerError, connected, living_object, sentence
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Asking, Reading
from oidc_publisher.cli.text.console import console_for
from oidc_publisher.cli.text.output import tell, write_result
from oidc_publisher.cluster import ClusterAPI
from oidc_publisher.cluster.issuers import Object, all_issuers
from oidc_publisher.cluster.remote import RemoteClusters
from oidc_publisher.errors import AnswerError, ClusterError, InvalidObjectError
from oidc_publisher.harmless import harmless
from oidc_publisher.probe import ProbeProxies
from oidc_publisher.stores.storeendpoints import StoreEndpoints

#: How many OIDCIssuers are checked at once.
_AT_ONCE = 8
_NONE_YET = "Name one with -f FILE, to check its store and its public URL."


def check(
    names: Sequence[str], manifest: IO[bytes] | None, limit: timedelta, asking: Asking, reading: Reading, *, pre: bool
) -> ExitCode:
    """Write the report of an installation, and return its exit code.

    Raises:
        InvalidObjectError: the API server would not take the manifest.
        NoAnswerError: the API server does not answer, or there is no OIDCIssuer of a name.
    """
    given = wanted(manifest) if manifest else None
    report = asyncio.run(within(limit, _report(names, given, asking, reading, pre=pre), "checked"))
    console = console_for(sys.stdout, no_color=asking.no_color)
    write_result(asking, report, lambda: print_report(report, console))
    worst = report.worst
    if asking.quiet and worst is not None and report.exit_code is ExitCode.NO_ANSWER:
        click.echo(f"Error: {harmless(f'{worst.check}: {worst.found}')}", err=True)
    return report.exit_code


async def _report(
    names: Sequence[str], given: OIDCIssuer | None, asking: Asking, reading: Reading, *, pre: bool
) -> Report:
    async with connected(asking.kubeconfig, asking.context, api_server_names=reading.api_server_names) as client:
        tell(asking, f"Checking the cluster behind {client.host_port}. Nothing is changed.")
        try:
            cluster = await cluster_section(client, pre=pre)
            issuers, unread = await _issuers(client, names, given, pre=pre)
        except ClusterError as error:
            raise NoAnswerError(sentence(error)) from error
        probe = reading.probe_service_account
        rights = await (installer_section(client) if pre else rights_section(client, probe, issuers))
        servers = await servers_section(client, probe, issuers, pre=pre)
        sections = await _issuer_sections(client, issuers, asking, reading)
    return Report.of((cluster, rights, servers, Section("OIDCISSUERS", unread), *sections))


async def _issuer_sections(
    client: ClusterAPI, issuers: Sequence[OIDCIssuer], asking: Asking, reading: Reading
) -> Sequence[Section]:
    endpoints, gate = StoreEndpoints.listed(reading.store_endpoints), asyncio.Semaphore(_AT_ONCE)
    proxies, root = ProbeProxies.listed(reading.probe_proxies), reading.key_files_root
    remotes = RemoteClusters(client, api_server_names=reading.api_server_names)

    async def one(issuer: OIDCIssuer) -> Section:
        async with gate:
            tell(asking, f"Checking what oidci/{issuer.metadata.name} names: its store and {issuer.spec.issuer_url}.")
            return await issuer_section(
                client, issuer, key_files_root=root, endpoints=endpoints, proxies=proxies, remotes=remotes
            )

    return await asyncio.gather(*map(one, issuers))


async def _issuers(
    client: ClusterAPI, names: Sequence[str], given: OIDCIssuer | None, *, pre: bool
) -> tuple[tuple[OIDCIssuer, ...], tuple[Line, ...]]:
    """Return the OIDCIssuers to check, and the lines of those that cannot be read."""
    if given is not None:
        return (given,), ()
    if pre:
        return (), (
            Line(CheckResult.WARNING, "stores and public URLs", "not checked: no manifest was given", _NONE_YET),
        )
    if names:
        objects = [await _named(client, name) for name in names]
    else:
        try:
            objects = list(await all_issuers(client))
        except ClusterError as error:
            if isinstance(error, AnswerError) and error.status == HTTPStatus.NOT_FOUND:
                return (), ()  # there is no CRD, and its own line says so
            return (), (unasked(error, "list of the OIDCIssuers"),)
    if not objects:
        return (), (
            Line(CheckResult.WARNING, "stores and public URLs", "not checked: there is no OIDCIssuer", _NONE_YET),
        )
    return _readable(objects)


async def _named(client: ClusterAPI, name: str) -> Object:
    found = await living_object(client, name)
    if found is None:
        raise NoAnswerError(f"There is no OIDCIssuer {name} in this cluster.")
    return found


def _readable(objects: Sequence[Object]) -> tuple[tuple[OIDCIssuer, ...], tuple[Line, ...]]:
    issuers: list[OIDCIssuer] = []
    unread: list[Line] = []
    for found in objects:
        try:
            issuers.append(read_issuer({member: value for member, value in found.items() if member != "status"}))
        except InvalidObjectError as error:
            unread.append(line_of_error(error, f"oidci/{found['metadata']['name']}"))
    return tuple(issuers), tuple(unread)
