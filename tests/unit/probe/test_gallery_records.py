"""What was recorded of the gallery is about its present cases, and every difference is explained."""

from __future__ import annotations

from oidc_publisher.findings import Reason
from tests.gallery.case import Verdict
from tests.gallery.cases import CASES
from tests.gallery.judges import recorded
from tests.gallery.judges.differences import differences, explanations

JUDGES = {"PyJWT", "joserfc", "go-oidc", "jose", "kube-apiserver"}


def test_every_case_was_shown_to_every_judge() -> None:
    """`make gallery` asks them all; who adds a case runs it."""
    records = recorded.read()
    assert set(records.versions) == JUDGES
    assert set(records.cases) == set(CASES)
    assert all(set(record.judges) == JUDGES for record in records.cases.values())
    assert all(said.accepts != bool(said.says) for record in records.cases.values() for said in record.judges.values())


def test_every_difference_is_explained_and_no_other_one() -> None:
    """Where we refuse and they accept, and the reverse."""
    found, (refused, accepted) = differences(recorded.read()), explanations()
    assert set(refused) == found.we_refuse
    assert set(accepted) == found.we_accept


def test_nobody_refuses_what_the_probe_accepts() -> None:
    """A yes of ours that one relying party does not share would be false, unless its warning names who refuses."""
    found = differences(recorded.read()).we_accept
    assert {CASES[name].reason for name in found} <= {Reason.RelyingPartyRuleBroken}


def test_the_judges_see_the_faults() -> None:
    """Most issuers that we refuse are refused by one of them at least; those that all accept have special reasons."""
    records = recorded.read().cases
    alone = {
        name
        for name, case in CASES.items()
        if case.verdict is Verdict.REFUSED and all(said.accepts for said in records[name].judges.values())
    }
    assert len(alone) < len(CASES) / 6
