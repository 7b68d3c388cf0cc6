"""`oidc-publisher verify`: its options and its help."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from oidc_publisher.cli.options import Asking, common_options, taken, timeout_option
from oidc_publisher.cli.parameters import each, parsed
from oidc_publisher.cli.text.progress import tell
from oidc_publisher.cli.verify.choices import VerifySettings, pinned_address, relying_parties
from oidc_publisher.cli.verify.issuerurl import wanted_issuer


@click.command("verify")
@click.argument("issuer", metavar="URL|oidci/NAME")
@click.option(
    "--for",
    "parties",
    metavar="PARTY[,PARTY]...",
    callback=parsed(relying_parties),
    default="aws,gcp,azure,kubernetes,vault",
    show_default=True,
    help="The relying parties that have to be able to use the issuer; the answer is about them.",
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
@timeout_option("5s", "How long both documents may take together; AWS STS gives up after 5s.")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too.")
@common_options
def command(issuer: str, timeout: timedelta, strict: bool, **options: Any) -> int:  # noqa: FBT001 - an option
    """Say who can use an issuer and who cannot: the operator's own probe, for any issuer, without a cluster.

    URL is the issuer, byte for byte as the `iss` of its tokens. It is read as a relying party reads it: anonymously,
    without following redirects, at each address of its host.

    Exit codes: 0 all relying parties of --for can use it; 1 one of them cannot; 2 nobody can tell from here, or
    something was wrong with what was given.
    """
    settings = VerifySettings(asking=taken(Asking, options), timeout=timeout, strict=strict, **options)
    wanted = wanted_issuer(issuer)
    # The first line is there before the imports of half a second.
    tell(settings.asking, f"Reading {wanted.url or wanted.name} as a relying party does ...")
    from oidc_publisher.cli.verify.body import verify  # noqa: PLC0415 - aiohttp and cryptography cost half a second

    return verify(wanted, settings)
