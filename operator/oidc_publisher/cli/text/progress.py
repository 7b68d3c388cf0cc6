"""Lines of progress, without an import that takes time: the first one is there before anything else."""

from __future__ import annotations

import sys

import click

from oidc_publisher.cli.options import Asking
from oidc_publisher.harmless import harmless


def tell(asking: Asking, line: str) -> None:
    """Write a line of progress to stderr, unless --quiet."""
    if not asking.quiet:
        click.secho(harmless(line), err=True, dim=sys.stderr.isatty(), color=False if asking.no_color else None)
