"""The body of `explain`: it reads the text, finds what is known of it, and writes the explanation."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass

from oidc_publisher.cli.connection import NoAnswerError
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.explain.explanation import ExplanationPage, page_of_text, reason_meaning
from oidc_publisher.cli.explain.pasted import no_error_text, pasted
from oidc_publisher.cli.explain.runbooks import runbook
from oidc_publisher.cli.explain.text import print_explanation, print_runbook
from oidc_publisher.cli.options import Asking
from oidc_publisher.cli.text.console import console_for
from oidc_publisher.cli.text.output import write_result
from oidc_publisher.findings import Reason
from oidc_publisher.relyingparties.texts import explained
from oidc_publisher.relyingparties.texts.known import KNOWN

_REASONS = {reason.lower(): reason for reason in Reason}
_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class RunbookPage:
    """A reason's entry in the catalogue and its page, for programs."""

    reason: str
    severity: str
    condition: str
    meaning: str
    advice: str
    page: str


def explain(words: tuple[str, ...], asking: Asking) -> ExitCode:
    """Write the explanation of a text, or the runbook of a reason; return YES when there is one.

    Raises:
        NoAnswerError: the text is not known, or cannot be read.
    """
    console = console_for(sys.stdout, no_color=asking.no_color)
    reason = _REASONS.get(words[0].lower()) if len(words) == 1 else None
    if reason is not None:
        meaning, page = reason_meaning(reason), runbook(reason)
        entry = (meaning.reason, meaning.severity, meaning.condition, meaning.meaning, meaning.advice)
        write_result(asking, RunbookPage(*entry, page), lambda: print_runbook(page, console))
        return ExitCode.YES
    text = pasted(words, sys.stdin.buffer, at_terminal=sys.stdin.isatty())
    explanation = page_of_text(text, explained(text))
    if not explanation.texts and not explanation.reasons:
        raise NoAnswerError(_unknown(words, text, explanation))
    write_result(asking, explanation, lambda: print_explanation(explanation, console))
    return ExitCode.YES


def _unknown(words: tuple[str, ...], text: str, explanation: ExplanationPage) -> str:
    """Say that a text is not known, and what would help; nothing of the text is repeated."""
    other = no_error_text(text)
    if other is not None:
        return other
    if explanation.wrappers:
        said = f'"{explanation.wrappers[0]}" says nothing by itself: the cause stands behind it or further down in the log.'
        return f"{said} Paste more of the log."
    known = f"None of the {len(KNOWN)} known texts is in it"
    if words != (text,) or " " in text:
        return f"{known}. `oidc-publisher verify URL` shows whether relying parties can use the issuer."
    alike = difflib.get_close_matches(text.lower(), _REASONS, n=1, cutoff=_ALIKE)
    nearest = f" Did you mean {_REASONS[alike[0]]}?" if alike else ""
    return f"{known}, and neither a reason nor a file has that name.{nearest}"
