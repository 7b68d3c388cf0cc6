"""How a document changes, in lines that a person reads."""

from __future__ import annotations

from dataclasses import replace

from oidc_publisher.cli.plan.diff import unified_diff, what_changes
from oidc_publisher.documents import Document, StoredDocument, WriteReason

MARK = {"oidc-publisher-owner": "u-1/prod", "oidc-publisher-serial": "4"}
DOCUMENT = Document(b'{"keys":[\n{"kid":"a"}\n]}\n', "application/json", "public, max-age=300", MARK)
STORED = StoredDocument(DOCUMENT, "v1")


def changed_lines(stored: StoredDocument | None, planned: Document) -> list[str]:
    lines = unified_diff("openid/v1/jwks", stored, planned)
    return [line for line in lines[2:] if line[0] in "+-"]


def test_a_new_document_is_all_plus() -> None:
    """Headers and owner mark first, then its JSON indented."""
    lines = unified_diff("openid/v1/jwks", None, DOCUMENT)
    assert lines[:2] == ("--- /dev/null", "+++ openid/v1/jwks (planned)")
    assert lines[3:] == (
        "+Content-Type: application/json",
        "+Cache-Control: public, max-age=300",
        "+oidc-publisher-owner: u-1/prod",
        "+oidc-publisher-serial: 4",
        "+",
        "+{",
        '+  "keys": [',
        "+    {",
        '+      "kid": "a"',
        "+    }",
        "+  ]",
        "+}",
    )


def test_a_key_that_enters_is_the_lines_of_that_key() -> None:
    """Although the stored bytes have one key on each line."""
    planned = replace(DOCUMENT, body=b'{"keys":[{"kid":"b"},{"kid":"a"}]}')
    assert [line.strip("+ ,") for line in changed_lines(STORED, planned)] == ["{", '"kid": "b"', "}"]


def test_a_key_that_enters_at_the_end_does_not_change_the_one_before() -> None:
    """The comma behind it is nobody's news."""
    planned = replace(DOCUMENT, body=b'{"keys":[{"kid":"a"},{"kid":"b"}]}')
    assert [line.strip("+ ") for line in changed_lines(STORED, planned)] == ["{", '"kid": "b"', "}"]


def test_hunks_are_numbered_as_diff_does() -> None:
    """Three lines around each change; the second key of three leaves."""
    keys = [f'{{"kid":"{name}","use":"sig","kty":"EC","alg":"ES256"}}' for name in "abc"]
    before = replace(DOCUMENT, body=f'{{"keys":[{",".join(keys)}]}}'.encode())
    after = replace(DOCUMENT, body=f'{{"keys":[{keys[0]},{keys[2]}]}}'.encode())
    lines = unified_diff("openid/v1/jwks", StoredDocument(before, "v1"), after)
    assert lines[2] == "@@ -11,12 +11,6 @@"
    assert [line for line in lines[3:] if line[0] == "-"] == [
        "-    {",
        '-      "kid": "b",',
        '-      "use": "sig",',
        '-      "kty": "EC",',
        '-      "alg": "ES256"',
        "-    },",
    ]
    assert len(lines) == 3 + 12


def test_nothing_changed_is_no_diff() -> None:
    """Not even a title."""
    assert unified_diff("openid/v1/jwks", STORED, replace(DOCUMENT, body=b'{"keys": [{"kid": "a"}]}')) == ()


def test_headers_and_mark_are_lines_too() -> None:
    """Old with minus, new with plus; metadata that is not ours does not count."""
    planned = replace(DOCUMENT, cache_control="public, max-age=60", metadata=MARK | {"oidc-publisher-serial": "5"})
    foreign = StoredDocument(replace(DOCUMENT, metadata=MARK | {"colour": "red"}), "v1")
    assert changed_lines(foreign, planned) == [
        "-Cache-Control: public, max-age=300",
        "+Cache-Control: public, max-age=60",
        "-oidc-publisher-serial: 4",
        "+oidc-publisher-serial: 5",
    ]


def test_a_header_that_is_missing_and_one_too_many() -> None:
    """Nothing stored in it is said as such."""
    stored = StoredDocument(replace(DOCUMENT, cache_control=""), "v1", content_encoding="aws-chunked")
    assert changed_lines(stored, DOCUMENT) == [
        "-Cache-Control: (none)",
        "-Content-Encoding: aws-chunked",
        "+Cache-Control: public, max-age=300",
    ]


def test_an_error_page_is_shown_by_its_beginning() -> None:
    """And cannot steer a terminal."""
    page = b"<html>\x1b[2J\n" + b"x" * 5000 + b"\n" + b"line\n" * 100
    lines = changed_lines(StoredDocument(replace(DOCUMENT, body=page), "v1"), DOCUMENT)
    assert "-<html>?[2J" in lines
    assert all(line.isprintable() and len(line) < 210 for line in lines)
    assert f"-... and 82 more lines ({len(page)} bytes)" in lines


def test_members_given_twice_are_shown_as_they_stand() -> None:
    """A parser that takes the last would hide the first."""
    twice = StoredDocument(replace(DOCUMENT, body=b'{"keys":[],\n"keys":[]}'), "v1")
    assert '-{"keys":[],' in changed_lines(twice, DOCUMENT)


def test_what_does_not_change_is_said() -> None:
    """Only headers, only the mark, only the layout of the bytes."""
    other_bytes = replace(DOCUMENT, body=b'{"keys":[{"kid":"a"}]}')
    said = {
        what_changes(None, DOCUMENT, WriteReason.CREATED),
        what_changes(STORED, DOCUMENT, WriteReason.HEADERS_CHANGED),
        what_changes(STORED, DOCUMENT, WriteReason.MARK_CHANGED),
        what_changes(STORED, other_bytes, WriteReason.CONTENT_CHANGED),
        what_changes(STORED, replace(DOCUMENT, body=b'{"keys":[]}'), WriteReason.KEYS_CHANGED),
    }
    assert said == {
        "there is none",
        "its headers are not what was planned; its content stays",
        "its owner mark is not what was planned; its content and headers stay",
        "its content is not what was planned: the same JSON in other bytes",
        "the keys changed",
    }
