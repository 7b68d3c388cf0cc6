"""What log lines look like, and what never is in them."""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
import structlog

from oidc_publisher.telemetry.levels import LogFormat, LogLevel
from oidc_publisher.telemetry.logs import configure, masked

TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJodHRwczovL29pZGMuZXhhbXBsZS5jb20ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc\n-----END RSA PRIVATE KEY-----"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def json_lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was logged."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(text: str) -> NoReturn:
    """Raise an error with this text."""
    raise ValueError(text)


def test_our_lines_are_json_with_a_utc_time_where_nobody_reads_along() -> None:
    """Time, level and sentence come first; the rest is what the line is about."""
    stream = io.StringIO()
    configure(LogFormat.AUTO, stream=stream)
    structlog.stdlib.get_logger("oidc_publisher.x").info("Published.", issuer="prod", keys=2)
    [line] = json_lines(stream)
    assert list(line)[:3] == ["timestamp", "level", "message"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "level": "info",
        "message": "Published.",
        "issuer": "prod",
        "keys": 2,
        "logger": "oidc_publisher.x",
    }


def test_on_a_terminal_lines_are_coloured_text() -> None:
    """A person reads along."""
    stream = Terminal()
    configure(LogFormat.AUTO, stream=stream)
    structlog.stdlib.get_logger("x").warning("Watch out.", issuer="prod")
    assert "\x1b[" in stream.getvalue()
    assert "Watch out." in stream.getvalue()


def test_text_is_plain_where_there_is_no_terminal() -> None:
    """`--log-format text` into a file has no colour codes."""
    stream = io.StringIO()
    configure(LogFormat.TEXT, stream=stream)
    structlog.stdlib.get_logger("x").warning("Watch out.", issuer="prod")
    assert "\x1b[" not in stream.getvalue()
    assert "issuer=prod" in stream.getvalue()


def test_json_is_json_on_a_terminal_too() -> None:
    """Who asks for it gets it."""
    stream = Terminal()
    configure(LogFormat.JSON, stream=stream)
    structlog.stdlib.get_logger("x").warning("Watch out.")
    assert json_lines(stream)[0]["message"] == "Watch out."


def test_lines_of_libraries_look_like_ours() -> None:
    """The standard library's logging and its warnings go the same way."""
    stream = io.StringIO()
    configure(LogFormat.JSON, stream=stream)
    logging.getLogger("aiohttp.server").error("no %s", "luck")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", stacklevel=1)
    lines = json_lines(stream)
    assert lines[0] == {
        "timestamp": lines[0]["timestamp"],
        "level": "error",
        "message": "no luck",
        "logger": "aiohttp.server",
    }
    assert "old" in lines[1]["message"]


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("kopf.objects", logging.INFO),
        ("kopf._cogs.clients.watching", logging.ERROR),
        ("kopf._core.reactor.orchestration", logging.ERROR),
        ("botocore.hooks", logging.INFO),
        ("google.auth._default", logging.WARNING),
        ("urllib3.connectionpool", logging.DEBUG),
    ],
)
def test_libraries_that_chatter_are_quiet(name: str, level: int) -> None:
    """Kopf's line per attempt and event says nothing that we do not say once."""
    stream = io.StringIO()
    configure(LogFormat.JSON, stream=stream)
    logging.getLogger(name).log(level, "chatter")
    assert stream.getvalue() == ""


def test_debug_lets_kopf_speak_but_not_those_that_print_headers() -> None:
    """A signature or a session token in botocore's debug lines looks like nothing that could be masked."""
    stream = io.StringIO()
    configure(LogFormat.JSON, LogLevel.DEBUG, stream=stream)
    logging.getLogger("kopf._cogs.clients.watching").debug("attempt")
    logging.getLogger("botocore.auth").debug("x-amz-security-token")
    assert [line["message"] for line in json_lines(stream)] == ["attempt"]


