"""The OIDCIssuer that oidci/NAME names, and what its status says that it published.

`subject` imports this module for oidci/NAME alone: an issuer by its URL needs no cluster, whose imports take a fifth of
the time to the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from oidc_publisher.api import OIDCIssuer, RelyingParty
from oidc_publisher.cli.connection import NoAnswerError, connected, issuer_named, sentence
from oidc_publisher.cli.options import Asking
from oidc_publisher.documents import jwks_uri
from oidc_publisher.documents.discovery import ALWAYS_ADVERTISED
from oidc_publisher.errors import ClusterError
from oidc_publisher.probe import Expected
from oidc_publisher.reconcile.status.ledger import read_ledger


@dataclass(frozen=True, slots=True)
class NamedIssuer:
    """A named issuer is an OIDCIssuer as the cluster has it."""

    issuer: OIDCIssuer

    def expected(self, parties: Sequence[RelyingParty], now: datetime) -> Expected:
        """Return what the status says that the issuer serves."""
        spec, publication = self.issuer.spec, self.issuer.status.publication
        ledger = read_ledger(self.issuer.status).ledger
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


async def named_issuer(name: str, asking: Asking) -> NamedIssuer:
    """Read the OIDCIssuer of this name.

    Raises:
        NoAnswerError: the OIDCIssuer could not be read.
    """
    async with connected(asking.kubeconfig, asking.context) as client:
        try:
            return NamedIssuer(await issuer_named(client, name))
        except ClusterError as error:
            raise NoAnswerError(sentence(error)) from error
