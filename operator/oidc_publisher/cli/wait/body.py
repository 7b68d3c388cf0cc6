"""The body of `wait`: it waits for a verdict and writes it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import click

from oidc_publisher.cli.connection import connected
from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.cli.options import Asking
from oidc_publisher.cli.text.output import tell, write_result
from oidc_publisher.cli.wait.verdict import Verdict, VerdictKind, judge_key, judge_ready
from oidc_publisher.cli.wait.waiting import Judge, Waiting
from oidc_publisher.harmless import harmless


@dataclass(frozen=True, slots=True)
class Waited:
    """The result of a wait, for programs.

    The members after `message` are about the key that --safe-to-sign names; they are None for a key that nobody knows.
    """

    name: str
    satisfied: bool
    message: str
    key_id: str | None
    unlisted_by: tuple[str, ...] | None
    safe_since_time: datetime | None
    safe_to_sign_time: datetime | None


def wait(name: str, key_id: str | None, limit: timedelta, asking: Asking) -> ExitCode:
    """Wait until the issuer is Ready, or until the cluster may sign with a key; NO when the time is up.

    Raises:
        NoAnswerError: nobody can tell.
    """
    verdict = asyncio.run(_verdict(name, key_id, limit, asking))
    write_result(asking, _result(name, key_id, verdict), lambda: click.echo(harmless(verdict.sentence)))
    return ExitCode.YES if verdict.answer is VerdictKind.YES else ExitCode.NO


async def _verdict(name: str, key_id: str | None, limit: timedelta, asking: Asking) -> Verdict:
    async with connected(asking.kubeconfig, asking.context) as client:
        waiting = Waiting(client, name, _judge(key_id), limit, partial(tell, asking), asks=key_id is not None)
        return await waiting.verdict()


def _judge(key_id: str | None) -> Judge:
    return judge_ready if key_id is None else lambda issuer, now: judge_key(issuer, key_id, now)


def _result(name: str, key_id: str | None, verdict: Verdict) -> Waited:
    key = verdict.key
    return Waited(
        name=name,
        satisfied=verdict.answer is VerdictKind.YES,
        message=verdict.sentence,
        key_id=key_id,
        unlisted_by=(key.unlisted_by or None) if key else None,
        safe_since_time=key.safe_since_time if key else None,
        safe_to_sign_time=key.safe_to_sign_time if key else None,
    )
