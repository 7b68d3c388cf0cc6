"""This module makes and reads the discovery document (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from oidc_publisher.errors import DocumentInvalidError
from oidc_publisher.findings import Reason
from oidc_publisher.keys.strictjson import parse_object, quoted

#: The standard requires the member, and openidconnect-rs refuses a document without the member. The value is the one by
#: which EKS says that there is no such endpoint.
AUTHORIZATION_ENDPOINT = "urn:kubernetes:programmatic_authorization"
#: These algorithms are advertised from the first day, because relying parties read the list once, at their start
#: (relying-parties.md).
ALWAYS_ADVERTISED = frozenset({"RS256", "ES256"})

#: go-oidc, and so kube-apiserver and Vault, refuses a document in which one of them is there and no string.
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "device_authorization_endpoint")
_ALGORITHMS = "id_token_signing_alg_values_supported"


@dataclass(frozen=True, slots=True)
class Discovery:
    """A discovery document as read.

    `algorithms` is empty where the document advertises none. `members` are all members of the document.
    """

    issuer: str
    jwks_uri: str
    algorithms: tuple[str, ...]
    members: Mapping[str, Any]


def discovery_document(issuer: str, jwks_uri: str, algorithms: Iterable[str]) -> bytes:
    """Return the bytes of the discovery document for keys of these algorithms; equal input gives equal bytes."""
    members = {
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "authorization_endpoint": AUTHORIZATION_ENDPOINT,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        _ALGORITHMS: sorted(advertised(algorithms)),
    }
    return f"{json.dumps(members, indent=2)}\n".encode()


def advertised(algorithms: Iterable[str]) -> frozenset[str]:
    """Return the algorithms that the discovery document advertises for keys of `algorithms`."""
    return ALWAYS_ADVERTISED.union(algorithms)


def read_discovery(data: bytes) -> Discovery:
    """Read a discovery document strictly.

    Raises:
        DocumentInvalidError: the bytes are no discovery document.
    """
    members = parse_object(data)
    algorithms = members.get(_ALGORITHMS, [])
    if not isinstance(algorithms, list) or not all(isinstance(algorithm, str) for algorithm in algorithms):
        _refuse(f"has a member {quoted(_ALGORITHMS)} that is not a list of strings")
    for name in _ENDPOINTS:
        if not isinstance(members.get(name), str | None):
            _refuse(f"has a member {quoted(name)} that is not a string")
    return Discovery(_text(members, "issuer"), _text(members, "jwks_uri"), tuple(algorithms), members)


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value:
        _refuse(f"has no member {quoted(name)} with a string")
    return value


def _refuse(message: str) -> NoReturn:
    raise DocumentInvalidError(Reason.DocumentInvalid, message)
