"""What is verified: an issuer of which only the URL is known, or an OIDCIssuer of the cluster with what was published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oidc_publisher.api import ProbeSpec, RelyingParty
from oidc_publisher.cli.verify.given.choices import VerifySettings
from oidc_publisher.cli.verify.given.issuerurl import WantedIssuer
from oidc_publisher.documents import jwks_uri
from oidc_publisher.probe import Expected, HTTPSWire, Judgement, Look, Proxy, Target, judge, judge_survey, look, survey
from oidc_publisher.probe.proxies import SPEC_FIELD
from oidc_publisher.relyingparties import DEMANDS

if TYPE_CHECKING:
    from oidc_publisher.cli.verify.given.namedissuer import NamedIssuer

#: AWS STS gives up after this time.
_TIMEOUT = timedelta(seconds=5)
#: A bundle of all public authorities is a quarter of this.
_MOST_BYTES = 1024 * 1024
_JWKS_PATH = "openid/v1/jwks"


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject is read over `wire`, and over `stranger` without the issuer's own CA, None where there is no such CA.

    `named` is the OIDCIssuer whose status says what was published, None for an issuer that is known by its URL only.
    """

    issuer_url: str
    parties: tuple[RelyingParty, ...]
    timeout: timedelta
    wire: HTTPSWire
    stranger: HTTPSWire | None
    named: NamedIssuer | None = None

    async def read(self, reads: int) -> tuple[Look, Judgement, str | None]:
        """Probe the subject; return the look, its judgement, and the jwks_uri that the document names."""
        if self.named is None:
            seen, found = await survey(
                self.issuer_url, self.wire, timeout=self.timeout, stranger=self.stranger, reads=reads
            )
            return seen, judge_survey(seen, found, self._unknown()), found
        spec = self.named.issuer.spec
        target = Target(spec.issuer_url, jwks_uri(spec.issuer_url, spec.jwks_path), self.timeout)
        seen = await look(target, self.wire, stranger=self.stranger, reads=reads)
        judgement = judge(seen, self.named.expected(self.parties, seen.at))
        return seen, judgement, judgement.jwks_uri

    def _unknown(self) -> Expected:
        return Expected(
            issuer_url=self.issuer_url,
            jwks_uri=jwks_uri(self.issuer_url, _JWKS_PATH),
            keys=None,
            algorithms=frozenset(),
            cache_max_age=None,
            relying_parties=self.parties,
        )


async def subject_of(wanted: WantedIssuer, settings: VerifySettings) -> Subject:
    """Return what to verify; an OIDCIssuer is read from the cluster first.

    Raises:
        NoAnswerError: the OIDCIssuer could not be read.
        ClickException: the file of --ca holds no certificates.
    """
    named = await _named(wanted.name, settings) if wanted.name else None
    probe = named.issuer.spec.probe if named else None
    authority = _authority(settings.authority) or (probe.certificate_authority if probe else None) or ""
    parties = tuple(map(RelyingParty, settings.parties)) or (probe.relying_parties if probe else tuple(RelyingParty))
    with_stranger = authority and any(DEMANDS[party].public for party in parties)
    return Subject(
        issuer_url=named.issuer.spec.issuer_url if named else wanted.url,
        parties=parties,
        timeout=settings.timeout or (probe.timeout if probe else _TIMEOUT),
        wire=_wire(settings, probe, authority),
        stranger=_wire(settings, probe, "") if with_stranger else None,
        named=named,
    )


def _wire(settings: VerifySettings, probe: ProbeSpec | None, authority: str) -> HTTPSWire:
    # The operator has an allow list of proxies; here the person who names the object decides.
    proxy = Proxy.of(probe.proxy_url, SPEC_FIELD) if probe and probe.proxy_url else None
    return HTTPSWire(
        certificate_authority=authority,
        allow_private_address=settings.allow_private_address or bool(probe and probe.allow_private_address),
        pinned=dict(settings.resolve),
        proxy=proxy,
    )


async def _named(name: str, settings: VerifySettings) -> NamedIssuer:
    from oidc_publisher.cli.verify.given.namedissuer import named_issuer  # noqa: PLC0415 - a fifth of the time to the verdict

    return await named_issuer(name, settings.asking)


def _authority(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with path.open("rb") as stream:  # which may have no end of its own
            content = stream.read(_MOST_BYTES + 1)
        text = content.decode("ascii")
    except (OSError, UnicodeDecodeError):
        raise click.ClickException("The file of --ca cannot be read as PEM.") from None
    if len(content) > _MOST_BYTES:  # a part of it would be another set of authorities
        raise click.ClickException("The file of --ca has more than 1 MiB: name a file of its certificates alone.")
    if "PRIVATE KEY" in text:
        raise click.ClickException("The file of --ca holds a private key: name a file with certificates alone.")
    if "BEGIN CERTIFICATE" not in text:
        raise click.ClickException("The file of --ca holds no PEM certificate.")
    return text
