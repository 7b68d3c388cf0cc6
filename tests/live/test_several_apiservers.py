"""API servers that differ: whatever one of them says or hides, nothing leaves the published set early, and each case is named.

Server 0 signs with A, server 1 with B, and server 1 alone lists D. Tokens live for 10 s: a key that is dropped by mistake
would be missed by then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.live.places import served
from tests.support.pki import PKI
from tests.support.processes import accepts_connections
from tests.support.signingkeys import SigningKey, signing_key
from tests.support.stage import Object, Stage, condition, reasons

pytestmark = pytest.mark.timeout(240)

A, B, D, EARLY, NEXT = (signing_key("P-256", f"several-{name}") for name in ("a", "b", "d", "early", "next"))
ALL = {A.kid, B.kid, D.kid}
#: maxTokenLifetime and clockSkew of the stage's issuer are 11 s; with two passes more a key would have left.
LIFETIME_S = 15.0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Two API servers with different keys, and an issuer that reads them both."""
    with Stage(tmp_path_factory.mktemp("stage"), key=A) as running:
        running.apply_crd()
        rejoin(running)
        running.operator.start()
        running.apply(running.issuer(interval="1s"))
        settle(running)
        yield running


@pytest.fixture(autouse=True)
def healthy(stage: Stage) -> Iterator[None]:
    """Afterwards both servers say again what they said before."""
    yield
    rejoin(stage)
    settle(stage)


def rejoin(stage: Stage) -> None:
    """Server 0 signs with A and lists A and B, server 1 signs with B and lists D too."""
    for index, config in enumerate((stage.config(A, B), stage.config(B, A, D))):
        if stage.cluster.configs[index] != config or not stage.cluster.servers[index].running:
            stage.cluster.restart(index, config)


def settle(stage: Stage) -> None:
    """Ready with every key in use, nothing retiring, and safe those that both servers list."""

    def at_rest(status: Object) -> bool:
        keys = {key["keyID"]: key for key in status.get("keys", [])}
        used = [keys.get(kid, {}) for kid in ALL]
        safe = all("safeSinceTime" in keys.get(key.kid, {}) for key in (A, B))
        waited = all(key.get("knownToCaches") and "retireTime" not in key for key in used)
        return safe and waited and condition(status, "Ready") == "True" and condition(status, "KeysRead") == "True"

    stage.wait(at_rest, what="at rest", timeout_s=40)


def test_all_are_published_through_rolling_restarts_in_any_order(stage: Stage) -> None:
    """The union is served all the time, whichever server is restarted first and whatever it lists less for a while."""
    assert served(stage) == ALL
    assert stage.get()["status"]["signingKeyIDs"] == sorted((A.kid, B.kid))
    for order in ((0, 1), (1, 0)):
        for index in order:
            stage.cluster.kill(index)
            hold(stage, 1)
            stage.cluster.start_server(index)
            hold(stage, 2)
    stage.cluster.restart(1, stage.config(B, A))
    stage.wait(lambda s: "retireTime" in key_of(s, D), what="D retires")
    hold(stage, 1)  # a restart on a busy machine takes most of the 11 s after which D may leave
    stage.cluster.restart(1, stage.config(B, A, D))
    stage.wait(lambda s: "retireTime" not in key_of(s, D), what="D is listed again")
    hold(stage, LIFETIME_S)


def test_one_lies_about_its_name(stage: Stage, tmp_path: Path) -> None:
    """Its certificate is of another CA: nothing that it says counts, and what it alone may list stays."""
    own = stage.cluster.configs[1]
    other = PKI(tmp_path / "other").serving()
    flags = (f"--tls-cert-file={other.chain_file}", f"--tls-private-key-file={other.key_file}")
    server = stage.cluster.servers[1]
    server.kill()
    process = server.start(dataclasses.replace(stage.config(signing_key("P-256", "liar")), extra_flags=flags))
    try:
        process.wait_until(lambda: accepts_connections(server.address, server.port))
        status = stage.wait_for_reason("APIServerCertificateInvalid", timeout_s=20)["status"]
        assert server.host_port in message(status, "APIServerCertificateInvalid")
        hold(stage, LIFETIME_S)
        status = stage.get()["status"]
        assert "APIServerCertificateInvalid" in reasons(status)
        assert f"Key {D.kid} cannot be confirmed as unused" in message(status, "RetirementBlocked")
        assert server.host_port in message(status, "RetirementBlocked")
        assert served(stage) == ALL, "and nothing of the liar's is published"
    finally:
        server.kill()
        stage.cluster.start_server(1, own)


