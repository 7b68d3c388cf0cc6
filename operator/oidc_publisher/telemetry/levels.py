"""Define the formats and levels of log lines, as values of the command line."""

from __future__ import annotations

from enum import StrEnum


class LogFormat(StrEnum):
    """A LogFormat is the form of log lines."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """A LogLevel is the level of the least important lines that are printed."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
