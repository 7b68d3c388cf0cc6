"""The body of `reconcile`: it asks for a pass, and waits for the operator's answer where that is wanted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import click

from oidc_publisher.cli.connection import NoAnswerError, connected, issuer_named, request_look, sentence
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Asking
from oidc_publisher.cli.text.output import tell, write_result
from oidc_publisher.cli.wait.verdict import VerdictKind, held_up, judge_pass
from oidc_publisher.cli.wait.waiting import Waiting, question
from oidc_publisher.cluster import ClusterClient
from oidc_publisher.errors import ClusterError
from oidc_publisher.harmless import harmless


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The result for programs; `ready` is None when nobody waited."""

    name: str
    message: str
    ready: bool | None = None


def reconcile(name: str, limit: timedelta, asking: Asking, *, waits: bool) -> ExitCode:
    """Ask the operator for a pass; with `waits` return NO when the issuer is not Ready after it.

    Raises:
        NoAnswerError: the operator cannot be asked, or does not answer.
    """
    result = asyncio.run(_reconciled(name, limit, asking, waits=waits))
    write_result(asking, result, lambda: click.echo(harmless(result.message)))
    return ExitCode.NO if result.ready is False else ExitCode.YES


async def _reconciled(name: str, limit: timedelta, asking: Asking, *, waits: bool) -> Reconciled:
    async with connected(asking.kubeconfig, asking.context) as client:
        if not waits:
            return await _asked(client, name)
        verdict = await Waiting(client, name, judge_pass, limit, partial(tell, asking), asks=True).verdict()
    return Reconciled(name, verdict.sentence, ready=verdict.answer is VerdictKind.YES)


async def _asked(client: ClusterClient, name: str) -> Reconciled:
    try:
        issuer = await issuer_named(client, name)
        obstacle = held_up(issuer)
        if obstacle is not None and obstacle.answer is VerdictKind.NONE:
            raise NoAnswerError(obstacle.sentence)
        await request_look(client, issuer, question())
    except ClusterError as error:
        raise NoAnswerError(sentence(error)) from error
    return Reconciled(name, f"The operator was asked to look at {name} now.")
