"""Find private keys, tokens and known secrets in what a program has printed.

It looks more closely than the program's own mask: for keys without their PEM lines, halves of tokens and values by name.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

_PATTERNS = {
    "a private key in PEM": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    # The first bytes of PKCS #8 (RSA, EC), PKCS #1 and SEC1, as base64 shows them whatever the key is.
    "the body of a private key": re.compile(
        r"MII[A-Za-z0-9+/]{2}wIBADANBgkqhkiG9w0BAQEFAASC|MII[A-Za-z0-9+/]{3}IBADANBgkqhkiG9w0BAQEFAASC"
        r"|MI[A-Za-z0-9+/]{1,6}AgEAMB[A-Za-z0-9+/]{2}ByqGSM49AgEG|MII[A-Za-z0-9+/]{3}IBAAKC|M[A-Za-z0-9+/]{1,3}CAQEE[IM]|MI[A-Za-z0-9+/]{2}AgEBB[DE]"
    ),
    "the private member of a JWK": re.compile(r'\\?"d\\?"\s*:\s*\\?"[A-Za-z0-9_-]{30,}'),
    "a password of HTTP authentication": re.compile(
        r"(?i)\b(?:bearer|basic)\s+(?!<hidden>)(?=\S*\d)[A-Za-z0-9._~+/=-]{20,}"
    ),
}
#: A part of a token: a JSON object in base64url.
_TOKEN_PART = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{13,}")
_SHORTEST = 8
#: Variables of an operator's environment that hold a secret.
_SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|CREDENTIAL")
#: The log of every operator that this session has run, with the secrets that it was given.
_LOGS: dict[Path, set[str]] = {}


def watch_log(log: Path, env: Mapping[str, str]) -> None:
    """Have `leaks` search a log, also for the secrets of its program's environment and of the kubeconfig that this names."""
    given = {value for name, value in env.items() if _SECRET.search(name)}
    _LOGS.setdefault(log, set()).update(given, _secrets_of(Path(env.get("KUBECONFIG", ""))))


def leaks() -> dict[str, list[str]]:
    """Return what every log of the session tells that it should not."""
    found = {
        str(log): secrets_in(log.read_text(errors="replace"), known) for log, known in _LOGS.items() if log.exists()
    }
    return {log: what for log, what in found.items() if what}


def _secrets_of(kubeconfig: Path) -> Iterator[str]:
    if not kubeconfig.is_file():
        return
    for one in (yaml.load(kubeconfig.read_text(), yaml.CSafeLoader) or {}).get("users") or ():
        user = one.get("user") or {}
        yield from (user[name] for name in ("token", "password") if name in user)
        if (file := Path(user.get("tokenFile", ""))).is_file():
            yield file.read_text().strip()


def secrets_in(text: str, known: Iterable[str] = ()) -> list[str]:
    """Return what was found, each with its line but without the secret; `known` are values that nothing may print."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        kinds = [kind for kind, pattern in _PATTERNS.items() if pattern.search(line)]
        if any(_is_json(part) for part in _TOKEN_PART.findall(line)):
            kinds.append("a part of a token")
        if any(value in line for value in known if len(value) >= _SHORTEST):
            kinds.append("a secret that it was given")
        found += [f"line {number}: {kind}" for kind in kinds]
    return found


def _is_json(part: str) -> bool:
    """Tell whether a part decodes to the begin of a JSON object, which a random key ID does not."""
    whole = part[: len(part) // 4 * 4]
    decoded = urlsafe_b64decode(whole)
    return decoded.startswith(b'{"') and all(0x20 <= byte < 0x7F for byte in decoded)
