"""Encode and decode the messages of KEP-740, whose packages v1 and v1alpha1 are the same.

Source: k8s.io/externaljwt/apis/v1/api.proto, compared with it by protobuf in the tests. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from oidc_publisher.signer.server.protobuf import (
    MalformedMessageError,
    bytes_field,
    fields,
    message_field,
    varint_field,
)


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A ListedKey is one that API servers verify tokens with; `excluded`: its tokens are not for relying parties."""

    key_id: str
    spki: bytes
    excluded: bool = False


def claims_of(request: bytes) -> str:
    """Return the claims of a SignJWTRequest; raises MalformedMessageError for another message."""
    claims: str | None = None
    for number, value in fields(request):
        if number != 1:
            continue
        if not isinstance(value, bytes):
            raise MalformedMessageError("the claims are no text")
        try:
            claims = value.decode()  # of several the last one counts
        except UnicodeDecodeError:
            raise MalformedMessageError("the claims are no UTF-8") from None
    return claims or ""


def sign_response(header: str, signature: str) -> bytes:
    """Return a SignJWTResponse."""
    return bytes_field(1, header) + bytes_field(2, signature)


def fetch_keys_response(keys: Iterable[ListedKey], time: datetime, hint: timedelta) -> bytes:
    """Return a FetchKeysResponse; `time` is when the keys were read, `hint` how often the API server asks again."""
    stamp = varint_field(1, int(time.timestamp())) + varint_field(2, time.microsecond * 1000)
    return (
        b"".join(message_field(1, _key(key)) for key in keys)
        + message_field(2, stamp)
        + varint_field(3, int(hint.total_seconds()))
    )


def _key(key: ListedKey) -> bytes:
    return bytes_field(1, key.key_id) + bytes_field(2, key.spki) + varint_field(3, int(key.excluded))


def metadata_response(max_token_lifetime: timedelta) -> bytes:
    """Return a MetadataResponse."""
    return varint_field(1, int(max_token_lifetime.total_seconds()))
