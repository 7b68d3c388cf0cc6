"""Text of others, made harmless where it becomes a message: one line, and nothing that steers a terminal.

Key IDs, subjects of certificates, answers of stores and API servers may hold line breaks, which forge lines of a log,
escape sequences, which rewrite a terminal, and marks that turn the direction of writing round. The values themselves
(`status.keys[].keyID`) stay as they are: they are compared byte for byte.
"""

from __future__ import annotations


def harmless(text: str) -> str:
    r"""The text with each character that does not print written as Python writes it: `\n`, `\x1b`, `\u202e`.

    It is the same text where all of it prints, so nothing changes when it is applied again.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _written(c) for c in text)


def _written(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
