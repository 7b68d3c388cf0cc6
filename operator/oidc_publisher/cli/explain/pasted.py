"""Read what a person pastes: words of the command line, a file or standard input; and say what is no error text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

import click

from oidc_publisher.cli.connection import NoAnswerError

#: The last part of a log is read, because what matters stands last.
MOST_BYTES = 1024 * 1024
_CHUNK = 64 * 1024
#: How PowerShell's > begins a file.
_UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}

#: What people paste in place of an error, and the sentence that they get; none of them repeats anything.
_OTHERS = (
    (re.compile(r""), "There is nothing to explain: the text is empty."),
    (
        re.compile(r".*-----BEGIN [A-Z ]*PRIVATE KEY-----.*", re.DOTALL),
        "That is a private key, not an error text. Keep it to yourself.",
    ),
    (re.compile(r".*-----BEGIN .*", re.DOTALL), "That is a certificate or a key, not an error text."),
    (
        re.compile(r"(?:.*\n)?\s*\{?[\s\"']*kind[\"']?\s*:\s*[\"']?Config\b.*", re.DOTALL),
        "That is a kubeconfig, which may hold credentials, not an error text. Nothing of it was kept.",
    ),
    (
        re.compile(r"(?:Bearer\s+)?[\"']?eyJ[\w\s-]+(?:\.[\w\s-]*){4}[\"']?", re.IGNORECASE),
        "That is an encrypted token (JWE), not an error text. A cluster's tokens are signed, not encrypted.",
    ),
    (
        re.compile(r"(?:Bearer\s+)?[\"']?eyJ[\w\s-]+(?:\.[\w\s-]*){2}[\"']?", re.IGNORECASE),
        "That is a token, not an error text. `oidc-publisher verify URL --token FILE` explains a token.",
    ),
    (
        re.compile(r"https?://\S+", re.IGNORECASE),
        "That is an address, not an error text. `oidc-publisher verify URL` looks at an issuer.",
    ),
)


def pasted(words: tuple[str, ...], stdin: IO[bytes], *, at_terminal: bool) -> str:
    """Return the text to explain.

    Raises:
        UsageError: there is neither a text nor an input.
        NoAnswerError: the file cannot be read, or what was read is no text.
    """
    if words in ((), ("-",)):
        if not words and at_terminal:
            raise click.UsageError("Give a text, a reason, the name of a file, or - for standard input.")
        return _last(stdin)
    file = _file(words[0]) if len(words) == 1 else None
    if file is None:
        return " ".join(words)
    try:
        with file.open("rb") as stream:
            return _last(stream)
    except OSError as error:
        raise NoAnswerError(f"The file cannot be read: {error.strerror}.") from None


def no_error_text(text: str) -> str | None:
    """Say what the text is where it is no error at all, None where it may be one."""
    return next((sentence for pattern, sentence in _OTHERS if pattern.fullmatch(text.strip())), None)


def _file(word: str) -> Path | None:
    """Return the path that the word names, None where there is no such file; the word may be a long text or a token."""
    try:
        path = Path(word)
        return path if word and path.exists() else None
    except (OSError, ValueError):  # too long for a name, a NUL in it
        return None


def _last(stream: IO[bytes]) -> str:
    """Return the last part of a stream. What is no text is refused at once, because a device has no end."""
    piece = stream.read(_CHUNK)
    encoding = _UTF_16.get(piece[:2], "utf-8")
    kept = b""
    while piece:
        if encoding == "utf-8" and b"\0" in piece:
            raise NoAnswerError("That is no text: it has bytes that no log has.")
        kept = (kept + piece)[-MOST_BYTES:]
        piece = stream.read(_CHUNK)
    return kept.decode(encoding, errors="replace").removeprefix("\ufeff")
