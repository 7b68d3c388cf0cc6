"""`oidc-publisher resume`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from oidc_publisher.cli.options import Asking, common_options, name_argument, taken


@click.command("resume")
@name_argument
@common_options
def command(name: str, **options: Any) -> int:
    """Let the operator go on with a suspended OIDCIssuer, by spec.suspend: false.

    NAME is the object's name, or oidci/NAME. The operator looks at it at once. It needs the verb patch on oidcissuers.

    Exit codes: 0 it is not suspended any more; 2 it could not be changed.
    """
    from oidc_publisher.cli.suspend.body import suspend  # noqa: PLC0415 - aiohttp and kubernetes cost half a second

    return suspend(name, taken(Asking, options), suspended=False)
