"""`oidc-publisher explain`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from oidc_publisher.cli.options import asking_nobody, output_options


# A key in PEM begins like an option, and click would repeat it in its error.
@click.command("explain", context_settings={"ignore_unknown_options": True})
@click.argument("text", metavar="[TEXT|REASON|FILE|-]", nargs=-1)
@output_options
def command(text: tuple[str, ...], **options: Any) -> int:
    """Say what an error means that a relying party gave, what settles its cause, and what to do.

    TEXT is the error, a pod's log or the output of kubectl describe; FILE has it; - or nothing reads standard input. A
    REASON is a condition's, such as AccessBlocked: its runbook is printed. No cluster and no network is needed.

    Tokens and other secrets in the text are never repeated. What is repeated are the issuer, the key ID, the role and the
    subject that it names, in the `oidc-publisher verify` that looks further.

    Exit codes: 0 explained; 2 the text is not known, or could not be read.
    """
    from oidc_publisher.cli.explain.body import explain  # noqa: PLC0415 - rich and pydantic cost a fifth of a second

    return explain(text, asking_nobody(options))
