"""`oidc-publisher status`: an issuer on one page."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import click

from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Asking, Output, asking_options, taken

if TYPE_CHECKING:
    from oidc_publisher.cli.status.page import Page


@click.command("status")
@asking_options
def command(**options: Any) -> int:
    """Show one OIDCIssuer on one page: conditions, findings with what to do, keys and their times, latest events.

    NAME is the object's name, or oidci/NAME. It needs the right to get OIDCIssuers; events are shown where they may be
    listed. With -o json or yaml the same page is written for programs.

    Exit codes: 0 it is Ready, and the proof is as new as that of a running operator; 1 it is not; 2 it could not be read.
    """
    asking = taken(options)
    page = asyncio.run(_read(asking))
    if not asking.quiet:
        _write(page, asking)
    return ExitCode.YES if page.proven else ExitCode.NO


async def _read(asking: Asking) -> Page:
    # Imported here: aiohttp and kubernetes cost half a second, and --help needs none of them.
    from datetime import UTC, datetime  # noqa: PLC0415

    from oidc_publisher.cli import connection  # noqa: PLC0415
    from oidc_publisher.cli.status.page import page_of  # noqa: PLC0415
    from oidc_publisher.errors import ClusterError  # noqa: PLC0415

    async with connection.connected(asking.kubeconfig, asking.context) as client:
        try:
            issuer = await connection.issuer_named(client, asking.name)
        except ClusterError as error:
            raise connection.NoAnswerError(connection.sentence(error)) from error
        try:
            events, unread = await connection.events_about(client, issuer), ""
        except ClusterError as error:
            events, unread = None, f"The events could not be read: {connection.sentence(error)}"
    return page_of(issuer, events, datetime.now(UTC), events_unread=unread)


def _write(page: Page, asking: Asking) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415 - as above

    from oidc_publisher.cli.status.page import to_json  # noqa: PLC0415

    if asking.output is Output.TEXT:
        from oidc_publisher.cli.status.text import print_page  # noqa: PLC0415
        from oidc_publisher.cli.text.console import console_for  # noqa: PLC0415

        print_page(page, console_for(sys.stdout, no_color=asking.no_color), datetime.now(UTC))
    else:
        click.echo(written(to_json(page), asking.output), nl=False)


def written(value: object, output: Output) -> str:
    """A value as JSON or YAML, its members in the order they have; what could steer a terminal is escaped in it."""
    dump = _as_json if output is Output.JSON else _as_yaml
    text = dump(value, ascii_only=False)
    # Both escape control characters of ASCII, and neither those beyond: 8-bit escapes, and marks of direction.
    return text if text.replace("\n", "").isprintable() else dump(value, ascii_only=True)


def _as_json(value: object, *, ascii_only: bool) -> str:
    return json.dumps(value, indent=2, ensure_ascii=ascii_only) + "\n"


def _as_yaml(value: object, *, ascii_only: bool) -> str:
    import yaml  # noqa: PLC0415

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=not ascii_only, width=120))
