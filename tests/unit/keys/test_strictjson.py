"""The bounds of strict JSON; what it refuses stands in tests/vectors/documents."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oidc_publisher.errors import DocumentInvalidError
from oidc_publisher.findings import Reason
from oidc_publisher.keys.strictjson import MAX_DOCUMENT_BYTES, parse_object, quoted


@given(st.one_of(st.binary(max_size=200), st.text('{}[]":,\\ntfu01.eE+- ', max_size=60).map(str.encode)))
def test_whatever_comes_one_error_comes_out(data: bytes) -> None:
    """Nothing foreign escapes, and the message reads on after a name."""
    error = refusal(data)
    if error is not None:
        assert error.reason is Reason.DocumentInvalid
        assert error.message.split()[0] in {"is", "has", "holds", "begins"}


def refusal(data: bytes) -> DocumentInvalidError | None:
    try:
        parse_object(data)
    except DocumentInvalidError as error:
        return error
    return None


@pytest.mark.parametrize("token", [b"[", b'{"a":', b'"', b'\\"', b'"\\', b"[1,", b"<", b"\x1f\x8b", b'{"":'])
def test_the_largest_document_is_judged_in_linear_time(token: bytes) -> None:
    """No document of the permitted size can keep the probe busy or end the stack."""
    started = time.process_time()
    for data in (token * (MAX_DOCUMENT_BYTES // len(token)), b'{"a":"' + token * (65000 // len(token))):
        with pytest.raises(DocumentInvalidError):
            parse_object(data)
    assert time.process_time() - started < 1


def test_ordinary_json_is_read() -> None:
    """White space, escapes, numbers and nesting within the bounds are no defect."""
    text = '\r\n{"a": [1, -2.5e3, true, null, {"b": "\\u00e9 \\ud83d\\ude00 é"}], "A\\"[": "]}"}\t '
    assert parse_object(text.encode()) == {"a": [1, -2500.0, True, None, {"b": "é 😀 é"}], 'A"[': "]}"}


def test_a_member_name_is_quoted_as_ascii() -> None:
    """Messages never carry raw foreign text."""
    assert quoted("é\n") == '"\\u00e9\\n"'
    assert len(quoted("x" * 1000)) == 69


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1,}', "line 1, column 8"),
        ('{"a": 1, \n }', "line 1, column 8"),
        ('{"a": [1, 2,\r\n\t]}', "line 1, column 12"),
        ('{"a": 1,', "line 1, column 9"),
        ("{,}", "line 1, column 2"),
        ('{"a": [,]}', "line 1, column 8"),
        ('{"a": 1,,}', "line 1, column 9"),
        ('{"a": ",", ]}', "line 1, column 10"),
        ('{"a": }', "line 1, column 7"),
    ],
)
def test_a_comma_too_many_is_found_where_it_stands(text: str, place: str) -> None:
    """Python 3.13 names the comma, older ones the bracket behind it, perhaps lines below: a message has one text."""
    error = refusal(text.encode())
    assert error is not None
    assert error.message == f"is not JSON ({place})"
