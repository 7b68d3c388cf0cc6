"""`oidc-publisher completion`."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

#: click looks for this variable before it runs a command.
_VARIABLE = "_OIDC_PUBLISHER_COMPLETE"
_SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    r"""Print the script that lets a shell complete commands, options and their values.

    \b
    bash:  oidc-publisher completion bash >~/.local/share/bash-completion/completions/oidc-publisher
    zsh:   oidc-publisher completion zsh >"${fpath[1]}/_oidc-publisher"
    fish:  oidc-publisher completion fish >~/.config/fish/completions/oidc-publisher.fish

    The script works in shells that are started afterwards.
    """
    click.echo(_SHELLS[shell](context.find_root().command, {}, "oidc-publisher", _VARIABLE).source())