def test_one_mints_for_another_issuer(stage: Stage) -> None:
    """Its tokens are nobody's; the set stays."""
    other = dataclasses.replace(stage.cluster.configs[1], issuers=("https://other.example.com",))
    stage.cluster.restart(1, other)
    status = stage.wait_for_reason("WrongIssuerInToken", timeout_s=20)["status"]
    assert stage.cluster.addresses[1] in message(status, "WrongIssuerInToken")
    assert condition(status, "TokenAccepted") == "False"
    hold(stage, LIFETIME_S)


def test_one_is_down_and_then_gone(stage: Stage) -> None:
    """While the EndpointSlice names it, nothing retires; then it is EndpointGone, and what it alone listed leaves in time."""
    address = stage.cluster.addresses[1]
    stage.cluster.kill(1)
    status = stage.wait_for_reason("APIServerUnreachable")["status"]
    assert address in message(status, "APIServerUnreachable")
    named = stay_while_named(stage, address)
    status = stage.wait_for_reason("EndpointGone", timeout_s=40)["status"]
    said = message(status, "EndpointGone")
    assert address in said
    assert f"it signed with key {B.kid}" in said
    retire = stage.wait(lambda s: "retireTime" in key_of(s, D), what="D retires")["status"]
    due = datetime.fromisoformat(key_of(retire, D)["retireTime"])
    assert datetime.fromisoformat(key_of(retire, D)["unusedSinceTime"]) >= named.replace(microsecond=0)
    assert due - datetime.fromisoformat(key_of(retire, D)["unusedSinceTime"]) == timedelta(seconds=11)
    while served(stage) == ALL:
        assert (datetime.now(UTC) - due).total_seconds() < 3, "D is overdue"
        time.sleep(0.02)
    assert datetime.now(UTC) >= due
    assert served(stage) == {A.kid, B.kid}, "B is listed by server 0"


def stay_while_named(stage: Stage, address: str) -> datetime:
    """As long as the EndpointSlice names an API server, no key of its retires; returns when it last did."""
    named, end = datetime.min.replace(tzinfo=UTC), time.monotonic() + 40
    while True:
        now, status = datetime.now(UTC), stage.get()["status"]
        if address.partition(":")[0] not in stage.cluster.endpoint_addresses():
            return named
        named = now
        assert not {"unusedSinceTime", "retireTime"} & key_of(status, D).keys(), f"it is away, not gone: {status}"
        assert "EndpointGone" not in reasons(status)
        assert time.monotonic() < end, f"{address} is still named"
        time.sleep(0.1)


def test_who_signs_too_early_is_told_from_when_all_is_well(stage: Stage) -> None:
    """SignedBeforeSafe with the time; at that time it is over. Withdrawn, the key is gone at once, listed or not."""
    stage.cluster.restart(1, stage.config(EARLY, A, B, D))
    status = stage.wait(lambda s: "safeToSignTime" in key_of(s, EARLY), what="it is served", timeout_s=15)["status"]
    said = message(status, "SignedBeforeSafe")
    found = re.search(rf"Key {EARLY.kid} signed before it was safe; all is well from (\S+Z)", said)
    assert found, said
    assert found[1] == key_of(status, EARLY)["safeToSignTime"]
    assert condition(status, "SafeToSign") == "False"
    stage.cluster.restart(0, stage.config(A, B, EARLY))
    over = stage.wait(lambda s: safe_and_warned_of_before(s, EARLY), what="it is safe", timeout_s=15)["status"]
    assert datetime.now(UTC) >= datetime.fromisoformat(found[1])
    assert "SignedBeforeSafe" not in reasons(over)
    rotation = stage.issuer()["spec"]["rotation"]
    try:
        rotate(stage, {**rotation, "withdrawnKeyIDs": [EARLY.kid]})
        began = time.monotonic()
        while EARLY.kid in served(stage):
            assert time.monotonic() - began < 5, "it is still served"
            time.sleep(0.02)
        hold(stage, 1)
        status = stage.wait_for_reason("KeyWithdrawn")["status"]
        assert f"Key {EARLY.kid} is withdrawn and still signs" in message(status, "KeyWithdrawn")
    finally:
        stage.cluster.restart(1, stage.config(B, A, D))
        rotate(stage, {**rotation, "withdrawnKeyIDs": []})


