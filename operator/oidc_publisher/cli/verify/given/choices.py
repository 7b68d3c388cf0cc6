"""The options of `verify` as one value, the parsers of those that no other command has, and the first line.

Nothing here imports anything heavy, so that the first line is there at once.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import click

from oidc_publisher.cli.options import Asking
from oidc_publisher.cli.parameters import host_name

#: The relying parties of the API by their names on the command line.
PARTIES = {"aws": "AWS", "gcp": "GCP", "azure": "Azure", "kubernetes": "Kubernetes", "vault": "Vault"}
#: The begin of a JSON object in base64url, as every JWT has it, or a file name that is none.
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8}|^bearer ", re.IGNORECASE)
_LONGEST_NAME = 1024
_ALSO = {"entra": "azure", "google": "gcp", "k8s": "kubernetes"}


@dataclass(frozen=True, slots=True)
class VerifySettings:
    """The values of the options; `parties` are names of the API, `resolve` is pairs of host and address.

    `parties` is empty and `timeout` None where none was given: all of them and 5 s, or what the OIDCIssuer says. `load`
    is how many strangers read at once, None for none.
    """

    asking: Asking
    parties: tuple[str, ...]
    authority: Path | None
    allow_private_address: bool
    resolve: tuple[tuple[str, str], ...]
    timeout: timedelta | None
    strict: bool
    token: str | None
    audiences: tuple[str, ...]
    role_trust: Path | None
    watch: bool
    load: int | None


def relying_parties(text: str) -> tuple[str, ...]:
    """Read a list of relying parties.

    Raises:
        ValueError: the list has another word in it.
    """
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    keys = tuple(dict.fromkeys(_ALSO.get(word, word) for word in words))
    if not keys or not set(keys) <= PARTIES.keys():
        raise ValueError(f"must name relying parties with commas between: {', '.join(PARTIES)}")
    return tuple(PARTIES[key] for key in keys)


def pinned_address(text: str) -> tuple[str, str]:
    """Read HOST=ADDR.

    Raises:
        ValueError: the text has another form.
    """
    host, _, address = text.partition("=")
    try:
        return host_name(host), str(ipaddress.ip_address(address.strip("[]")))
    except ValueError:
        raise ValueError("must be HOST=ADDR, such as oidc.example.com=203.0.113.7") from None


def token_source(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """Return the name of the file with the token, or - for standard input; a token itself is refused, and not repeated."""
    if text is not None and (_TOKEN.search(text) or len(text) > _LONGEST_NAME):
        message = (
            "that is a token, or no name of a file. Put the token into a file, or give it on standard input: --token -"
        )
        raise click.BadParameter(message)
    return text
