"""Configure logs: structlog's for this program, the standard library's for libraries, all by one handler to stderr.

Times are UTC. No secret is printed: `masked` is applied to the finished line, so it covers tracebacks and the messages
of libraries too. Foreign text in a message or a value can neither start a new line nor control a terminal, and the
lines of a traceback are indented.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

import structlog

from oidc_publisher.harmless import harmless
from oidc_publisher.telemetry.levels import LogFormat, LogLevel

#: The loggers with a higher level than the rest. kopf logs each failed attempt and each restart as an error with a
#: traceback, and every event of an object; controller/kopf/watch.py logs their meaning once.
_QUIET = {
    "kopf": logging.WARNING,
    "kopf.objects": logging.WARNING,
    "kopf._cogs.clients": logging.CRITICAL,
    "kopf._core.reactor.observation": logging.CRITICAL,
    "kopf._core.reactor.orchestration": logging.CRITICAL,
    "kopf._core.reactor.running": logging.CRITICAL,
    "asyncio": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    "botocore": logging.WARNING,
    "boto3": logging.WARNING,
    "google": logging.ERROR,  # it warns at every search for credentials that no project was found, and none is needed
    "urllib3": logging.WARNING,
    "s3transfer": logging.WARNING,
    "kubernetes": logging.WARNING,
}

#: At debug level kopf's logs are printed. Those of botocore and urllib3 are not: they hold request headers with
#: signatures.
_QUIET_EVEN_IN_DEBUG = ("botocore", "boto3", "google", "urllib3", "s3transfer", "kubernetes", "asyncio")

_SECRETS = (
    # A JWT in compact form: header and payload are JSON objects, which begin with eyJ in base64url.
    (re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?"), "<token>"),
    (re.compile(r"(?i)\b(bearer|basic)((?:\s|\\[nrt])+)(?!<)(?=\S*\d)[A-Za-z0-9._~+/=-]{12,}"), r"\1\2<hidden>"),
    (
        re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(?:-----END \1PRIVATE KEY-----|\Z)", re.DOTALL),
        "<private key>",
    ),
)

#: The members of an event that may have several lines.
_TRACES = frozenset({"exception", "stack"})

Event = structlog.typing.EventDict


def configure(
    log_format: LogFormat = LogFormat.AUTO, level: LogLevel = LogLevel.INFO, *, stream: TextIO | None = None
) -> None:
    """Send every log line of the process to `stream` (None: stderr); AUTO is coloured text on a terminal, else JSON."""
    out = stream or sys.stderr
    terminal = out.isatty()
    text = log_format is LogFormat.TEXT or (log_format is LogFormat.AUTO and terminal)
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        _utc_timestamp,
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        _MaskingFormatter(foreign_pre_chain=before, processors=_renderers(text=text, colours=terminal))
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    _quieten(debug=level is LogLevel.DEBUG)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def masked(text: str) -> str:
    """Replace all text that looks like a token, a password of HTTP authentication or a private key."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


class _MaskingFormatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def _renderers(*, text: bool, colours: bool) -> list[structlog.typing.Processor]:
    drop = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if text:
        # The plain traceback is used, because the pretty one prints local variables, which may be tokens.
        console = structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0, exception_formatter=_write_traceback)
        return [drop, _harmless, console]
    json = structlog.processors.JSONRenderer(default=str)
    return [drop, structlog.processors.format_exc_info, _harmless, _ordered, json]


def _harmless(_logger: object, _method: str, event: Event) -> Event:
    """Make every text of an event harmless. Other values are printed as repr or JSON, which escape them."""
    texts = {name: value for name, value in event.items() if isinstance(value, str)}
    return {**event, **{name: _lines(value) if name in _TRACES else harmless(value) for name, value in texts.items()}}


def _lines(trace: str) -> str:
    """Indent the lines of a trace, so that the text of an exception cannot look like a line of the log."""
    return "\n".join(f"  {harmless(line)}" for line in trace.rstrip("\n").split("\n"))


def _write_traceback(out: TextIO, error: Any) -> None:
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, error)
    out.write(f"\n{_lines(plain.getvalue().lstrip())}")


def _utc_timestamp(_logger: object, _method: str, event: Event) -> Event:
    record = event.get("_record")
    seconds = record.created if isinstance(record, logging.LogRecord) else time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    event["timestamp"] = f"{whole}.{int(seconds % 1 * 1000):03d}Z"
    return event


def _ordered(_logger: object, _method: str, event: Event) -> Event:
    """Put timestamp, level and message first, in this order, and name the sentence `message`."""
    head: Mapping[str, object] = {
        "timestamp": event.pop("timestamp", None),
        "level": event.pop("level", None),
        "message": event.pop("event", None),
    }
    return {**head, **event}


def _quieten(*, debug: bool) -> None:
    for name, level in _QUIET.items():
        speaks = debug and name not in _QUIET_EVEN_IN_DEBUG
        logging.getLogger(name).setLevel(logging.NOTSET if speaks else level)
