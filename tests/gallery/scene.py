"""Every issuer of the gallery as an OIDCIssuer on a real API server: they become Ready, break together, and heal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from hack.benchmark.watch import Watch
from oidc_publisher.findings import CATALOGUE, ConditionType, Reason
from tests.gallery import resolvconf
from tests.gallery.case import Case, Verdict
from tests.gallery.cases import CASES
from tests.gallery.material import Certificates, keys
from tests.gallery.nameserver import NameServer
from tests.gallery.passlog import PassEnd, pass_ends
from tests.gallery.place import DISCOVERY, JWKS, Place, Source
from tests.support.loopback import has_ipv6
from tests.support.stage import BUCKET, Stage

INTERVAL_S = 15
MAX_AGE_S = 5
_DEADLINE_S = 180
Object = dict[str, Any]
_STATUS = {Verdict.REFUSED: "False", Verdict.WARNED: "True", Verdict.UNKNOWN: "Unknown"}


@dataclass(frozen=True, slots=True)
class Seen:
    """When the status of each case showed what was waited for, in seconds from the change.

    `messages` are those of a pass that began after the change. `passes` counts the passes that had ended since the change, that one included. The first of them may have begun before
    the change; the second began after it.
    """

    seconds: Mapping[str, float]
    messages: Mapping[str, tuple[str, ...]]
    passes: Mapping[str, int]


class Scene:
    """One API server, one S3 server, one operator, and a public place for each case; use it in a `with` statement.

    Without the right to have a resolv.conf of its own for the operator, the cases with names of their own are left out.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._with_names = resolvconf.possible()
        self.cases = [case for case in CASES.values() if self._possible(case)]

    def __enter__(self) -> Self:
        """Start everything, and wait until every issuer is served well."""
        with ExitStack() as stack:
            self.stage = stack.enter_context(Stage(self._folder, servers=1))
            certificates = Certificates(self._folder / "gallery")
            nameserver = stack.enter_context(NameServer(resolvconf.PORT if self._with_names else 0))
            self.places = {}
            for case in self.cases:
                place = Place(case.name, certificates, nameserver, host=case.hostname, max_age_s=MAX_AGE_S)
                place.source = _published(self.stage, case.name)
                self.places[case.name] = stack.enter_context(place)
            self._watch = self._started(stack, certificates)
            self._all_served()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self._stack.__exit__(kind, value, trace)

    def break_all(self) -> Seen:
        """Break every issuer in its way, and wait until the status of each names the fault and nothing else."""
        began, done = {}, {}
        for case in self.cases:
            place = self.places[case.name]
            began[case.name] = time.monotonic()
            case.fault(place)
            if place.settings:
                self._set(case.name, place.settings)
            done[case.name] = time.time()
        seconds = self._seen(began, lambda case, status: shown(status) == expected(case))
        return self._counted(seconds, done, {case.name: frozenset(case.reasons) for case in self.cases})

    def heal_all(self) -> Seen:
        """Take every fault away, and wait until no status names one."""
        began, done = {}, {}
        for name, place in self.places.items():
            changed = dict.fromkeys(place.settings)
            began[name] = time.monotonic()
            place.heal()
            if changed:
                self._set(name, {**_PROBE, "relyingParties": ["Kubernetes"]})
            done[name] = time.time()
        return self._counted(self._seen(began, _is_well), done, dict.fromkeys(done, frozenset()), least=1)

    def pass_ends(self) -> list[PassEnd]:
        """Return the passes that the operator has ended so far."""
        return list(pass_ends(self.stage.operator.log()))

    def _possible(self, case: Case) -> bool:
        return (self._with_names or case.hostname == "localhost") and (has_ipv6() or not case.needs_ipv6)

    def _started(self, stack: ExitStack, certificates: Certificates) -> Watch:
        stage = self.stage
        stage.apply_crd()
        pems = {f"{key.kind}.pub": key.public_pem.decode() for key in keys()}
        listed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gallery", "namespace": "default"}}
        objects = [{**listed, "data": pems}, *(self._issuer(case, certificates) for case in self.cases)]
        stage.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
        watch = stack.enter_context(Watch(stage.cluster))  # a moment after the CRD a watch may be refused with 429
        stage.operator = stage.make_operator("--log-level=debug")  # at rest a pass has a line at this level
        if self._with_names:
            stage.operator.process.argv = [str(part) for part in resolvconf.command(*stage.operator.process.argv)]
        stage.operator.start()
        return watch

    def _issuer(self, case: Case, certificates: Certificates) -> Object:
        probe = {**_PROBE, "timeout": f"{case.timeout_s:g}s", "certificateAuthority": certificates.trusted_pem}
        return self.stage.issuer(
            case.name,
            issuerURL=self.places[case.name].issuer,
            interval=f"{INTERVAL_S}s",
            cacheMaxAge=f"{MAX_AGE_S}s",
            keySources=[{"name": "keys", "configMap": {"namespace": "default", "name": "gallery"}}],
            store={"s3": self.stage.s3_spec(prefix=case.name, endpointURL=self.stage.s3.endpoint_url)},
            probe=probe,
        )

    def _all_served(self) -> None:
        """Wait until the issuers are well, and no cache may have an older copy any more."""
        began = dict.fromkeys(self.places, time.monotonic())
        self._seen(began, _is_well)
        time.sleep(MAX_AGE_S + 1)  # what is older than that is a stale copy, and no news on its way

    def _set(self, name: str, probe: Object) -> None:
        spec = {"spec": {"probe": probe}}
        self.stage.cluster.patch("oidc-publisher.io/v1alpha1", "OIDCIssuer", name, spec)

    def _counted(
        self,
        seconds: Mapping[str, float],
        done: Mapping[str, float],
        reasons: Mapping[str, frozenset[str]],
        *,
        least: int = 2,
    ) -> Seen:
        """Count the passes of each case, once at least two have ended: only the second began after the change."""
        end = time.monotonic() + _DEADLINE_S
        while True:
            ends = self.pass_ends()  # before the statuses: the line of a pass comes after the status that it wrote
            later = {name: [e.reasons for e in ends if e.issuer == name and e.at > at] for name, at in done.items()}
            missing = [name for name, seen in later.items() if len(seen) < least or reasons[name] not in seen]
            if not missing:
                break
            assert time.monotonic() < end, f"no such pass in the log: {missing}"
            time.sleep(0.2)
        statuses = {event.object["metadata"]["name"]: event.object["status"] for event in self._watch.events()}
        messages = {name: tuple(_messages(statuses[name])) for name in done}
        return Seen(seconds, messages, {name: later[name].index(reasons[name]) + 1 for name in done})

    def _seen(self, began: Mapping[str, float], holds: Callable[[Case, Object], bool]) -> dict[str, float]:
        """Wait until something holds for every case, and say after how long; what was so before `began` does not count."""
        seconds: dict[str, float] = {}
        end = time.monotonic() + _DEADLINE_S
        latest: dict[str, Object] = {}
        while len(seconds) < len(began):
            for event in self._watch.events():
                name, status = event.object["metadata"]["name"], event.object.get("status") or {}
                latest[name] = status
                if name in began and name not in seconds and event.at >= began[name] and holds(CASES[name], status):
                    seconds[name] = event.at - began[name]
            if time.monotonic() > end:
                raise AssertionError(self._missing(began, seconds, latest))
            time.sleep(0.2)
        return seconds

    def _missing(self, began: Mapping[str, float], seconds: Mapping[str, float], latest: Mapping[str, Object]) -> str:
        lines = [
            f"{name}: {shown(latest.get(name, {}))}, expected {expected(CASES[name])}, {list(_messages(latest.get(name, {})))}"
            for name in began
            if name not in seconds
        ]
        return "\n".join([f"not within {_DEADLINE_S} s:", *lines, self.stage.operator.log()[-1500:]])


