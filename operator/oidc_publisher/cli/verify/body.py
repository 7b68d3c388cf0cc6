"""The body of `verify`: it reads the issuer as the operator's probe does, and writes what that means."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import click
from rich.console import Console

from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Output
from oidc_publisher.cli.text.console import console_for
from oidc_publisher.cli.text.marks import CheckResult
from oidc_publisher.cli.text.output import tell, write_line, write_result
from oidc_publisher.cli.verify.assemble import assembled, host_and_port, host_part
from oidc_publisher.cli.verify.closing import token_sentence, worst_of
from oidc_publisher.cli.verify.given.choices import VerifySettings
from oidc_publisher.cli.verify.given.issuerurl import WantedIssuer
from oidc_publisher.cli.verify.given.tokenfile import read_token_from
from oidc_publisher.cli.verify.load import burst
from oidc_publisher.cli.verify.operatorside import operator_part
from oidc_publisher.cli.verify.repeating import EVERY_S, differences
from oidc_publisher.cli.verify.subject import Subject, subject_of
from oidc_publisher.cli.verify.text import print_changes, print_verification
from oidc_publisher.cli.verify.token import GivenToken, World, token_part
from oidc_publisher.cli.verify.verification import HostPart, TokenPart, Verification
from oidc_publisher.probe import Judgement, Look, date_offsets
from oidc_publisher.probe.text import host_of
from oidc_publisher.relyingparties.roletrust import MAX_ROLE_TRUST_BYTES, NoRoleTrustError

#: A host with more addresses than this is read at these many of them.
_MOST_READS = 8


def verify(wanted: WantedIssuer, settings: VerifySettings) -> ExitCode:
    """Write the verification of an issuer, and return its exit code.

    Raises:
        NoTokenError: what --token names is no token.
        NoAnswerError: the OIDCIssuer could not be read.
        ClickException: a file cannot be used.
    """
    given = _given(settings)
    console = console_for(sys.stdout, no_color=settings.asking.no_color)
    if settings.watch:
        return asyncio.run(_watched(wanted, given, settings, console))
    verification = asyncio.run(_verified(wanted, given, settings))
    write_result(settings.asking, verification, lambda: print_verification(verification, console))
    return exit_code(verification, strict=settings.strict)


def exit_code(verification: Verification, *, strict: bool) -> ExitCode:
    """Return the answer as an exit code; a warning is a yes, and a no with --strict."""
    if verification.result is CheckResult.NO or (strict and verification.result is CheckResult.WARNING):
        return ExitCode.NO
    return ExitCode.NO_ANSWER if verification.result is CheckResult.NO_ANSWER else ExitCode.YES


async def _watched(
    wanted: WantedIssuer, given: GivenToken | None, settings: VerifySettings, console: Console
) -> ExitCode:
    """Verify until somebody interrupts, and write what changes; an outage of the API server does not end it."""
    before, told = None, ""
    while True:
        try:
            now = await _verified(wanted, given, settings, quiet=before is not None)
        except click.ClickException as error:
            if before is None:
                raise
            if told != (told := error.message):
                tell(settings.asking, f"{told} Trying again.")
        else:
            told = ""
            _write_changes(before, now, settings, console)
            before = now
        await asyncio.sleep(EVERY_S)


def _write_changes(before: Verification | None, now: Verification, settings: VerifySettings, console: Console) -> None:
    found = tuple(differences(before, now))
    if found and settings.asking.output is Output.TEXT and not settings.asking.quiet:
        print_changes(now.time, found, console)
    elif found:
        write_line(settings.asking, now)


async def _verified(
    wanted: WantedIssuer, given: GivenToken | None, settings: VerifySettings, *, quiet: bool = False
) -> Verification:
    subject = await subject_of(wanted, settings)
    own = await _host(subject, subject.issuer_url)
    asking = replace(settings.asking, quiet=settings.asking.quiet or quiet)
    tell(asking, _addresses(own))
    routed = sum(line.result is not CheckResult.NO_ANSWER for line in own.addresses)
    seen, judgement, named = await subject.read(min(max(2, routed), _MOST_READS))
    hosts = [own]
    if judgement.jwks is not None and named and host_of(named) != host_of(subject.issuer_url):
        hosts.append(await _host(subject, named))
    published = subject.named is not None
    done = assembled(subject.issuer_url, seen, judgement, hosts, subject.parties, published=published)
    if subject.named is not None:
        done = replace(done, operator=operator_part(subject.named.issuer, judgement, seen.at))
    if given is not None:
        done = _with_token(done, _token(given, subject, seen, judgement), given)
    if settings.load and named and judgement.jwks is not None:
        tell(asking, f"Letting {settings.load} strangers read it at once ...")
        load = await burst(subject, named, settings.load)
        done = replace(done, load=load, result=worst_of((done.result, load.result)))
    return done


def _token(given: GivenToken, subject: Subject, seen: Look, judgement: Judgement) -> TokenPart:
    offsets = date_offsets(seen)
    offset = timedelta(seconds=median(one.total_seconds() for one in offsets)) if offsets else None
    world = World(subject.issuer_url, judgement, judgement.findings, subject.parties, seen.at, offset)
    try:
        return token_part(given, world)
    except NoRoleTrustError as error:
        raise click.ClickException(f"The file of --role-trust {error}.") from None


def _with_token(done: Verification, part: TokenPart, given: GivenToken) -> Verification:
    results = (*(check.result for check in part.checks), *(party.result for party in part.parties))
    first = done.first or next((c.advice or c.found for c in part.checks if c.result is not CheckResult.YES), "")
    sentence = f"{done.sentence} {token_sentence(part.parties, compared=given.compared)}"
    return replace(done, token=part, result=worst_of((done.result, *results)), sentence=sentence, first=first)


def _given(settings: VerifySettings) -> GivenToken | None:
    if settings.token is None:
        return None
    trust = _content(settings.role_trust) if settings.role_trust else None
    return GivenToken(read_token_from(settings.token), settings.audiences, trust)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:  # which may have no end of its own
            return stream.read(MAX_ROLE_TRUST_BYTES + 1)
    except OSError as error:
        raise click.ClickException(f"The file of --role-trust cannot be read: {error.strerror}.") from None


async def _host(subject: Subject, url: str) -> HostPart:
    host, port = host_and_port(url)
    proxy = subject.wire.proxy_for(host)
    knocks = await subject.wire.knock(host, port, subject.timeout)
    return host_part(host, knocks, datetime.now(UTC), proxy=str(proxy) if proxy else "")


def _addresses(part: HostPart) -> str:
    if part.proxy:
        return f"{part.name} is reached by the proxy {part.proxy}; reading both documents ..."
    if not part.addresses:
        return f"{part.name} has no address ..."
    return f"{part.name} is at {', '.join(line.address for line in part.addresses)}; reading both documents ..."
