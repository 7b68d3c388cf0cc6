"""The group of commands, which turns every error into one line and an exit code.

The group imports a command only when somebody calls that command. The imports of `run` take half a second, and
`--help` and `version` need none of them.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TextIO

import click

from oidc_publisher.cli.exitcodes import ExitCode
from oidc_publisher.errors import PublisherError

#: Each command's module, in the order --help shows; it has an attribute `command`.
_COMMANDS = {
    "run": ("oidc_publisher.cli.run.command", "Run the operator."),
    "plan": ("oidc_publisher.cli.plan.command", "Show what a manifest would change, as a diff. Nothing is written."),
    "check": ("oidc_publisher.cli.check.command", "Check an installation, before and after. Nothing is changed."),
    "verify": (
        "oidc_publisher.cli.verify.command",
        "Say who can use an issuer, who cannot, and why. No cluster is needed.",
    ),
    "status": ("oidc_publisher.cli.status.command", "Show an issuer on one page, or all of them, a line each."),
    "wait": ("oidc_publisher.cli.wait.command", "Wait until an issuer is Ready, or a key is safe to sign with."),
    "reconcile": ("oidc_publisher.cli.reconcile.command", "Ask the operator to look at an issuer now."),
    "suspend": ("oidc_publisher.cli.suspend.command", "Let the operator leave an issuer alone."),
    "resume": ("oidc_publisher.cli.resume.command", "Let the operator go on with a suspended issuer."),
    "explain": ("oidc_publisher.cli.explain.command", "Say what an error of a relying party means, or a reason."),
    "keys": ("oidc_publisher.cli.keys.command", "List and rotate the keys of the signers."),
    "signer": (
        "oidc_publisher.cli.signer.command",
        "Sign ServiceAccount tokens with keys that the whole world can see.",
    ),
    "completion": ("oidc_publisher.cli.completion", "Print the completion script of a shell."),
    "version": ("oidc_publisher.cli.version", "Print the version."),
}
#: U+2011, which looks like a hyphen and is none to click's wrapping.
_NO_BREAK = "\u2011"
_HELP = ["-h", "--help"]
#: What click would repeat of an argument in the wrong place: a token, a private key, the user of a URL.
_SECRETS = re.compile(r"eyJ[\w-]{8,}[\w.-]*|-----BEGIN[\s\S]*|(?<=://)[^\s/]*(?=@)")


class _Formatter(click.HelpFormatter):
    """A formatter that breaks no line of the help at a hyphen, because half an option cannot be copied."""

    def write_text(self, text: str) -> None:
        """Write a paragraph."""
        super().write_text(_held(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], *arguments: Any, **named: Any) -> None:
        """Write a list of options, or of commands."""
        super().write_dl([(term, _held(text)) for term, text in rows], *arguments, **named)

    def getvalue(self) -> str:
        """Return what was written."""
        return super().getvalue().replace(_NO_BREAK, "-")


def _held(text: str) -> str:
    return text.replace("-", _NO_BREAK)


class _Context(click.Context):
    formatter_class = _Formatter


class _LazyGroup(click.Group):
    """A group that knows the name and the help of each command, and imports only the command that is called."""

    context_class = _Context

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of `_COMMANDS`."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command and return it, None when there is none of this name."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        for each in (command, *(command.commands.values() if isinstance(command, click.Group) else ())):
            each.context_class = _Context
            each.context_settings.setdefault("help_option_names", _HELP)  # click keeps those of the first context
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": _HELP, "max_content_width": 100},
    epilog="Exit codes: 0 yes; 1 no, broken or differs; 2 no answer: wrong usage or no access.",
)
def cli() -> None:
    """Give a Kubernetes cluster a public OIDC issuer and keep it true."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    An error that an admin can mend becomes one line on stderr, never a traceback.
    """
    _replace_closed_streams()
    try:
        code = _exit_code(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except OSError as error:
        # Files, clusters and stores raise errors of their own, so this one is about stdout: a full disk, a lost device.
        code = _unwritten(error)
    sys.exit(code)


def _exit_code(arguments: list[str]) -> int:
    stdout = sys.stdout
    try:
        result: object = cli.main(arguments, prog_name="oidc-publisher", standalone_mode=False)
    except click.ClickException as error:
        message = io.StringIO()
        error.show(message)
        click.echo(_SECRETS.sub("...", message.getvalue()), err=True, nl=False)
        return ExitCode.NO_ANSWER
    except click.Abort:
        return ExitCode.INTERRUPTED
    except PublisherError as error:
        click.echo(f"Error: {error.sentence}", err=True)
        return ExitCode.NO_ANSWER
    except SystemExit:
        # When the reader of a pipe is gone, click replaces the stream and exits with 1, which would be an answer.
        if sys.stdout is stdout:
            raise
        return ExitCode.NO_ANSWER
    return result if isinstance(result, int) else ExitCode.YES


def _replace_closed_streams() -> None:
    """Put something in the place of a standard stream that the caller closed, for which Python has None.

    Otherwise the next file or socket takes its descriptor. Input is empty then, and a result cannot be written.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            setattr(sys, name, open(nowhere, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - for the whole process


def _unwritten(error: OSError) -> ExitCode:
    """Report that the result could not be written; a script must not take the exit code for an answer then."""
    _discard(sys.stdout)
    try:
        click.echo(f"Error: The result could not be written: {error.strerror or error}.", err=True)
    except OSError:
        _discard(sys.stderr)
    return ExitCode.NO_ANSWER


def _discard(stream: TextIO) -> None:
    """Redirect a stream to the null device.

    Otherwise Python writes the rest of the buffer when it exits, fails again, and exits with 120.
    """
    with contextlib.suppress(OSError):  # a stream without a descriptor has no such buffer
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
