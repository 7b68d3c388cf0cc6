"""The catalogue holds an entry for each reason, and a reason for everything that can be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oidc_publisher.findings.catalogue.entry import CONDITION_ORDER, ConditionType, Entry, Severity
from oidc_publisher.findings.catalogue.events import EVENTS
from oidc_publisher.findings.catalogue.managed import MANAGED
from oidc_publisher.findings.catalogue.plan import PLAN
from oidc_publisher.findings.catalogue.prove import PROVE
from oidc_publisher.findings.catalogue.publish import PUBLISH
from oidc_publisher.findings.catalogue.read import READ
from oidc_publisher.findings.catalogue.reasons import Reason
from oidc_publisher.findings.catalogue.report import REPORT

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CATALOGUE", "CONDITION_ORDER", "ConditionType", "Entry", "Reason", "Severity"]

CATALOGUE: Mapping[Reason, Entry] = {**READ, **PLAN, **PUBLISH, **PROVE, **REPORT, **MANAGED, **EVENTS}
