"""The options that more than one command has; each is declared here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

from oidc_publisher.cli.parameters import (
    each,
    host_name,
    http_proxy,
    issuer_name,
    namespaced_name,
    parsed,
    store_endpoint,
    timeout,
)

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Output(StrEnum):
    """The forms of a result."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class Asking:
    """The values of `common_options`: which cluster to ask, and how to answer."""

    kubeconfig: str | None
    context: str | None
    output: Output
    quiet: bool
    no_color: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """The values of `reading_options`: what the operator is told about a cluster's keys and about stores."""

    probe_service_account: tuple[str, str] | None = None
    key_files_root: Path | None = None
    store_endpoints: tuple[str, ...] = ()
    probe_proxies: tuple[str, ...] = ()
    api_server_names: tuple[str, ...] = ()


_Group = TypeVar("_Group", Asking, Reading)


def taken(group: type[_Group], options: dict[str, Any]) -> _Group:
    """Move the values of a group of options out of `options`, which keeps the rest."""
    return group(**{field.name: options.pop(field.name) for field in fields(group)})


def common_options(command: _Command) -> _Command:
    """Add the options of every command that asks the cluster."""
    return _added(_COMMON, cluster_options(command))


def output_options(command: _Command) -> _Command:
    """Add the options of a command that asks no cluster; `asking_nobody` takes their values."""
    return _added(_COMMON, command)


def asking_nobody(options: dict[str, Any]) -> Asking:
    """Move the values of `output_options` out of `options`, which keeps the rest."""
    return Asking(None, None, options.pop("output"), options.pop("quiet"), options.pop("no_color"))


def cluster_options(command: _Command) -> _Command:
    """Add the options that choose the cluster and the credentials."""
    return _added(_CLUSTER, command)


def reading_options(command: _Command) -> _Command:
    """Add the options that `plan` has to be given as `run` was, to read a cluster's keys and its stores alike."""
    return _added(_READING, command)


def timeout_option(default: str, said: str) -> Callable[[_Command], _Command]:
    """Declare --timeout, which is how long a command may take; `said` is its help."""
    return click.option(
        "--timeout", metavar="DURATION", default=default, callback=parsed(timeout), help=said, show_default=True
    )


def filename_option(*, required: bool) -> Callable[[_Command], _Command]:
    """Declare -f, whose value is the open file of a manifest, called `manifest`."""
    return click.option(
        "-f",
        "--filename",
        "manifest",
        metavar="FILE",
        type=click.File("rb"),
        required=required,
        help="YAML or JSON with the OIDCIssuer, which may stand in a List; - is standard input.",
    )


def word_option(*names: str, default: StrEnum, said: str) -> Callable[[_Command], _Command]:
    """Declare an option whose value is a word of the enumeration of `default`; `said` is its help."""
    words = type(default)
    return click.option(
        *names,
        type=click.Choice([word.value for word in words]),
        default=default.value,
        callback=parsed(words),
        help=said,
        show_default=True,
    )


def _added(options: tuple[Callable[[_Command], _Command], ...], command: _Command) -> _Command:
    for decorate in reversed(options):
        command = decorate(command)
    return command


name_argument = click.argument("name", metavar="NAME", callback=parsed(issuer_name))
optional_name_argument = click.argument("name", metavar="[NAME]", required=False, callback=parsed(issuer_name))
_CLUSTER = (
    click.option(
        "--kubeconfig",
        metavar="FILE",
        envvar="OIDC_PUBLISHER_KUBECONFIG",
        help="Kubeconfig, instead of KUBECONFIG, ~/.kube/config or the pod's own credentials.",
    ),
    click.option(
        "--context",
        metavar="NAME",
        envvar="OIDC_PUBLISHER_CONTEXT",
        help="Context of the kubeconfig, instead of its current one.",
    ),
)
_READING = (
    click.option(
        "--probe-service-account",
        metavar="NS/NAME",
        envvar="OIDC_PUBLISHER_PROBE_SERVICE_ACCOUNT",
        callback=parsed(namespaced_name),
        help="ServiceAccount to mint tokens for, which prove an issuer and show which keys sign. Needed for apiServer "
        "sources; without it `plan` goes on, and names what it could not see.",
    ),
    click.option(
        "--key-files-root",
        metavar="DIR",
        envvar="OIDC_PUBLISHER_KEY_FILES_ROOT",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder below which key sources may read files. Without it no key source may read any.",
    ),
    click.option(
        "--store-endpoint",
        "store_endpoints",
        metavar="URL",
        multiple=True,
        envvar="OIDC_PUBLISHER_STORE_ENDPOINT",
        callback=each(store_endpoint),
        help="A server that an OIDCIssuer may name as endpointURL, such as https://minio.example.com:9000. May be given "
        "several times. With it, no other servers may be named but Amazon's. Plain http needs it.",
    ),
    click.option(
        "--probe-proxy",
        "probe_proxies",
        metavar="URL",
        multiple=True,
        envvar="OIDC_PUBLISHER_PROBE_PROXY",
        callback=each(http_proxy),
        help="A proxy that an OIDCIssuer may name as probe.proxyURL, such as http://proxy.example.com:3128. May be given "
        "several times. The proxy of HTTPS_PROXY may be named without it.",
    ),
    click.option(
        "--api-server-name",
        "api_server_names",
        metavar="NAME",
        multiple=True,
        envvar="OIDC_PUBLISHER_API_SERVER_NAME",
        callback=each(host_name),
        help="A name in certificates of the cluster's CA under which a single API server gets the credentials, beside "
        "kubernetes.default.svc and the kubeconfig's own server. May be given several times.",
    ),
)
_COMMON = (
    word_option("-o", "--output", default=Output.TEXT, said="How the result is written."),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors: the exit code is the answer."),
    click.option("--no-color", is_flag=True, help="No colours on a terminal. NO_COLOR=1 does the same."),
)
