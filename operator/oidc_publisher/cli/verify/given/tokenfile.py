"""Read a token from a file or from standard input, and say what stands there instead of one. Nothing is repeated.

A token opens doors, so no message has a part of what was read.
"""

from __future__ import annotations

import json
import re
from typing import IO

import click

from oidc_publisher.errors import ClusterError, DocumentInvalidError
from oidc_publisher.probe import read_token, token_parts

_MOST_BYTES = 64 * 1024
_JWS_PARTS, _JWE_PARTS = 3, 5
_MAKE_ONE = "kubectl create token NAME --audience AUDIENCE makes one"
_KUBECONFIG = re.compile(r"^(?:kind:\s*Config\s*$|current-context:|clusters:)|\"kind\"\s*:\s*\"Config\"", re.MULTILINE)


class NoTokenError(click.ClickException):
    """What was read is no token that relying parties take; the message says what it is."""


def read_token_from(source: str) -> str:
    """Return the token in a file, or in standard input for `-`, without the line break at its end.

    Raises:
        NoTokenError: there is something else, or nothing.
    """
    try:
        with click.open_file(source, "rb") as stream:
            return token_in(_content(stream))
    except OSError as error:
        raise NoTokenError(f"The file of --token cannot be read: {error.strerror or 'no reason given'}.") from None


def _content(stream: IO[bytes]) -> bytes:
    return stream.read(_MOST_BYTES + 1)


def token_in(data: bytes) -> str:
    """Return the token in `data`.

    Raises:
        NoTokenError: `data` is something else.
    """
    if len(data) > _MOST_BYTES:
        raise NoTokenError("What --token names is longer than any token.")
    try:
        text = data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise NoTokenError(
            "What --token names is a binary file, or a text in another alphabet, and no token."
        ) from None
    if not text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        raise NoTokenError("What --token names is a binary file, and no token.")
    for is_so, what in _INSTEAD:
        if is_so(text):
            raise NoTokenError(what)
    return _checked(text)


def _checked(text: str) -> str:
    parts = text.count(".") + 1
    if parts == _JWE_PARTS:
        raise NoTokenError(
            "That token is encrypted (a JWE of five parts): only the party that it is made for can read it. Relying parties"
            " of an issuer take signed tokens (a JWS of three parts)."
        )
    if parts != _JWS_PARTS:
        raise NoTokenError(
            "That is no JWT but an opaque token: only who issued it can say what it means. Relying parties of an issuer"
            f" take signed tokens of three parts; {_MAKE_ONE}."
        )
    try:
        token_parts(text)
    except (ValueError, TypeError, DocumentInvalidError):
        raise NoTokenError(
            "That has three parts as a JWT has, and header or claims are no base64url of a JSON object: it may be cut, or no"
            " token at all."
        ) from None
    try:
        read_token(text)
    except ClusterError:
        raise NoTokenError(
            "That is a JWT whose exp or iat is no time, or whose aud is no audience: no relying party reads it."
        ) from None
    return text


def _is_json(text: str) -> bool:
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


#: What stands in the place of a token, in the order in which it is looked for.
_INSTEAD = (
    (lambda text: not text, "What --token names is empty."),
    (
        lambda text: "PRIVATE KEY-----" in text,
        "What --token names holds a private key. Nothing of it was repeated or sent; a token is needed, which that key signs.",
    ),
    (
        lambda text: "-----BEGIN" in text,
        "What --token names is PEM, a certificate or a public key, and no token.",
    ),
    (
        lambda text: _KUBECONFIG.search(text) is not None,
        f"What --token names is a kubeconfig. A token of a ServiceAccount is needed: {_MAKE_ONE}.",
    ),
    (
        _is_json,
        (
            "What --token names is JSON around a token, or without one. Give the token alone, as `jq -r .status.token` takes it"
            " out of a TokenRequest or ExecCredential."
        ),
    ),
    (
        lambda text: text.lower().startswith(("bearer ", "authorization:")),
        'What --token names begins as a header does. Give the token alone, without "Bearer ".',
    ),
    (
        lambda text: text[0] in "\"'`" or text[-1] in "\"'`",
        "What --token names has quotes around it. Give the token alone.",
    ),
    (
        lambda text: len(text.split()) > 1,
        "What --token names has spaces or line breaks inside. A token is one line; a terminal may have broken it.",
    ),
)
