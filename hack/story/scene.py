"""What the steps hand on to each other."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hack.story.errors import StepFailedError
from hack.story.parts import Parts
from hack.story.relyingparty import Watch
from hack.story.screen import Screen


@dataclass(slots=True)
class Scene:
    """The parts, the screen, and what has been shown so far."""

    screen: Screen
    parts: Parts
    achievements: list[str] = field(default_factory=list)
    rejected_tokens: int = 0
    watch: Watch | None = None

    def achieved(self, text: str, *, summary: str | None = None) -> None:
        """Say what has just been achieved, and remember it for the summary."""
        self.screen.done(text)
        self.achievements.append(summary or text)

    def kubectl(self, *arguments: str) -> str:
        """Show a kubectl command, run it, show what it printed, and return that."""
        self.screen.command(self.parts.shown(shlex.join(["kubectl", *arguments])))
        output = self.parts.kubectl(*arguments)
        self.screen.output(self.parts.shown(output))
        return output

    def publisher(self, *arguments: str) -> None:
        """Show a command of ours, run it, and show what it printed."""
        self.screen.command(shlex.join(["oidc-publisher", *arguments]))
        self.screen.output(self.parts.publisher(*arguments))

    def wait(self, holds: Callable[[], bool], *, what: str, timeout_s: float = 30.0) -> float:
        """Poll until it holds and return the seconds that took.

        Raises:
            StepFailedError: it did not within `timeout_s`, or a part has ended.
        """
        began = time.monotonic()
        while not _now(holds):
            if time.monotonic() - began > timeout_s or self.parts.fallen():
                raise StepFailedError(f"Waited in vain: {what}.", self.parts.tails())
            time.sleep(0.02)
        return time.monotonic() - began


def _now(holds: Callable[[], bool]) -> bool:
    try:
        return holds()
    except OSError:  # a server that restarts
        return False
