"""`oidc-publisher suspend`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from oidc_publisher.cli.options import Asking, common_options, name_argument, taken


@click.command("suspend")
@name_argument
@common_options
def command(name: str, **options: Any) -> int:
    """Let the operator leave an OIDCIssuer alone, by spec.suspend: true.

    NAME is the object's name, or oidci/NAME. Nothing is read, published, retired or proven until `oidc-publisher resume`.
    What is published stays and is served; a key that the cluster begins to sign with meanwhile is not published. It needs
    the verb patch on oidcissuers. A manifest that has spec.suspend itself decides again when it is applied.

    Exit codes: 0 it is suspended; 2 it could not be changed.
    """
    from oidc_publisher.cli.suspend.body import suspend  # noqa: PLC0415 - aiohttp and kubernetes cost half a second

    return suspend(name, taken(Asking, options), suspended=True)
