"""Write this signer's part of the status of SigningKeyRing where it changed, and take away the entries of nodes that are gone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from oidc_publisher.findings import Finding, Reason
from oidc_publisher.signer.kube.kubeapi import KubeApi, KubeRequestError
from oidc_publisher.signer.kube.ringconditions import others
from oidc_publisher.signer.kube.ringreport import report_of, trouble_of
from oidc_publisher.signer.kube.sightings import write_report
from oidc_publisher.signer.ring import Choice, Sight

#: A signer that has not reported for this long is gone, and its entry with it.
GONE = timedelta(days=1)
#: A conflict is over with the look that settles it. People have this long to see it.
SHOWN = timedelta(hours=1)
log = logging.getLogger(__name__)


class RingReporter:
    """The RingReporter writes for one signer; what cannot be written is tried again with the next look."""

    def __init__(self, api: KubeApi, *, node: str, api_server: str) -> None:
        self._api = api
        self._node = node
        self._api_server = api_server
        self._reported: Mapping[str, Any] = {}
        self._conflicts: dict[Finding, datetime] = {}
        self._refusal = ""

    def report(self, choice: Choice, sight: Sight) -> None:
        """Write what the signer does, and the conditions that follow from all entries."""
        if sight.intent is None:
            return
        told = replace(choice, findings=(*self._shown(choice, sight.now), *_missing_key(choice)))
        period = sight.intent.rotation_period
        self._write(report_of(told, sight, node=self._node, api_server=self._api_server, period=period))
        self._forget_who_is_gone(sight)

    def report_trouble(self, trouble: Finding, choice: Choice | None, sight: Sight) -> None:
        """Write that the signer cannot read the ring; `choice` is what it does from its disk, None without one."""
        if sight.intent is not None:
            self._write(trouble_of(trouble, choice, sight, node=self._node, api_server=self._api_server))

    def _shown(self, choice: Choice, now: datetime) -> tuple[Finding, ...]:
        """Return the findings of a choice, and the conflicts of the last hour, which are logged once."""
        for finding in choice.findings:
            if finding.reason is Reason.VersionConflict:
                log.warning("%s", finding.sentence)
                self._conflicts[finding] = now
        self._conflicts = {finding: seen for finding, seen in self._conflicts.items() if now - seen < SHOWN}
        return tuple(dict.fromkeys((*choice.findings, *self._conflicts)))

    def _write(self, report: Mapping[str, Any]) -> None:
        if report != self._reported and self._applied(self._node, report):
            self._reported = report

    def _forget_who_is_gone(self, sight: Sight) -> None:
        """Apply nothing in the name of a signer that is gone: what nobody applies any more leaves the status."""
        for entry in others(sight, self._node):
            if entry.seen is not None and entry.silent(sight.now, GONE) and self._applied(entry.node, {}):
                log.info(
                    "The signer on node %s has not reported for a day; its entry in the status is gone.", entry.node
                )

    def _applied(self, node: str, report: Mapping[str, Any]) -> bool:
        try:
            write_report(self._api, node, report)
        except KubeRequestError as error:
            if error.message != self._refusal:  # each look tries again, and says the same only once
                log.warning("The status of SigningKeyRing was not written: %s", error.message)
            self._refusal = error.message
            return False
        self._refusal = ""
        return True


def _missing_key(choice: Choice) -> tuple[Finding, ...]:
    """Return a finding where the ring was read and nothing in it can sign."""
    if choice.sign is not None:
        return ()
    return (Finding.of(Reason.RingUnreadable, "The ring holds no private key that this signer may sign with"),)
