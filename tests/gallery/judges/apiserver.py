"""A kube-apiserver of another cluster as a relying party (--authentication-config)."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from hack.testbed.build import kubernetes
from tests.gallery.judges.party import AUDIENCE, SUBJECT, Opinion, Question
from tests.support.apiserver import ServerConfig
from tests.support.controlplane import ControlPlane
from tests.support.pki import PKI
from tests.support.signingkeys import signing_key

#: More than 64 authenticators are refused (apiserver/pkg/apis/apiserver/validation).
_ISSUERS_MAX = 64
#: It reads each issuer at its start, and again every ten seconds where that failed.
_FIRST_TRIES_S = 25.0
_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
_UNINITIALIZED = re.compile(r'oidc authenticator: initializing plugin: (.*?)"?$', re.MULTILINE)
_REFUSED = re.compile(r'"?Unable to authenticate the request"? err="(.*)"$', re.MULTILINE)


class KubeAPIServer:
    """A kube-apiserver; asks as many of them in turn as the number of issuers needs."""

    name = "kube-apiserver"

    def __init__(self, folder: Path) -> None:
        self.version = kubernetes().version
        self._folder = folder

    def ask(self, questions: Sequence[Question], roots: Path) -> dict[str, Opinion]:
        """Return what it says, in the words of its log: its clients learn only that they are not authorized."""
        opinions: dict[str, Opinion] = {}
        for start in range(0, len(questions), _ISSUERS_MAX):
            opinions |= self._ask(questions[start : start + _ISSUERS_MAX], roots, self._folder / str(start))
        return opinions

    def _ask(self, questions: Sequence[Question], roots: Path, folder: Path) -> dict[str, Opinion]:
        folder.mkdir(parents=True)
        path = folder / "authentication.yaml"
        path.write_text(yaml.safe_dump(_configuration(questions, roots.read_text())))
        config = ServerConfig(signing_key("P-256", "remote"), extra_flags=(f"--authentication-config={path}",))
        with ControlPlane(folder / "cluster", PKI(folder / "pki"), [config], loopback=True) as cluster:
            time.sleep(_FIRST_TRIES_S)
            return {question.name: _asked(cluster, question) for question in questions}


def _asked(cluster: ControlPlane, question: Question) -> Opinion:
    log = cluster.servers[0].process
    assert log is not None
    before = len(log.log())
    answer = cluster.request("POST", _REVIEWS, _REVIEW, token=question.token, timeout_s=30)
    if answer.status == 201:
        return Opinion(answer.json()["status"]["userInfo"]["username"] == f"workload:{SUBJECT}")
    time.sleep(0.05)  # the log is written beside the answer
    whole = log.log()
    said = _REFUSED.findall(whole[before:])
    why = [line for line in _UNINITIALIZED.findall(whole) if question.issuer in line]
    return Opinion(accepts=False, says=(why or said or [f"{answer.status}"])[-1].replace('\\"', '"'))


def _configuration(questions: Sequence[Question], roots: str) -> dict[str, object]:
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [
            {
                "issuer": {"url": question.issuer, "audiences": [AUDIENCE], "certificateAuthority": roots},
                "claimMappings": {"username": {"claim": "sub", "prefix": "workload:"}},
            }
            for question in questions
        ],
    }
