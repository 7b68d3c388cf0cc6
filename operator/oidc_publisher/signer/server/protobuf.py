"""Encode and decode the few forms of Protocol Buffers that the signer's messages have. Pure.

Source: https://protobuf.dev/programming-guides/encoding. Fields of other numbers are skipped, as every reader has to.
"""

from __future__ import annotations

from collections.abc import Iterator

#: Wire types: a varint, eight bytes, a length and its bytes, four bytes.
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
#: A varint of 64 bits has ten bytes at most, a tag of 32 bits has five. Fields have numbers of 29 bits.
_MAX_VARINT, _MAX_TAG = 10, 5
_NUMBERS = 2**29
_MAX_UINT64 = 2**64 - 1


class MalformedMessageError(ValueError):
    """The bytes are no message."""


def varint_field(number: int, value: int) -> bytes:
    """Return a field with a number from 0 to 2^63-1; nothing for 0, which is the default."""
    return _varint(number << 3 | _VARINT) + _varint(value) if value else b""


def bytes_field(number: int, value: bytes | str) -> bytes:
    """Return a field with bytes or text; nothing where it is empty, which is the default."""
    return message_field(number, value.encode() if isinstance(value, str) else value) if value else b""


def message_field(number: int, message: bytes) -> bytes:
    """Return a field with a message, which is there also when the message is empty."""
    return _varint(number << 3 | _BYTES) + _varint(len(message)) + message


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field: an int for a varint, bytes for all others.

    Raises MalformedMessageError for bytes that are no message.
    """
    place = 0
    while place < len(message):
        tag, place = _read_varint(message, place, _MAX_TAG)
        number, kind = tag >> 3, tag & 7
        if not 1 <= number < _NUMBERS:
            raise MalformedMessageError("a field has a number that none has")
        if kind == _VARINT:
            value, place = _read_varint(message, place)
            yield number, value
            continue
        size, place = _size(message, place, kind)
        if place + size > len(message):
            raise MalformedMessageError("a field ends behind the message")
        yield number, message[place : place + size]
        place += size


def _size(message: bytes, place: int, kind: int) -> tuple[int, int]:
    if kind == _BYTES:
        return _read_varint(message, place)
    if kind not in (_EIGHT, _FOUR):
        raise MalformedMessageError("a field has an unknown type")
    return (8 if kind == _EIGHT else 4), place


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*encoded, value))


def _read_varint(message: bytes, place: int, longest: int = _MAX_VARINT) -> tuple[int, int]:
    value = 0
    for position, byte in enumerate(message[place : place + longest]):
        value |= (byte & 0x7F) << 7 * position
        if byte < 0x80:  # noqa: PLR2004 - the last byte
            return value & _MAX_UINT64, place + position + 1
    raise MalformedMessageError("a number has no end")
