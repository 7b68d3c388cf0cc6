"""The body of `status`: it reads an issuer and its events, or all issuers, and writes what it read."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NoReturn

from rich.console import Console

from oidc_publisher.api import OIDCIssuer, format_time, read_issuer
from oidc_publisher.cli.connection import (
    NoAnswerError,
    cluster_time,
    connected,
    events_about,
    issuer_named,
    living_objects,
    sentence,
)
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Asking, Output
from oidc_publisher.cli.status.overview import IssuerLine, Overview, overview_of, unreadable_line
from oidc_publisher.cli.status.page import Page, page_of
from oidc_publisher.cli.status.text import print_overview, print_page
from oidc_publisher.cli.text.console import console_for
from oidc_publisher.cli.text.output import tell, write_result
from oidc_publisher.cluster import ClusterClient
from oidc_publisher.errors import ClusterError, InvalidObjectError

#: Between two looks of --watch. The operator's own interval is a minute.
_PAUSE_S = 2.0

_Shown = Page | Overview
_Look = Callable[[ClusterClient], Awaitable[tuple[_Shown, datetime]]]


def status(name: str | None, asking: Asking, *, watch: bool = False) -> ExitCode:
    """Write the page of an issuer, or a line for each of them; return YES when nothing speaks against them.

    With `watch` it goes on until it is interrupted.

    Raises:
        NoAnswerError: nothing could be read.
    """
    look = _overview if name is None else partial(_page, name)
    if watch:
        asyncio.run(_follow(look, asking))
    shown, now = asyncio.run(_read(look, asking))
    _write(shown, now, asking)
    return ExitCode.YES if shown.proven else ExitCode.NO


async def _read(look: _Look, asking: Asking) -> tuple[_Shown, datetime]:
    async with connected(asking.kubeconfig, asking.context) as client:
        try:
            return await look(client)
        except ClusterError as error:
            raise NoAnswerError(sentence(error)) from error


async def _follow(look: _Look, asking: Asking) -> NoReturn:
    """Write what is read, and write it again whenever it has changed; an outage of the API server does not end it."""
    before, told = None, ""
    async with connected(asking.kubeconfig, asking.context) as client:
        while True:
            try:
                shown, now = await look(client)
            except ClusterError as error:
                if before is None:
                    raise NoAnswerError(sentence(error)) from error
                if told != (told := sentence(error)):
                    tell(asking, f"{told} Trying again.")
            else:
                told = ""
                if _lasting(shown) != before:
                    _write(shown, now, asking, again=before is not None)
                before = _lasting(shown)
            await asyncio.sleep(_PAUSE_S)


def _lasting(shown: _Shown) -> _Shown:
    """Leave out what changes while an issuer is at rest: the time of the last proof."""
    if isinstance(shown, Page):
        return replace(shown, last_proven_time=None)
    return replace(shown, issuers=tuple(replace(line, last_proven_time=None) for line in shown.issuers))


def _write(shown: _Shown, now: datetime, asking: Asking, *, again: bool = False) -> None:
    console = console_for(sys.stdout, no_color=asking.no_color)
    if again and asking.output is Output.TEXT and not asking.quiet:
        console.file.write(f"\n--- {format_time(now)}\n\n")
    write_result(asking, shown, lambda: _print(shown, console, now))
    sys.stdout.flush()


def _print(shown: _Shown, console: Console, now: datetime) -> None:
    if isinstance(shown, Page):
        print_page(shown, console, now)
    else:
        print_overview(shown, console, now)


async def _page(name: str, client: ClusterClient) -> tuple[Page, datetime]:
    issuer = await issuer_named(client, name)
    try:
        events, unread = await events_about(client, issuer), ""
    except ClusterError as error:
        events, unread = None, f"The events could not be read: {sentence(error)}"
    now = cluster_time(client)
    return page_of(issuer, events, now, events_unread=unread), now


async def _overview(client: ClusterClient) -> tuple[Overview, datetime]:
    objects = await living_objects(client)
    if not objects:
        raise NoAnswerError("There is no OIDCIssuer in this cluster.")
    issuers: list[OIDCIssuer] = []
    unreadable: list[IssuerLine] = []
    for found in objects:
        try:
            issuers.append(read_issuer(found))
        except InvalidObjectError as error:
            unreadable.append(unreadable_line(str(found["metadata"]["name"]), str(error.reason), error.message))
    now = cluster_time(client)
    return overview_of(issuers, unreadable, now), now
