"""Rotation by period under kills: 8 becomes 12, and 98 becomes 102, while signers, API servers and the operator are killed."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import random
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joserfc.errors
import joserfc.jwk
import joserfc.jwt
import jwt
import pytest
import yaml

from oidc_publisher.signer.keypairs import read_pair
from oidc_publisher.signer.ring import Ring
from oidc_publisher.signer.storage import WrappingKey, to_secret
from tests.support.adminapi import ApiError
from tests.support.processes import wait_for
from tests.support.signerprocess import SECRET, SignerProcess, install
from tests.support.stage import CRDS, STAGE_PORT, Stage

RING_CRD = CRDS / "oidc-publisher.io_signingkeyrings.yaml"
NODES = ("a", "b")
#: Four rotations from each of these add a digit.
FIRSTS = (8, 98)
_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


def _with_periods_of_seconds() -> dict[str, Any]:
    """The CustomResourceDefinition without the shortest period, which is days: a test rotates in seconds."""
    document: dict[str, Any] = yaml.safe_load(RING_CRD.read_text())
    spec = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    del spec["rotationPeriod"]["x-kubernetes-validations"]
    return document


@dataclass(slots=True)
class Strangers:
    """Verifiers of other hands: the other API server, and PyJWT and joserfc with the key set as it is published."""

    stage: Stage
    enough: threading.Event = field(default_factory=threading.Event)
    minted: list[str] = field(default_factory=list)
    reviewed: int = 0
    verified: int = 0
    refused: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)

    def work(self) -> None:
        """Mint at each API server in turn, and verify. Who was killed cannot be asked: that is no refusal, and is noted."""
        while not self.enough.is_set():
            for index in range(len(NODES)):
                try:
                    self.check(index)
                except (OSError, ApiError) as error:
                    self.unasked.append(repr(error))

    def check(self, index: int) -> None:
        """Mint one token, and let both verify it."""
        token = self.stage.cluster.mint_token(index, "default", "probe", None)
        kid = str(jwt.get_unverified_header(token)["kid"])
        self.minted.append(kid)
        published = {key["kid"]: key for key in self._published()}
        try:
            jwt.decode(token, jwt.PyJWK(published[kid]), algorithms=["RS256"], options={"verify_aud": False}, leeway=2)
            self.verified += 1
        except (KeyError, jwt.InvalidTokenError) as error:
            self.refused.append(f"by the published key set: {kid}: {error!r}")
        try:
            keys = joserfc.jwk.KeySet.import_key_set({"keys": list(published.values())})  # type: ignore[arg-type]
            joserfc.jwt.decode(token, keys, algorithms=["RS256"])
        except (joserfc.errors.JoseError, ValueError) as error:
            self.refused.append(f"by joserfc: {kid}: {error!r}")
        document = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        answer = self.stage.cluster.json("POST", _REVIEWS, document, index=1 - index)
        self.reviewed += 1
        if not answer["status"].get("authenticated"):
            self.refused.append(f"by the other API server: {kid}: {answer['status'].get('error')}")

    def _published(self) -> list[dict[str, str]]:
        url = f"{self.stage.issuer_url}/openid/v1/jwks"
        with urllib.request.urlopen(url, timeout=5, context=self.stage.pki.client_context()) as answer:  # noqa: S310 - https
            keys: list[dict[str, str]] = json.load(answer)["keys"]
        return keys


def _founded(stage: Stage, sa_key: Path, first: int) -> dict[str, str]:
    """The data of a Secret whose ring begins with this number."""
    ring = Ring("one", highest=first - 1)
    ring = ring.with_new(*read_pair(sa_key.read_bytes()), at=datetime.now(UTC).replace(microsecond=0), imported=True)
    data = to_secret(ring, WrappingKey.from_file(sa_key.read_bytes()))
    assert stage.key.kid == ring.keys[0].key_id
    return {name: base64.b64encode(value).decode() for name, value in data.items()}


@pytest.mark.timeout(600)
def test_four_rotations_under_kills_cost_no_token(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever is killed and whenever: each token is taken by the other API server and by the published key set.

    In two clusters at once, which mostly wait: by text 10 stands before 9, and 100 before 99.
    """
    with ThreadPoolExecutor(len(FIRSTS)) as both:
        runs = [
            both.submit(_rotated_four_times, tmp_path_factory.mktemp(f"from-{first}"), first, STAGE_PORT + number)
            for number, first in enumerate(FIRSTS)
        ]
    for run in runs:
        run.result()