def test_the_level_holds_for_our_own_lines() -> None:
    """`--log-level warning` drops what is less."""
    stream = io.StringIO()
    configure(LogFormat.JSON, LogLevel.WARNING, stream=stream)
    logger = structlog.stdlib.get_logger("oidc_publisher.x")
    logger.info("no")
    logger.warning("yes")
    assert [line["message"] for line in json_lines(stream)] == ["yes"]


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.TEXT])
@pytest.mark.parametrize("secret", [TOKEN, f"Bearer {TOKEN}", "Bearer abcdef0123456789abcdef", KEY])
def test_no_secret_is_logged_from_wherever_it_comes(log_format: LogFormat, secret: str) -> None:
    """In the sentence, in a value however deep, in a library's arguments, in a traceback."""
    stream = io.StringIO()
    configure(log_format, stream=stream)
    ours = structlog.stdlib.get_logger("oidc_publisher.x")
    ours.info(f"got {secret}")
    ours.info("got", headers={"Authorization": [secret]})
    logging.getLogger("aiohttp").error("got %s", secret)
    try:
        fail(secret)
    except ValueError:
        ours.exception("failed")
    logged = stream.getvalue()
    for part in (TOKEN, TOKEN.split(".")[1], "abcdef0123456789abcdef", "MIIEpAIBAAKCAQEA"):
        assert part not in logged
    assert len(re.findall("<token>|<hidden>|<private key>", logged)) >= 4
    if log_format is LogFormat.JSON:
        json_lines(stream)


FORGED = "key-1\n2026-11-26T12:00:00.000Z [info     ] Proven. issuer=prod\r\x1b[2J\u202e\x9b1m"


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.TEXT])
def test_nobody_forges_a_line(log_format: LogFormat) -> None:
    """With a key ID in the sentence, in a value, in a library's arguments, in the text of an exception."""
    stream = io.StringIO()
    configure(log_format, stream=stream)
    ours = structlog.stdlib.get_logger("oidc_publisher.x")
    ours.info(f"Key {FORGED} is withdrawn.")
    ours.info("Key.", key_id=FORGED, key_ids=[FORGED])
    logging.getLogger("aiohttp").error("got %s", FORGED)
    try:
        fail(FORGED)
    except ValueError:
        ours.exception("failed")
    logged = stream.getvalue()
    assert logged.replace("\n", "").isprintable()
    lines = [line for line in logged.split("\n") if line and not line.startswith("  ")]
    assert len(lines) == 4
    assert not any(line.startswith("2026-11-26T12:00:00.000Z") for line in lines)
    if log_format is LogFormat.JSON:
        for line in json_lines(stream):
            assert all(str(line[name]).isprintable() for name in ("message", "key_id") if name in line)
            assert all(part.startswith("  ") for part in line.get("exception", "").splitlines())


def test_a_secret_behind_a_line_break_is_masked_too() -> None:
    """A header that was folded, or a value that begins a line."""
    stream = io.StringIO()
    configure(LogFormat.TEXT, stream=stream)
    structlog.stdlib.get_logger("x").info("Bearer\nabcdef0123456789abcdef")
    assert "abcdef0123456789abcdef" not in stream.getvalue()


@pytest.mark.parametrize(
    "harmless",
    [
        "basic authentication is refused",
        "the bearer of bad news",
        "kid eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "https://oidc.example.com/prod/openid/v1/jwks",
    ],
)
def test_what_is_no_secret_stays_readable(harmless: str) -> None:
    """Masking takes no words away that an admin needs."""
    assert masked(harmless) == harmless


def test_a_cut_off_private_key_is_masked_to_the_end() -> None:
    """Its end may be missing where a message was shortened."""
    assert masked("x -----BEGIN PRIVATE KEY-----\\nMIIEv") == "x <private key>"


def test_an_exception_is_one_json_line() -> None:
    """A traceback is a member, not lines of its own that no log collector can put together."""
    stream = io.StringIO()
    configure(LogFormat.JSON, stream=stream)
    try:
        fail("broken")
    except ValueError:
        structlog.stdlib.get_logger("x").exception("It failed.")
    [line] = json_lines(stream)
    assert "ValueError: broken" in line["exception"]
