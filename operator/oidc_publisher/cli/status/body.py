"""The body of `status`: it reads the issuer and its events, and writes the page."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

from oidc_publisher.cli.connection import NoAnswerError, cluster_time, connected, events_about, issuer_named, sentence
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Asking
from oidc_publisher.cli.status.page import Page, page_of
from oidc_publisher.cli.status.text import print_page
from oidc_publisher.cli.text.console import console_for
from oidc_publisher.cli.text.output import write_result
from oidc_publisher.errors import ClusterError


def status(name: str, asking: Asking) -> ExitCode:
    """Write the page of an issuer; return YES when the issuer is Ready and its proof is new.

    Raises:
        NoAnswerError: the issuer could not be read.
    """
    page, now = asyncio.run(_read(name, asking))
    console = console_for(sys.stdout, no_color=asking.no_color)
    write_result(asking, page, lambda: print_page(page, console, now))
    return ExitCode.YES if page.proven else ExitCode.NO


async def _read(name: str, asking: Asking) -> tuple[Page, datetime]:
    async with connected(asking.kubeconfig, asking.context) as client:
        try:
            issuer = await issuer_named(client, name)
        except ClusterError as error:
            raise NoAnswerError(sentence(error)) from error
        try:
            events, unread = await events_about(client, issuer), ""
        except ClusterError as error:
            events, unread = None, f"The events could not be read: {sentence(error)}"
        now = cluster_time(client)
    return page_of(issuer, events, now, events_unread=unread), now
