"""The order of the steps, and what is said when one fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hack.story import breaking, keeping, managing, publishing, rotating
from hack.story.errors import StepFailedError
from hack.story.parts import Parts
from hack.story.scene import Scene
from hack.story.screen import Screen
from tests.support import namespace
from tests.support.binaries import NotBuiltError
from tests.support.processes import ProcessFailedError

Step = Callable[[Scene], None]

#: `make demo`.
ROTATION: Final[tuple[Step, ...]] = (
    publishing.start_the_parts,
    publishing.install_the_crd,
    publishing.watch_it_become_ready,
    publishing.look_at_the_documents,
    publishing.verify_tokens,
    breaking.delete_the_key_set,
    breaking.block_the_public,
    rotating.rotate,
)
#: `make demo-managed`.
MANAGED: Final[tuple[Step, ...]] = (
    publishing.start_the_parts,
    publishing.install_the_crd,
    publishing.watch_it_become_ready,
    managing.start_the_signers,
    managing.move_to_the_signers,
    managing.ask_for_a_version,
    managing.rotate_under_kills,
)


def tell(folder: Path, steps: tuple[Step, ...], *, keep: bool) -> int:
    """Tell the whole story with all files in `folder` and return the exit code."""
    namespace.clean_environment()
    screen, began = Screen(len(steps) + 1), time.monotonic()
    scene: Scene | None = None
    try:
        scene = Scene(screen, Parts(folder))
        for step in steps:
            step(scene)
        sum_up(scene, time.monotonic() - began, keep=keep)
    except (StepFailedError, ProcessFailedError, NotBuiltError) as error:
        sentence, _, tail = str(error).partition("; the end of ")
        screen.failed(sentence, getattr(error, "details", tail))
        return 1
    except Exception as error:  # noqa: BLE001 - whatever it is, a person gets a sentence and a log
        screen.failed(f"{type(error).__name__}: {error}", scene.parts.tails() if scene else "")
        return 1
    return 0


def sum_up(scene: Scene, seconds: float, *, keep: bool) -> None:
    """Tell what was shown; then stop everything, or leave it to be played with."""
    screen, parts = scene.screen, scene.parts
    screen.step(screen.steps, "Summary", "What you have seen, all of it on real servers:")
    for line in scene.achievements:
        screen.done(line)
    screen.say(f"{seconds:.0f} seconds. rejected tokens: {scene.rejected_tokens}", style="bold")
    if keep:
        keeping.leave_running(screen, parts)
    with screen.busy("Stopping everything"):
        took_s = parts.stop()
    screen.done(
        f"The operator ended {took_s:.2f} s after SIGTERM; the issuer would go on working: it is two static files."
    )
