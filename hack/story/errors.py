"""How a step says that it failed."""

from __future__ import annotations


class StepFailedError(Exception):
    """One sentence what failed, and whatever helps to see why."""

    def __init__(self, sentence: str, details: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = details