def _rotated_four_times(folder: Path, first: int, port: int) -> None:
    """Run a cluster whose ring begins with this number, rotate under kills, and let nobody refuse a token meanwhile."""
    with Stage(folder, servers=2, port=port) as stage, contextlib.ExitStack() as ending:
        signers = _prepared(stage, first)
        strangers = Strangers(stage)
        thread = threading.Thread(target=strangers.work, daemon=True)
        for index, signer in enumerate(signers):
            ending.callback(signer.kill)
            signer.start()
            stage.cluster.restart(index, replace(stage.config(), signing_endpoint=signer.socket))
        stage.operator.start()
        stage.cluster.create(stage.issuer(interval="1s"))
        stage.wait_ready(timeout_s=90)
        ring = {"apiVersion": "oidc-publisher.io/v1alpha1", "kind": "SigningKeyRing", "metadata": {"name": "default"}}
        stage.cluster.create(ring | {"spec": {"rotationPeriod": "15s"}})
        thread.start()
        ending.callback(strangers.enough.set)
        kills = _kill_until(stage, signers, lambda: _signing(stage) >= first + 4, random.Random(first))  # noqa: S311 - the same victims in every run
        strangers.enough.set()
        thread.join(60)
    _judge(strangers, first, kills)


def _prepared(stage: Stage, first: int) -> list[SignerProcess]:
    """Install what a cluster with managed keys has, and return its signers, which are not started."""
    stage.apply_crd()
    stage.cluster.apply(_with_periods_of_seconds())
    install(stage.cluster)
    sa_key = stage.folder / "sa.key"
    sa_key.write_bytes(stage.key.private_pem)
    namespace, name = SECRET
    stage.cluster.patch("v1", "Secret", name, {"data": _founded(stage, sa_key, first)}, namespace)
    return [
        SignerProcess(stage.folder / "signers", stage.cluster, node, sa_key, index=index)
        for index, node in enumerate(NODES)
    ]


def _judge(strangers: Strangers, first: int, kills: int) -> None:
    logging.getLogger(__name__).warning(
        "from %d on: %d kills, %d tokens minted, %d verified, %d reviewed",
        first,
        kills,
        len(strangers.minted),
        strangers.verified,
        strangers.reviewed,
    )
    assert strangers.refused == []
    assert len(dict.fromkeys(strangers.minted)) >= 5, strangers.unasked[-5:]
    assert min(strangers.verified, strangers.reviewed) > 10, f"after {kills} kills: {strangers.unasked[-3:]}"


def _signing(stage: Stage) -> int:
    """The lowest version that any signer signs with."""
    with contextlib.suppress(OSError, RuntimeError, AssertionError):
        status = stage.cluster.get("oidc-publisher.io/v1alpha1", "SigningKeyRing", "default").get("status", {})
        versions = [int(signer["version"]) for signer in status.get("signers", ()) if "version" in signer]
        return min(versions) if len(versions) == len(NODES) else 0
    return 0


def _kill_until(stage: Stage, signers: list[SignerProcess], done: Callable[[], bool], chance: random.Random) -> int:
    """Kill something at random, start it again, and so on; returns how often."""
    kills = 0
    ends = time.monotonic() + 420
    while not done():
        assert time.monotonic() < ends, "the rotations end in time"
        victim = chance.choice(["signer", "signer", "operator", "api"])
        index = chance.randrange(len(NODES))
        if victim == "signer":
            signers[index].kill()
            signers[index].start()
        elif victim == "operator":
            stage.operator.kill()
            stage.operator.start()
        else:
            stage.cluster.kill(index)
            stage.cluster.start_server(index)
        kills += 1
        # Between two kills the cluster has to come to a rest, or nothing is ever proven.
        with contextlib.suppress(TimeoutError):
            wait_for(lambda: _ready(stage), timeout_s=20, what="the issuer is Ready")
    return kills


def _ready(stage: Stage) -> bool:
    conditions = stage.get()["status"]["conditions"]
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
