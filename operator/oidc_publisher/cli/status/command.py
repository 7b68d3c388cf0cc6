"""`oidc-publisher status`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from oidc_publisher.cli.options import Asking, common_options, optional_name_argument, taken


@click.command("status")
@optional_name_argument
@click.option("-w", "--watch", is_flag=True, help="Go on, and write again what changes, until it is interrupted.")
@common_options
def command(name: str | None, *, watch: bool, **options: Any) -> int:
    """Show one OIDCIssuer on one page: conditions, findings with what to do, keys and their times, latest events.

    NAME is the object's name, or oidci/NAME. It needs the right to get OIDCIssuers; events are shown where they may be
    listed. Without NAME all OIDCIssuers are shown, one line each, the worst first; that needs the right to list them. With
    -o json or yaml the same is written for programs.

    Exit codes: 0 each of them is Ready, and the proof is as new as that of a running operator; 1 one is not; 2 nothing
    could be read, or there is none.
    """
    from oidc_publisher.cli.status.body import status  # noqa: PLC0415 - aiohttp and kubernetes cost half a second

    return status(name, taken(Asking, options), watch=watch)