@pytest.mark.timeout(420)
def test_a_key_is_safe_only_where_every_server_lists_it(stage: Stage) -> None:
    """Known to every cache and listed by server 1 alone: no permission, though `wait` asks; it signs, and server 0 refuses.

    `wait` goes on while server 1 restarts, though it has left the EndpointSlice and nobody lists the key. It ends with
    yes as soon as server 0 lists it too, and nothing is waited for again.
    """
    lacking, listing = stage.cluster.addresses
    stage.cluster.restart(1, stage.config(B, A, D, NEXT))
    status = stage.wait(lambda s: key_of(s, NEXT).get("knownToCaches"), what="every cache knows it", timeout_s=40)[
        "status"
    ]
    assert key_of(status, NEXT)["unlistedBy"] == [lacking]
    assert "safeSinceTime" not in key_of(status, NEXT)
    assert f"Key {NEXT.kid} is not listed by API server {lacking}" in message(status, "KeyUnlistedSomewhere")
    assert (condition(status, "Ready"), condition(status, "SafeToSign")) == ("True", "False")

    rotation = stage.issuer()["spec"]["rotation"]
    rotate(stage, {**rotation, "maxTokenLifetime": "5m"})  # or the key would leave while a busy machine starts server 1
    with waits_for(stage, NEXT) as waiting:
        says(waiting, f"API server {lacking} does not list it, and would refuse its tokens")
        stage.cluster.kill(1)
        says(waiting, f"API server {listing} has just left.* key {NEXT.kid} is Retiring")
        stage.cluster.start_server(1, stage.config(NEXT, A, B, D))
        signs_and_is_refused(stage, lacking, listing)
        stage.cluster.restart(0, stage.config(A, B, NEXT))
        out, err = waiting.communicate(timeout=90)
    assert waiting.returncode == 0, f"{out}\n{err}"
    assert f"Key {NEXT.kid} is safe to sign with since" in out
    status = stage.wait(lambda s: condition(s, "Ready") == "True", what="Ready again", timeout_s=30)["status"]
    assert key_of(status, NEXT)["unlistedBy"] == []
    rotate(stage, rotation)


def signs_and_is_refused(stage: Stage, lacking: str, listing: str) -> None:
    """Server 1 signs with NEXT, and server 0 does not accept its tokens."""
    status = stage.wait_for_reason("TokenRejectedByPeer", timeout_s=30)["status"]
    said = f'{lacking} refuses the token that {listing} has just minted with key "{NEXT.kid}"'
    assert said in message(status, "TokenRejectedByPeer")
    assert (condition(status, "Ready"), condition(status, "Stalled")) == ("False", "True")
    assert "SignedBeforeSafe" not in reasons(status)


def says(waiting: subprocess.Popen[str], pattern: str) -> None:
    """The command writes a line like that, and goes on waiting."""
    lines: list[str] = []
    for line in waiting.stderr or ():
        lines.append(line)
        if re.search(pattern, line):
            return
    pytest.fail(
        f"it ended with {waiting.wait()} and never said {pattern!r}: {lines} {waiting.stdout and waiting.stdout.read()}"
    )


@contextlib.contextmanager
def waits_for(stage: Stage, key: SigningKey) -> Iterator[subprocess.Popen[str]]:
    """`oidc-publisher wait --safe-to-sign` for that key, as a shell starts it."""
    program = Path(sys.executable).with_name("oidc-publisher")
    kubeconfig = str(stage.cluster.admin_kubeconfig())
    with subprocess.Popen(
        [program, "wait", "prod", "--safe-to-sign", key.kid, "--timeout=300s"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(stage.folder), "KUBECONFIG": kubeconfig},
    ) as waiting:
        try:
            yield waiting
        finally:
            waiting.kill()


def safe_and_warned_of_before(status: Object, early: SigningKey) -> bool:
    """Whether the key is safe by now; until every cache knows it, no status leaves the warning out while it is listed.

    A restarted API server may be missing from the EndpointSlice for a moment: then nobody lists its key.
    """
    entry = key_of(status, early)
    safe = "safeSinceTime" in entry
    assert entry.get("knownToCaches") or not entry.get("origins") or "SignedBeforeSafe" in reasons(status), status
    return safe


def rotate(stage: Stage, rotation: Object) -> None:
    """Set spec.rotation."""
    stage.cluster.patch("oidc-publisher.io/v1alpha1", "OIDCIssuer", "prod", {"spec": {"rotation": rotation}})


def hold(stage: Stage, seconds: float) -> None:
    """For so long, every read of the public URL shows every key."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert served(stage) >= ALL, f"lost: {ALL - served(stage)}\n{stage.operator.log()[-3000:]}"
        time.sleep(0.05)


def key_of(status: Object, key: SigningKey) -> Object:
    """What the status says of a key, nothing where it does not know it."""
    return next((found for found in status.get("keys", []) if found["keyID"] == key.kid), {})


def message(status: Object, reason: str) -> str:
    """The messages of all findings of that reason, one to a line."""
    return "\n".join(str(found["message"]) for found in status["findings"] if found["reason"] == reason)
