"""`oidc-publisher keys`: its options and its help."""

from __future__ import annotations

from typing import Any

import click

from oidc_publisher.cli.options import Asking, common_options, taken, timeout_option

_YES = click.option("--yes", is_flag=True, help="Do what was warned of.")


@click.group("keys")
def command() -> None:
    """List and rotate the versions of the key with which signers sign ServiceAccount tokens.

    All of these read SigningKeyRing default, and change its spec; the signers do the rest. Keys themselves are never shown.
    """


@command.command("list")
@common_options
def list_keys(**options: Any) -> int:
    """List all versions, newest first, and what a rotation waits for.

    Exit codes: 0 they are listed; 2 there is no ring, or it cannot be read.
    """
    return _do("list_keys", taken(Asking, options))


@command.command("rotate")
@click.option("--wait", is_flag=True, help="Wait until every signer signs with the new version.")
@timeout_option("1h", "How long to wait at most.")
@common_options
def rotate(**options: Any) -> int:
    """Ask for the next version, by spec.newestVersion.

    It is made at once, and signs when every API server lists it and every relying party can know it. Nothing is asked for
    while a version waits already.

    Exit codes: 0 it is asked for, or with --wait it signs everywhere; 1 a version waits already, or the time is up;
    2 the ring could not be read or changed.
    """
    return _do("rotate", taken(Asking, options), **options)


@command.command("trim")
@click.option("--before", required=True, metavar="VERSION", type=click.IntRange(1), help="Let go what is below it.")
@_YES
@common_options
def trim(**options: Any) -> int:
    """Let imported versions go that only verify, by spec.trimBefore.

    Signers forget them when no ledger holds them, and the longest lifetime of a token has passed since they began to only
    verify. Tokens that never expire, in Secrets of type kubernetes.io/service-account-token, are refused from then on if
    they were signed with one: hence --yes.

    Exit codes: 0 it is asked for; 1 a version below it still signs, or --yes is missing; 2 the ring could not be read or
    changed.
    """
    return _do("trim", taken(Asking, options), **options)


@command.command("withdraw", short_help="Withdraw a stolen key at once, at every issuer.")
@click.argument("key_id", metavar="KID")
@_YES
@common_options
def withdraw(**options: Any) -> int:
    """Withdraw a stolen key, by spec.rotation.withdrawnKeyIDs of every OIDCIssuer of this cluster's API servers.

    Its private half is destroyed, and its tokens are refused everywhere at once, those of running pods too: hence --yes.
    Pods get new tokens from their kubelet within minutes.

    Exit codes: 0 it is withdrawn; 1 the ring has no such version, or --yes is missing; 2 something could not be read or
    changed.
    """
    return _do("withdraw", taken(Asking, options), **options)


def _do(name: str, asking: Asking, **options: Any) -> int:
    from oidc_publisher.cli.keys import body  # noqa: PLC0415 - aiohttp and kubernetes cost half a second

    code: int = getattr(body, name)(asking, **options)
    return code
