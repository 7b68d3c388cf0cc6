"""Ask a signer over its socket, and judge its three answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from oidc_publisher.cli.check.lines import CheckResult, Line
from oidc_publisher.errors import ClusterError, KeyRefusedError
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe.token.judge import TokenFacts, read_token, verifies
from oidc_publisher.signer.server import CallError, SignerClient
from oidc_publisher.signer.server.decoding import FetchedKeys, fetched_keys_of, lifetime_of, signature_of
from oidc_publisher.signer.server.protobuf import MalformedMessageError, bytes_field
from oidc_publisher.wording import counted

#: A Sign may wait 10 s for the ring (S10).
_TIMEOUT_S = 15.0
#: {} in base64url: nobody takes such a token.
_CLAIMS = "e30"
#: A signer looks at the ring each second.
_LATE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class SignerAnswers:
    """The SignerAnswers are what a signer answered: `token` is one without claims, `keys` what it lists, `lifetime` the longest."""

    token: str
    keys: FetchedKeys
    lifetime: timedelta

    @property
    def signed(self) -> TokenFacts:
        """What the header of the token says; raises ClusterError."""
        return read_token(self.token)

    @property
    def listed(self) -> frozenset[str]:
        """The key IDs that API servers verify tokens with."""
        return frozenset(key.key_id for key in self.keys.keys)


def asked(socket: Path) -> SignerAnswers | Line:
    """Return the answers of the signer at a socket, or the line that says what is wrong with it."""
    check = f"signer at {socket}"
    try:
        with SignerClient.connected(socket, _TIMEOUT_S) as client:
            lifetime = lifetime_of(client.call("Metadata"))
            keys = fetched_keys_of(client.call("FetchKeys"))
            header, signature = signature_of(client.call("Sign", bytes_field(1, _CLAIMS)))
    except CallError as error:
        return Line(CheckResult.NO, check, error.message, error.hint)
    except MalformedMessageError as error:
        return Line(CheckResult.NO, check, f"answers what is no message of KEP-740: {error}")
    return SignerAnswers(f"{header}.{_CLAIMS}.{signature}", keys, lifetime)


def socket_lines(answers: SignerAnswers, now: datetime) -> Iterator[Line]:
    """Judge the answers of a signer: what it signs, what it lists, and when it last read the ring."""
    yield _signature_line(answers)
    excluded = sum(key.excluded for key in answers.keys.keys)
    found = f"lists {counted(len(answers.keys.keys), 'key')}, {excluded} of them for verifying alone"
    yield Line(CheckResult.YES, "FetchKeys", found)
    yield Line(CheckResult.YES, "Metadata", f"a token lives {answers.lifetime.total_seconds() / 3600:g}h at most")
    read = f"was last read at {answers.keys.time:%Y-%m-%dT%H:%M:%SZ}"
    if now - answers.keys.time > _LATE:
        yield Line(
            CheckResult.WARNING, "ring", f"{read}; the signer goes on from its disk", "Look at the signer's log."
        )
    else:
        yield Line(CheckResult.YES, "ring", read)


def _signature_line(answers: SignerAnswers) -> Line:
    check = "Sign"
    try:
        facts = answers.signed
    except ClusterError:
        return Line(CheckResult.NO, check, "answers with what makes no token")
    listed = answers.keys.get(facts.key_id or "")
    if listed is None:
        return Line(CheckResult.NO, check, f"signs with key {facts.key_id}, which it does not list")
    if listed.excluded:
        return Line(CheckResult.NO, check, f"signs with key {facts.key_id}, which it lists for verifying alone")
    if not _valid(answers.token, listed.key_id, listed.spki):
        return Line(CheckResult.NO, check, f"its signature is not one of key {facts.key_id}")
    return Line(CheckResult.YES, check, f"signs with key {facts.key_id} ({facts.algorithm}), which it lists")


def _valid(token: str, key_id: str, spki: bytes) -> bool:
    try:
        return verifies(token, PublicKey.from_spki(spki, key_id))
    except KeyRefusedError:
        return False
