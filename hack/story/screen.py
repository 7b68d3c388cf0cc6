"""What a person sees: headings with their reason, commands with their output, a spinner; plain lines where nobody looks."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.text import Text

_PROSE_WIDTH = 100
_INDENT = "  "


class Screen:
    """Prints the story. On a terminal in colours and with progress; in CI and into pipes as plain lines."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace", line_buffering=True)  # a tick in a Latin-1 terminal is no failure
        in_ci = os.environ.get("CI", "").lower() == "true"
        self.console = Console(highlight=False, soft_wrap=True, force_terminal=False if in_ci else None)

    @property
    def animated(self) -> bool:
        """Whether lines may change after they were printed."""
        return self.console.is_terminal and not self.console.is_dumb_terminal

    def step(self, number: int, title: str, why: str) -> None:
        """Begin a step."""
        self.console.print()
        self.console.print(Text(f"== {number}/{self.steps} {title}", style="bold cyan"))
        self.say(why)

    def say(self, text: str, style: str = "") -> None:
        """Print a sentence or two, wrapped for reading."""
        width = min(self.console.width if self.console.is_terminal else _PROSE_WIDTH, _PROSE_WIDTH)
        for line in textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False):
            self.console.print(Text(line, style=style))

    def part(self, name: str, where: str, what: str) -> None:
        """Print one line of a list of three columns."""
        line = Text(_INDENT).append(f"{name:<16}", style="bold").append(f" {where:<30}").append(f" {what}", style="dim")
        self.console.print(line)

    def done(self, text: str) -> None:
        """Print something that has been achieved."""
        self.console.print(Text("✓ ", style="bold green").append(text, style="default"))

    def bad(self, text: str) -> None:
        """Print something that went wrong on purpose."""
        self.console.print(Text("✗ ", style="bold red").append(text, style="default"))

    def command(self, text: str) -> None:
        """Print a command as a person would type it."""
        self.console.print(Text(_INDENT).append(f"$ {text}", style="bold"))

    def request(self, url: str) -> None:
        """Print what is asked of the public face."""
        self.console.print(Text(_INDENT).append(f"GET {url}", style="bold"))

    def output(self, text: str) -> None:
        """Print what a command printed."""
        if text.strip():
            self.console.print(Text(textwrap.indent(text.rstrip().expandtabs(), _INDENT)))

    def code(self, text: str, language: str) -> None:
        """Print YAML or JSON."""
        if not self.console.is_terminal:
            self.output(text)
            return
        coloured = Syntax(text, language, theme="ansi_dark", background_color="default").highlight(text.rstrip())
        for line in coloured.split("\n"):
            self.console.print(Text(_INDENT).append_text(line))

    @contextlib.contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Show that something goes on, with its seconds, until the block ends."""
        if not self.animated:
            self.console.print(f"… {text}")
            yield
            return
        columns = SpinnerColumn(style="cyan"), TextColumn("{task.description}"), TimeElapsedColumn()
        with Progress(*columns, console=self.console, transient=True) as progress:
            progress.add_task(text, total=None)
            yield

    def failed(self, sentence: str, details: str) -> None:
        """Print why the demo ends here."""
        error = Console(stderr=True, highlight=False, soft_wrap=True)
        error.print()
        error.print(Text("FAILED ", style="bold red").append(sentence, style="bold"))
        if details:
            error.print(Text(textwrap.indent(details.rstrip(), _INDENT), style="dim"))
