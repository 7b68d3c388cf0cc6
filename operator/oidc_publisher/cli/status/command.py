"""`oidc-publisher status`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from oidc_publisher.cli.options import Asking, common_options, name_argument, taken


@click.command("status")
@name_argument
@common_options
def command(name: str, **options: Any) -> int:
    """Show one OIDCIssuer on one page: conditions, findings with what to do, keys and their times, latest events.

    NAME is the object's name, or oidci/NAME. It needs the right to get OIDCIssuers; events are shown where they may be
    listed. With -o json or yaml the same page is written for programs.

    Exit codes: 0 it is Ready, and the proof is as new as that of a running operator; 1 it is not; 2 it could not be read.
    """
    from oidc_publisher.cli.status.body import status  # noqa: PLC0415 - aiohttp and kubernetes cost half a second

    return status(name, taken(Asking, options))
