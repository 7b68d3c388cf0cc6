"""This module tells documents of another issuer or key set path, which adoption Merge must not take over (R9). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from oidc_publisher.documents.stored import StoredDocuments
from oidc_publisher.documents.urls import DISCOVERY_PATH, jwks_uri
from oidc_publisher.errors import DocumentInvalidError
from oidc_publisher.wording import quoted_to

#: spec.issuerURL and spec.jwksPath take these values. Another value is shown, and never recommended.
_ISSUER_URL = re.compile(r"https://[A-Za-z0-9.:/_~-]{1,247}")
_JWKS_PATH = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~/-]{0,127}")
_LONGEST_SHOWN = 512


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A mismatch says how stored documents differ from this issuer's, and by which fields a new object would fit them."""

    message: str
    fields: tuple[str, ...]

    @property
    def advice(self) -> str:
        """What an admin does next: a new object, because both fields are immutable."""
        if not self.fields:
            return "Set spec.adoption: Replace to write over them, which breaks tokens that verify with them. Or choose another place."
        return (
            f"To keep their tokens valid delete this OIDCIssuer (deletionPolicy Retain) and create it again with "
            f"{' and '.join(self.fields)} and spec.adoption: Merge. spec.adoption: Replace writes over them and breaks such tokens."
        )


def mismatch(issuer_url: str, jwks_path: str, stored: StoredDocuments) -> Mismatch | None:
    """Compare the stored discovery document with this issuer; None where it is this issuer's, or where there is none.

    A verifier compares `issuer` with the token's `iss` byte for byte, and fetches keys from `jwks_uri`. Documents with
    other values there serve other tokens. Without a discovery document no verifier can have used the key set. A key set
    that is not read (compressed, a member twice) may serve verifiers that are less strict, and none of its keys could stay.
    """
    theirs = stored.discovery_content
    if theirs is None:
        return None
    if isinstance(theirs, DocumentInvalidError):
        return Mismatch(f"their discovery document {theirs.message}, so that nobody can tell whose they are", ())
    said: list[str] = []
    fields: list[str] = []
    if theirs.issuer != issuer_url:
        said.append(f"their issuer is {_shown(theirs.issuer)} and spec.issuerURL is {_shown(issuer_url)}")
        fields += [f"spec.issuerURL: {theirs.issuer}"] if _ISSUER_URL.fullmatch(theirs.issuer) else []
    if theirs.jwks_uri != jwks_uri(theirs.issuer, jwks_path):
        ours = jwks_uri(issuer_url, jwks_path)
        said.append(f"their jwks_uri is {_shown(theirs.jwks_uri)} and this issuer's is {_shown(ours)}")
        path = _path_below(theirs.issuer, theirs.jwks_uri)
        fields += [f"spec.jwksPath: {path}"] if path else []
    if not said and stored.key_set_error:
        said.append(f"their key set {stored.key_set_error}, so that nobody can tell which keys live tokens need")
    if not said:
        return None
    return Mismatch("; ".join(said), tuple(fields) if len(fields) == len(said) else ())


def _path_below(issuer: str, uri: str) -> str | None:
    """Return the path of the key set at `uri` below the issuer, None where no spec.jwksPath leads to that URL."""
    base = f"{issuer.removesuffix('/')}/"
    path = uri.removeprefix(base)
    below = uri.startswith(base) and path != DISCOVERY_PATH and not path.endswith("/")
    return path if below and _JWKS_PATH.fullmatch(path) else None


def _shown(text: str) -> str:
    """Return a foreign string as it may stand in a message, long enough to show a difference at its end."""
    return quoted_to(_LONGEST_SHOWN, text)