_PROBE: Object = {"allowPrivateAddress": True, "relyingParties": ["Kubernetes"]}


def expected(case: Case) -> tuple[str, str, frozenset[str]]:
    """Return status and reason of Served, and the reasons of all findings about it."""
    reason = "Succeeded" if case.verdict is Verdict.WARNED else case.reason.value
    return _STATUS[case.verdict], reason, frozenset(case.reasons)


def shown(status: Object) -> tuple[str, str, frozenset[str]]:
    """Return the same of a status."""
    served: Object = next((c for c in status.get("conditions", []) if c["type"] == "Served"), {})
    return served.get("status", ""), served.get("reason", ""), frozenset(f["reason"] for f in _of_served(status))


def _is_well(case: Case, status: Object) -> bool:
    del case
    return shown(status) == ("True", "Succeeded", frozenset())


def _of_served(status: Object) -> Iterator[Object]:
    for finding in status.get("findings", []):
        if CATALOGUE[Reason(finding["reason"])].condition is ConditionType.SERVED:
            yield finding


def _messages(status: Object) -> Iterator[str]:
    return (str(finding["message"]) for finding in _of_served(status))


def _published(stage: Stage, prefix: str) -> Source:
    """Read both documents from the disk of the S3 server, as they were written through its API."""
    folder = stage.s3.folder / "data" / BUCKET / prefix

    def source() -> tuple[bytes | None, bytes | None]:
        discovery, key_set = (folder / path for path in (DISCOVERY, JWKS))
        return tuple(file.read_bytes() if file.is_file() else None for file in (discovery, key_set))  # type: ignore[return-value]

    return source
