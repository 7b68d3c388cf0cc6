"""The body of `verify`: it reads the issuer as the operator's probe does, and writes what that means."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from oidc_publisher.api import RelyingParty
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.text.console import console_for
from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.text.output import tell, write_result
from oidc_publisher.cli.verify.assemble import assembled, host_and_port, host_part
from oidc_publisher.cli.verify.choices import VerifySettings
from oidc_publisher.cli.verify.issuerurl import WantedIssuer
from oidc_publisher.cli.verify.text import print_verification
from oidc_publisher.cli.verify.verification import HostPart, Verification
from oidc_publisher.documents import jwks_uri
from oidc_publisher.probe import Expected, HTTPSWire, judge_survey, survey
from oidc_publisher.probe.text import host_of
from oidc_publisher.relyingparties import DEMANDS

#: A host with more addresses than this is read at these many of them.
_MOST_READS = 8
_JWKS_PATH = "openid/v1/jwks"


def verify(wanted: WantedIssuer, settings: VerifySettings) -> ExitCode:
    """Write the verification of an issuer, and return its exit code."""
    verification = asyncio.run(_verified(wanted, settings))
    console = console_for(sys.stdout, no_color=settings.asking.no_color)
    write_result(settings.asking, verification, lambda: print_verification(verification, console))
    return exit_code(verification, strict=settings.strict)


def exit_code(verification: Verification, *, strict: bool) -> ExitCode:
    """Return the answer as an exit code; a warning is a yes, and a no with --strict."""
    if verification.result is CheckResult.NO or (strict and verification.result is CheckResult.WARNING):
        return ExitCode.NO
    return ExitCode.NO_ANSWER if verification.result is CheckResult.NO_ANSWER else ExitCode.YES


async def _verified(wanted: WantedIssuer, settings: VerifySettings) -> Verification:
    parties = tuple(map(RelyingParty, settings.parties))
    authority = _authority(settings.authority)
    pinned = dict(settings.resolve)
    wire = HTTPSWire(
        certificate_authority=authority, allow_private_address=settings.allow_private_address, pinned=pinned
    )
    stranger = None
    if authority and any(DEMANDS[party].public for party in parties):
        stranger = HTTPSWire(allow_private_address=settings.allow_private_address, pinned=pinned)
    own = await _host(wire, wanted.url, settings)
    tell(settings.asking, _addresses(own))
    routed = sum(line.result is not CheckResult.NO_ANSWER for line in own.addresses)
    reads = min(max(2, routed), _MOST_READS)
    seen, named = await survey(wanted.url, wire, timeout=settings.timeout, stranger=stranger, reads=reads)
    expected = Expected(
        issuer_url=wanted.url,
        jwks_uri=jwks_uri(wanted.url, _JWKS_PATH),
        keys=None,
        algorithms=frozenset(),
        cache_max_age=None,
        relying_parties=parties,
    )
    judgement = judge_survey(seen, named, expected)
    hosts = [own]
    if judgement.jwks is not None and named and host_of(named) != host_of(wanted.url):
        hosts.append(await _host(wire, named, settings))
    return assembled(wanted.url, seen, judgement, hosts, parties)


async def _host(wire: HTTPSWire, url: str, settings: VerifySettings) -> HostPart:
    host, port = host_and_port(url)
    return host_part(host, await wire.knock(host, port, settings.timeout), datetime.now(UTC))


def _addresses(part: HostPart) -> str:
    if not part.addresses:
        return f"{part.name} has no address; reading it all the same ..."
    return f"{part.name} is at {', '.join(line.address for line in part.addresses)}; reading both documents ..."


def _authority(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_bytes().decode("ascii")
    except (OSError, UnicodeDecodeError):
        raise click.ClickException(f"--ca {path} cannot be read as PEM.") from None
    if "PRIVATE KEY" in text:
        raise click.ClickException(f"--ca {path} holds a private key: name a file with certificates alone.")
    return text
