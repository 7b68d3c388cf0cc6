r"""Undo what logs do to a text: escapes, entities, wrapped lines and the heads of log lines. Pure.

One error of STS is found as XML with `&apos;`, inside JSON with `\"` and `\n`, inside a Go error inside JSON with
`\\\"`, and wrapped at the width of a terminal.
"""

from __future__ import annotations

import html
import re

#: What stands before the text in a line: frames of tables, the pod's name of `kubectl logs --prefix`, a time, klog's head.
_HEAD = re.compile(
    r"^\s*[\u2502|>]?\s*(?:\[pod/[^\]\s]+\]\s+)?(?:\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)\s+)?"
    r"(?:[IWEF]\d{4} [\d:.]+\s+\d+ [\w.]+:\d+\]\s+)?",
    re.MULTILINE,
)
_FOOT = re.compile(r"\s*\u2502\s*$", re.MULTILINE)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_BLANKS = {"n": " ", "r": " ", "t": " "}
#: An error is wrapped in a few layers, each of which escapes it once more.
_LAYERS = 4
_MEMBER = re.compile(r'"\s*:\s*')


def plain_text(text: str) -> str:
    """Return the text on one line: escapes and entities undone, each run of blanks one blank, quotes kept."""
    text = _FOOT.sub("", _HEAD.sub("", text))
    for _ in range(_LAYERS):
        undone = html.unescape(_ESCAPE.sub(_undone, text))
        if undone == text:
            break
        text = undone
    return _MEMBER.sub('": ', " ".join(text.replace("\u2019", "'").split()))


def _undone(escape: re.Match[str]) -> str:
    code, character = escape.groups()
    return chr(int(code, 16)) if code else _BLANKS.get(character, character)
