"""Decode the answers of a signer, for those who ask it: the messages of KEP-740 in the other direction. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from oidc_publisher.signer.server.messages import ListedKey
from oidc_publisher.signer.server.protobuf import MalformedMessageError, fields


@dataclass(frozen=True, slots=True)
class FetchedKeys:
    """The FetchedKeys are what FetchKeys lists; `time` is when the signer last read the ring."""

    keys: tuple[ListedKey, ...]
    time: datetime

    def get(self, key_id: str) -> ListedKey | None:
        """Return the key with this key ID."""
        return next((key for key in self.keys if key.key_id == key_id), None)


def signature_of(response: bytes) -> tuple[str, str]:
    """Return header and signature of a SignJWTResponse, both in base64url; raises MalformedMessageError."""
    found = dict(fields(response))
    return _text(found.get(1)), _text(found.get(2))


def fetched_keys_of(response: bytes) -> FetchedKeys:
    """Return what a FetchKeysResponse lists; raises MalformedMessageError."""
    keys = tuple(_key(value) for number, value in fields(response) if number == 1)
    stamp = next((value for number, value in fields(response) if number == 2), b"")  # noqa: PLR2004 - data_timestamp
    seconds = dict(fields(_message(stamp))).get(1, 0)
    return FetchedKeys(keys, datetime.fromtimestamp(_number(seconds), UTC))


def lifetime_of(response: bytes) -> timedelta:
    """Return the longest lifetime of a token that a MetadataResponse declares; raises MalformedMessageError."""
    return timedelta(seconds=_number(dict(fields(response)).get(1, 0)))


def _key(value: int | bytes) -> ListedKey:
    found = dict(fields(_message(value)))
    return ListedKey(_text(found.get(1)), _message(found.get(2, b"")), excluded=bool(found.get(3, 0)))


def _text(value: int | bytes | None) -> str:
    try:
        return _message(b"" if value is None else value).decode()
    except UnicodeDecodeError:
        raise MalformedMessageError("a text is no UTF-8") from None


def _message(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise MalformedMessageError("a number stands where bytes should")
    return value


def _number(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise MalformedMessageError("bytes stand where a number should")
    return value
