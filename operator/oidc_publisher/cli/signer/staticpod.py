"""Read the manifest of a kube-apiserver as kubeadm writes it, and judge its flags before a signer is put in place. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, Self

import yaml

from oidc_publisher.cli.check.lines import CheckResult, Line

SIGNS_BY_FILE = "service-account-signing-key-file"
VERIFIES_BY_FILE = "service-account-key-file"
SIGNS_BY_SIGNER = "service-account-signing-endpoint"
_MOST = "service-account-max-token-expiration"
_GATE = "ExternalServiceAccountTokenSigner=false"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|m(?!s)|s)")
_UNITS = {"h": 3600, "m": 60, "s": 1}
_PATCHES = (
    "With kubeadm, run `kubeadm upgrade` with --patches, or edit the manifest: kube-apiserver signs through the signer only "
    "where both key files are gone from its flags."
)


class ManifestError(ValueError):
    """The text is no manifest of a kube-apiserver."""


@dataclass(frozen=True, slots=True)
class StaticPod:
    """A StaticPod holds the flags of a kube-apiserver, each with its values, and its mounts as (path in the pod, host's path)."""

    flags: Mapping[str, tuple[str, ...]]
    mounts: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a manifest; raises ManifestError."""
        try:
            spec = yaml.safe_load(text)["spec"]
            container = next(each for each in spec["containers"] if "kube-apiserver" in _argv(each)[:1])
            return cls(_flags(_argv(container)[1:]), tuple(_mounts(spec, container)))
        except (yaml.YAMLError, KeyError, TypeError, StopIteration):
            raise ManifestError("has no container whose command is kube-apiserver") from None

    def value(self, flag: str) -> str:
        """Return the last value of a flag, which is the one that counts, empty where it is absent."""
        return next(reversed(self.flags.get(flag, ("",))))

    def on_host(self, path: str) -> str:
        """Return the path on the node of a path in the pod, empty where nothing of the node is mounted there."""
        inside = PurePosixPath(path)
        for mounted, host in sorted(self.mounts, key=lambda mount: len(mount[0]), reverse=True):
            if inside.is_relative_to(mounted):
                return str(PurePosixPath(host) / inside.relative_to(mounted))
        return ""


def _argv(container: Mapping[str, Any]) -> list[str]:
    return [str(word) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]


def _flags(words: list[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("-"):
            name, given, value = word.lstrip("-").partition("=")
            found[name] = (*found.get(name, ()), value if given or following.startswith("-") else following)
    return found


def _mounts(spec: Mapping[str, Any], container: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    hosts = {each["name"]: each["hostPath"]["path"] for each in spec.get("volumes") or () if "hostPath" in each}
    for mount in container.get("volumeMounts") or ():
        if mount["name"] in hosts:
            yield mount["mountPath"], str(PurePosixPath(hosts[mount["name"]]) / mount.get("subPath", ""))


def endpoint_lines(pod: StaticPod, socket: str) -> Iterator[Line]:
    """Judge the flag of the signer's socket, where the manifest has it."""
    endpoint, check = pod.value(SIGNS_BY_SIGNER), f"--{SIGNS_BY_SIGNER}"
    if not endpoint:
        if SIGNS_BY_FILE not in pod.flags:
            yield Line(CheckResult.NO, check, f"is absent, and so is --{SIGNS_BY_FILE}", _PATCHES)
        return
    files = [f"--{flag}" for flag in (SIGNS_BY_FILE, VERIFIES_BY_FILE) if flag in pod.flags]
    if files:
        found = f"stands beside {' and '.join(files)}: kube-apiserver does not start"
        yield Line(CheckResult.NO, check, found, _PATCHES)
    elif endpoint.startswith("unix:"):
        found = f"is {endpoint}: kube-apiserver waits a minute for it, and ends"
        yield Line(CheckResult.NO, check, found, "Give the path alone, without unix://.")
    elif endpoint.startswith("@"):
        found = f"is {endpoint}, which every pod of the node's network may open and have tokens signed"
        yield Line(CheckResult.NO, check, found, "Give the path of a file.")
    elif not pod.on_host(endpoint):
        found = f"is {endpoint}, and nothing of the node is mounted there"
        yield Line(CheckResult.NO, check, found, "Mount the folder of the socket into the pod, not the socket itself.")
    elif pod.on_host(endpoint) != socket:
        found = f"is {pod.on_host(endpoint)} of this node, and the signer that was asked has {socket}"
        yield Line(CheckResult.NO, check, found, "Start the signer with that --socket, or correct the manifest.")
    else:
        yield Line(CheckResult.YES, check, "is the signer's socket")
    if _GATE in ",".join(pod.flags.get("feature-gates", ())):
        yield Line(CheckResult.NO, "--feature-gates", f"has {_GATE}", "Take it away.")


def lifetime_lines(pod: StaticPod, most: timedelta) -> Iterator[Line]:
    """Judge the longest lifetime of a token that the API server allows against the one that the signer declares."""
    text, check = pod.value(_MOST), f"--{_MOST}"
    if not text:
        return
    given = _duration(text)
    if given is None:
        yield Line(CheckResult.WARNING, check, f"is {text}, which cannot be read as a duration")
    elif given > most:
        advice = "Start the signer with a longer --max-token-lifetime, or lower the flag."
        found = f"is {text}, and the signer declares {_hours(most)}: kube-apiserver does not start"
        yield Line(CheckResult.NO, check, found, advice)
    else:
        yield Line(CheckResult.YES, check, f"is {text}, and the signer declares {_hours(most)}")


def _duration(text: str) -> timedelta | None:
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        return None
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def _hours(time: timedelta) -> str:
    return f"{time.total_seconds() / 3600:g}h"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A KeyFile is what a file of the manifest has: key IDs, or the `trouble` of reading it."""

    flag: str
    path: str
    key_ids: tuple[str, ...] = ()
    trouble: str = ""


def key_file_line(file: KeyFile, signing: str, listed: frozenset[str]) -> Line:
    """Judge a key file of an API server that is not moved yet, or is back at it.

    The key that it signs with has to be the signer's, so that the move changes nothing that anybody sees. Keys that it
    only verifies with have to be listed by the signer, or their tokens are refused after the move.
    """
    check = f"--{file.flag} {file.path}"
    if file.trouble:
        return Line(CheckResult.NO_ANSWER, check, file.trouble, "Run the check as root on the node.")
    if file.flag == SIGNS_BY_FILE:
        (key_id,) = file.key_ids
        if key_id == signing:
            return Line(CheckResult.YES, check, "has the key that the signer signs with: a move changes no key ID")
        return Line(CheckResult.NO, check, f"has key {key_id}, and the signer signs with {signing}", _PATCHES)
    missing = [key_id for key_id in file.key_ids if key_id not in listed]
    if missing:
        found = f"has {', '.join(missing)}, which the signer does not list: a move has its tokens refused"
        advice = "Wait until every token of that key has expired, then take the flag away."
        return Line(CheckResult.NO, check, found, advice)
    return Line(CheckResult.YES, check, "has keys that the signer lists")
