"""The options that every command has which asks the cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import click

from oidc_publisher.cli.parameters import each, issuer_name, parsed, store_endpoint

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Output(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask for which issuer, and how to answer."""

    name: str
    kubeconfig: str | None
    context: str | None
    output: Output
    quiet: bool
    no_color: bool


def asking_options(command: _Command) -> _Command:
    """Add NAME and the common options; `taken` reads their values."""
    return _NAME(common_options(command))


def common_options(command: _Command) -> _Command:
    """Add what every command has that asks the cluster."""
    for decorate in reversed(_OPTIONS):
        command = decorate(command)
    return command


def taken(options: dict[str, Any]) -> Asking:
    """The common options out of a command's own, which stay in `options`."""
    return Asking(**{field: options.pop(field) for field in Asking.__dataclass_fields__})


#: Of the commands that write to stores, or show what would be written.
store_endpoint_option = click.option(
    "--store-endpoint",
    "store_endpoints",
    metavar="URL",
    multiple=True,
    envvar="OIDC_PUBLISHER_STORE_ENDPOINT",
    callback=each(store_endpoint),
    help="A server that an OIDCIssuer may name as endpointURL, such as https://minio.example.com:9000; may be given several"
    " times. Once it is, no others may be named but Amazon's. Plain http needs it.",
)

_NAME = click.argument("name", metavar="NAME", callback=parsed(issuer_name))
_OPTIONS = (
    click.option("--kubeconfig", metavar="FILE", help="Instead of KUBECONFIG or ~/.kube/config."),
    click.option("--context", metavar="NAME", help="Context of the kubeconfig, instead of its current one."),
    click.option(
        "-o",
        "--output",
        type=click.Choice([known.value for known in Output]),
        default=Output.TEXT.value,
        callback=parsed(Output),
        help="How the result is written.",
        show_default=True,
    ),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors: the exit code is the answer."),
    click.option("--no-color", is_flag=True, help="No colours on a terminal. NO_COLOR=1 does the same."),
)
