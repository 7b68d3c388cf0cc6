"""The messages of KEP-740, held against protobuf's own encoding of the same definition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.signer.server.messages import (
    ListedKey,
    claims_of,
    fetch_keys_response,
    metadata_response,
    sign_response,
)
from oidc_publisher.signer.server.protobuf import MalformedMessageError, fields, varint_field

_F = descriptor_pb2.FieldDescriptorProto
#: k8s.io/externaljwt/apis/v1/api.proto: each message with the name, number, type and label of its fields.
_DEFINITION = {
    "SignJWTRequest": [("claims", 1, _F.TYPE_STRING, "")],
    "SignJWTResponse": [("header", 1, _F.TYPE_STRING, ""), ("signature", 2, _F.TYPE_STRING, "")],
    "Key": [
        ("key_id", 1, _F.TYPE_STRING, ""),
        ("key", 2, _F.TYPE_BYTES, ""),
        ("exclude_from_oidc_discovery", 3, _F.TYPE_BOOL, ""),
    ],
    "FetchKeysResponse": [
        ("keys", 1, _F.TYPE_MESSAGE, ".v1.Key"),
        ("data_timestamp", 2, _F.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
        ("refresh_hint_seconds", 3, _F.TYPE_INT64, ""),
    ],
    "MetadataResponse": [("max_token_expiration_seconds", 1, _F.TYPE_INT64, "")],
}


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="api.proto", package="v1", syntax="proto3", dependency=["google/protobuf/timestamp.proto"]
    )
    for name, members in _DEFINITION.items():
        message = file.message_type.add(name=name)
        for field, number, kind, of in members:
            label = _F.LABEL_REPEATED if field == "keys" else _F.LABEL_OPTIONAL
            message.field.add(name=field, number=number, type=kind, label=label, type_name=of or None)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {n: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"v1.{n}")) for n in _DEFINITION}


CLASSES = _classes()
_TEXT = st.text(max_size=300)
_KEYS = st.lists(st.builds(ListedKey, _TEXT, st.binary(max_size=600), st.booleans()), max_size=6)
_TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - as asked


@given(_TEXT)
def test_claims_are_read_as_protobuf_writes_them(claims: str) -> None:
    """Of every length, none included."""
    assert claims_of(CLASSES["SignJWTRequest"](claims=claims).SerializeToString()) == claims


@given(_TEXT, _TEXT)
def test_a_sign_response_is_protobufs(header: str, signature: str) -> None:
    """Byte for byte."""
    expected = CLASSES["SignJWTResponse"](header=header, signature=signature).SerializeToString()
    assert sign_response(header, signature) == expected


@given(_KEYS, _TIMES, st.integers(0, 2**40))
def test_a_fetch_keys_response_is_protobufs(keys: list[ListedKey], time: datetime, hint: int) -> None:
    """Byte for byte, with the time to the microsecond."""
    message = CLASSES["FetchKeysResponse"](refresh_hint_seconds=hint)
    message.data_timestamp.FromDatetime(time)
    for key in keys:
        message.keys.add(key_id=key.key_id, key=key.spki, exclude_from_oidc_discovery=key.excluded)
    assert fetch_keys_response(keys, time, timedelta(seconds=hint)) == message.SerializeToString()


@given(st.integers(0, 2**40))
def test_a_metadata_response_is_protobufs(seconds: int) -> None:
    """Byte for byte."""
    expected = CLASSES["MetadataResponse"](max_token_expiration_seconds=seconds).SerializeToString()
    assert metadata_response(timedelta(seconds=seconds)) == expected


@given(st.binary(max_size=40))
def test_what_protobuf_refuses_is_refused(data: bytes) -> None:
    """And where both read a message, they read the same claims."""
    request = CLASSES["SignJWTRequest"]()
    try:
        request.ParseFromString(data)
    except DecodeError:
        with pytest.raises(MalformedMessageError):
            claims_of(data)
        return
    try:
        claims = claims_of(data)
    except MalformedMessageError:
        return  # protobuf skips groups, which no message of ours has, and a field of another type
    assert claims == request.claims


def test_unknown_fields_are_skipped() -> None:
    """A later version of the API may have more of them."""
    later = varint_field(7, 2**63) + b"\x49" + b"8" * 8 + b"\x55" + b"4" * 4 + b"\x0a\x01a" + b"\x12\x01b"
    assert claims_of(later) == "a"
    assert next(iter(fields(later))) == (7, 2**63)


@pytest.mark.parametrize(
    "data",
    [b"\x0a", b"\x0a\x05abc", b"\x00\x01", b"\x0a\x02\xff\xff", b"\x08\x01", b"\xff" * 11, b"\x0b", b"\x0e"],
    ids=["no-length", "too-short", "number-0", "no-utf-8", "other-type", "endless-number", "group", "type-6"],
)
def test_malformed_messages_are_refused(data: bytes) -> None:
    """With an error that the service turns into INVALID_ARGUMENT."""
    with pytest.raises(MalformedMessageError):
        claims_of(data)
