"""What is verified: an issuer of which only the URL is known, or an OIDCIssuer of the cluster with what was published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import click

from oidc_publisher.api import OIDCIssuer, RelyingParty
from oidc_publisher.cli.connection import NoAnswerError, connected, issuer_named, sentence
from oidc_publisher.cli.verify.given.choices import VerifySettings
from oidc_publisher.cli.verify.given.issuerurl import WantedIssuer
from oidc_publisher.documents import jwks_uri
from oidc_publisher.documents.discovery import ALWAYS_ADVERTISED
from oidc_publisher.errors import ClusterError
from oidc_publisher.probe import Expected, HTTPSWire, Judgement, Look, judge, judge_survey, look, survey
from oidc_publisher.reconcile.ports import target_of
from oidc_publisher.reconcile.status.ledger import read_ledger
from oidc_publisher.relyingparties import DEMANDS

#: AWS STS gives up after this time.
_TIMEOUT = timedelta(seconds=5)
_JWKS_PATH = "openid/v1/jwks"


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject is read over `wire`, and over `stranger` without the issuer's own CA, None where there is no such CA.

    `issuer` is the OIDCIssuer whose status says what was published, None for an issuer that is known by its URL only.
    """

    issuer_url: str
    parties: tuple[RelyingParty, ...]
    timeout: timedelta
    wire: HTTPSWire
    stranger: HTTPSWire | None
    issuer: OIDCIssuer | None = None

    async def read(self, reads: int) -> tuple[Look, Judgement, str | None]:
        """Probe the subject; return the look, its judgement, and the jwks_uri that the document names."""
        if self.issuer is None:
            seen, named = await survey(
                self.issuer_url, self.wire, timeout=self.timeout, stranger=self.stranger, reads=reads
            )
            return seen, judge_survey(seen, named, self._unknown()), named
        target = target_of(self.issuer.spec)
        seen = await look(target, self.wire, stranger=self.stranger, reads=reads)
        judgement = judge(seen, _published(self.issuer, self.parties, seen.at))
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
    issuer = await _issuer(wanted.name, settings) if wanted.name else None
    probe = issuer.spec.probe if issuer else None
    authority = _authority(settings.authority) or (probe.certificate_authority if probe else None) or ""
    private = settings.allow_private_address or bool(probe and probe.allow_private_address)
    parties = tuple(map(RelyingParty, settings.parties)) or (probe.relying_parties if probe else tuple(RelyingParty))
    pinned = dict(settings.resolve)
    stranger = None
    if authority and any(DEMANDS[party].public for party in parties):
        stranger = HTTPSWire(allow_private_address=private, pinned=pinned)
    return Subject(
        issuer_url=issuer.spec.issuer_url if issuer else wanted.url,
        parties=parties,
        timeout=settings.timeout or (probe.timeout if probe else _TIMEOUT),
        wire=HTTPSWire(certificate_authority=authority, allow_private_address=private, pinned=pinned),
        stranger=stranger,
        issuer=issuer,
    )


async def _issuer(name: str, settings: VerifySettings) -> OIDCIssuer:
    async with connected(settings.asking.kubeconfig, settings.asking.context) as client:
        try:
            return await issuer_named(client, name)
        except ClusterError as error:
            raise NoAnswerError(sentence(error)) from error


def _published(issuer: OIDCIssuer, parties: Sequence[RelyingParty], now: datetime) -> Expected:
    """Return what the status of an OIDCIssuer says that it serves."""
    spec, publication = issuer.spec, issuer.status.publication
    ledger = read_ledger(issuer.status).ledger
    keys = tuple(entry.key for entry in ledger.keys if entry.published_time is not None)
    changed = publication.last_change_time if publication else None
    longest = max((kept.age for kept in ledger.cache_ages), default=spec.cache_max_age)
    return Expected(
        issuer_url=spec.issuer_url,
        jwks_uri=jwks_uri(spec.issuer_url, spec.jwks_path),
        keys=keys or None,
        algorithms=ALWAYS_ADVERTISED.union(key.algorithm for key in keys),
        cache_max_age=spec.cache_max_age,
        relying_parties=tuple(parties),
        former_key_ids=frozenset(entry.key_id for entry in ledger.keys),
        propagating=changed is not None and now < changed + longest,
    )


def _authority(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        text = path.read_bytes().decode("ascii")
    except (OSError, UnicodeDecodeError):
        raise click.ClickException("The file of --ca cannot be read as PEM.") from None
    if "PRIVATE KEY" in text:
        raise click.ClickException("The file of --ca holds a private key: name a file with certificates alone.")
    if "BEGIN CERTIFICATE" not in text:
        raise click.ClickException("The file of --ca holds no PEM certificate.")
    return text
