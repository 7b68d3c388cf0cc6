"""`oidc-publisher version`."""

from __future__ import annotations

import click

from oidc_publisher import __version__


@click.command("version")
def command() -> None:
    """Print the version."""
    click.echo(f"oidc-publisher {__version__}")
