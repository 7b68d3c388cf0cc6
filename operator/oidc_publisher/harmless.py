"""Make foreign text harmless in messages: one line, without characters that control a terminal.

Key IDs, subjects of certificates, and answers of stores and API servers may hold line breaks, which forge lines of a
log, escape sequences, which rewrite a terminal, and marks that reverse the direction of writing. The values themselves
(`status.keys[].keyID`) stay as they are, because they are compared byte for byte.
"""

from __future__ import annotations


def harmless(text: str) -> str:
    r"""Return the text with each character that is not printable as Python's escape: `\n`, `\x1b`, `\u202e`.

    A printable text is returned unchanged, so that a second call changes nothing.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _written(c) for c in text)


def _written(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
