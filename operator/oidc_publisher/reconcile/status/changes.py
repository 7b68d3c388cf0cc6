"""Name what a pass has changed in the status, for the one line that the pass has in the log. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oidc_publisher.api import OIDCIssuerStatus, StatusPublication

#: What counts as a change, by its name in logs. Times alone are none: a healthy issuer has a new lastProvenTime now and then.
_ASPECTS: Mapping[str, Callable[[OIDCIssuerStatus], object]] = {
    "generation": lambda status: status.observed_generation,
    "conditions": lambda status: {(c.type, c.status, c.reason) for c in status.conditions},
    "findings": lambda status: {(f.reason, f.severity, f.subject) for f in status.findings},
    "keys": lambda status: {(key.key_id, key.state) for key in status.keys},
    "publication": lambda status: _stored(status.publication or StatusPublication()),
}


def changes(before: OIDCIssuerStatus, after: OIDCIssuerStatus) -> tuple[str, ...]:
    """Return the names of the aspects in which the two statuses differ."""
    return tuple(name for name, aspect in _ASPECTS.items() if aspect(before) != aspect(after))


def _stored(publication: StatusPublication) -> tuple[object, ...]:
    return (publication.location, publication.jwks_digest, publication.discovery_digest, publication.serial)
