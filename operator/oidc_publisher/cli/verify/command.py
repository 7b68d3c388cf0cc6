"""`oidc-publisher verify`: its options and its help."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import click

from oidc_publisher.cli.options import Asking, common_options, taken
from oidc_publisher.cli.parameters import each, parsed
from oidc_publisher.cli.parameters import timeout as duration
from oidc_publisher.cli.text.progress import tell
from oidc_publisher.cli.verify.given.choices import VerifySettings, pinned_address, relying_parties, token_source
from oidc_publisher.cli.verify.given.issuerurl import wanted_issuer


@click.command("verify")
@click.argument("issuer", metavar="URL|oidci/NAME")
@click.option(
    "--token",
    metavar="FILE",
    callback=token_source,
    help="A token to explain and to check, in a file, or on standard input (-). It is never sent and never shown whole.",
)
@click.option(
    "--audience",
    "audiences",
    metavar="AUDIENCE",
    multiple=True,
    help="An audience that the relying party expects in the token. May be given several times.",
)
@click.option(
    "--role-trust",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What the role trusts: an AWS trust policy, a GCP provider or attribute condition, an Entra federated credential.",
)
@click.option(
    "--for",
    "parties",
    metavar="PARTY[,PARTY]...",
    callback=parsed(relying_parties),
    help="The relying parties that the answer is about: aws, gcp, azure, kubernetes, vault. Without it all of them, for "
    "oidci/NAME those of the object.",
)
@click.option(
    "--ca",
    "authority",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM certificates to trust beside the system's. Relying parties have to be told of them as well.",
)
@click.option("--allow-private-address", is_flag=True, help="Connect to private addresses too, which no cloud can.")
@click.option(
    "--resolve",
    metavar="HOST=ADDR",
    multiple=True,
    callback=each(pinned_address),
    help="Connect to this address for this host, whatever the resolver says. May be given several times.",
)
@click.option(
    "--timeout",
    metavar="DURATION",
    callback=parsed(duration),
    help="How long both documents may take together. Without it 5s, after which AWS STS gives up; for oidci/NAME that "
    "of the object.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too.")
@click.option("--watch", is_flag=True, help="Look again every 10 seconds and print only what changes, until Ctrl-C.")
@click.option(
    "--load",
    metavar="N",
    type=click.IntRange(1, 50),
    help="Let N strangers, at most 50, read both documents at once, and say whether the host serves them all in time.",
)
@click.option("--i-own-this-host", "owned", is_flag=True, help="Needed for --load: the host is yours to load.")
@common_options
def command(
    issuer: str,
    parties: tuple[str, ...] | None,
    load: int | None,
    owned: bool,  # noqa: FBT001 - an option
    **options: Any,
) -> int:
    """Say who can use an issuer and who cannot: the operator's own probe, for any issuer, without a cluster.

    URL is the issuer, byte for byte as the `iss` of its tokens. It is read as a relying party reads it: anonymously,
    without following redirects, at each address of its host.

    Exit codes: 0 all relying parties of --for can use it; 1 one of them cannot; 2 nobody can tell from here, or
    something was wrong with what was given.
    """
    if load and not owned:
        raise click.UsageError("--load makes many requests at once: only for a host of yours, with --i-own-this-host.")
    if load and options["watch"]:
        raise click.UsageError("--load is one burst: it cannot be repeated with --watch.")
    if options["token"] is None and (options["audiences"] or options["role_trust"]):
        raise click.UsageError("--audience and --role-trust are compared with a token: give it with --token FILE.")
    asking = taken(Asking, options)
    settings = VerifySettings(asking=asking, parties=parties or (), load=load, **options)
    wanted = wanted_issuer(issuer)
    # The first line is there before the imports of half a second.
    tell(asking, f"Reading {wanted.url or wanted.name} as a relying party does ...")
    # All that is imported stays, and looking for garbage in it takes a sixth of the imports' time.
    gc.disable()
    from oidc_publisher.cli.verify.body import verify  # noqa: PLC0415 - aiohttp and cryptography cost half a second

    gc.enable()
    return verify(wanted, settings)
