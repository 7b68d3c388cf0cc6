"""Read an issuer as a relying party without caches, and record what such a reader must never find."""

from __future__ import annotations

import http
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.edge import Edge

#: Relying parties want to see these whatever the keys are.
ALWAYS_NAMED = {"RS256", "ES256"}


@dataclass(slots=True)
class Stranger:
    """A Stranger reads both documents below `path`; `needed` are the key IDs that every reader must find.

    It reads the upstream of the edge, so that the edge's faults do not count as the operator's.
    """

    edge: Edge
    path: str
    jwks_path: str = "openid/v1/jwks"
    needed: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)
    _discovery_seen: bool = False

    def begin_anew(self) -> None:
        """Forget what was found so far, because the location is empty again."""
        self.needed, self._discovery_seen = set(), False

    def look(self) -> None:
        """Read the discovery document and the key set it names."""
        discovery = self.edge.fetch(f"{self.path}/.well-known/openid-configuration")
        jwks = self.edge.fetch(f"{self.path}/{self.jwks_path}")
        found = discovery.status == http.HTTPStatus.OK
        if found and jwks.status != http.HTTPStatus.OK:
            self.complaints.append("the discovery document names a key set that is not there")
        if self._discovery_seen and not found:
            self.complaints.append("the discovery document is gone")
        self._discovery_seen = found
        keys = json.loads(jwks.body)["keys"] if jwks.status == http.HTTPStatus.OK else []
        named = set(json.loads(discovery.body)["id_token_signing_alg_values_supported"]) if found else set()
        unknown = named - ALWAYS_NAMED - {key["alg"] for key in keys}
        if unknown:
            self.complaints.append(f"the discovery document names {unknown}, and no key is there for it")
        missing = self.needed - {key["kid"] for key in keys}
        if missing:
            self.complaints.append(f"the published set shrank: {missing} is missing")
