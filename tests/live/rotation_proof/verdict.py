"""What a run must satisfy, and the report when it did not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from tests.live.rotation_proof.chronicle import Chronicle
from tests.live.rotation_proof.publications import Publications
from tests.live.rotation_proof.rotator import Rotator
from tests.live.rotation_proof.tokens import Minting
from tests.live.rotation_proof.watch import Rejection, Watch


def rejected_tokens(watch: Watch, chronicle: Chronicle, numbers: Mapping[str, int]) -> Iterator[str]:
    """A sentence for each token that a verifier refused while it was live, with the first refusal of it."""
    refused: dict[tuple[str, str], list[Rejection]] = {}
    for rejection in sorted(watch.rejections, key=lambda r: r.at):
        refused.setdefault((rejection.verifier, rejection.token.text), []).append(rejection)
    for times in refused.values():
        first, last = times[0], times[-1]
        yield (
            f"{first.verifier} refused a token of version {numbers.get(first.token.kid)} (kid {first.token.kid}, API "
            f"server {first.token.server}, minted {chronicle.clock(first.token.minted_at)}) {len(times)} times from "
            f"{chronicle.clock(first.at)} to {chronicle.clock(last.at)}: {first.why}; published then: {first.published}; "
            f"it held: {first.held}"
        )


def out_of_order(publications: Publications, chronicle: Chronicle, numbers: Mapping[str, int]) -> Iterator[str]:
    """A sentence for each key set that was not newest first by number, or empty, or held a stranger."""
    for published in publications.all:
        versions = [numbers.get(kid, -1) for kid in published.kids]
        if not versions or -1 in versions or versions != sorted(set(versions), reverse=True):
            yield f"{chronicle.clock(published.at)}: published {publications.describe(published.kids)}"


def safe_too_early(
    publications: Publications, rotator: Rotator, chronicle: Chronicle, *, wait_s: float
) -> Iterator[str]:
    """A sentence for each key that was called safe before every cache could know it (R3), whatever verifiers did."""
    for kid, since in rotator.safe_since.items():
        shown_at = next(p.at for p in publications.all if kid in p.kids)
        if since < shown_at + wait_s:
            number = publications.describe((kid,))
            yield f"version {number} came at {chronicle.clock(shown_at)} and was safe {since - shown_at:.2f} s later"


def lost_too_early(
    publications: Publications, rotator: Rotator, minting: Minting, chronicle: Chronicle, *, live_s: float
) -> Iterator[str]:
    """A sentence for each key that left while a source named it, or while a token of it could be alive."""
    for before, after in itertools.pairwise(publications.all):
        for kid in before.kids:
            if kid in after.kids:
                continue
            unlisted_at = rotator.unlisted_at.get(kid)
            number = publications.describe((kid,))
            left = f"version {number} left at {chronicle.clock(after.began)}"
            if unlisted_at is None or after.began < unlisted_at:
                yield f"{left} while it was named"
            elif after.began < max(unlisted_at, minting.last_minted_at(kid)) + live_s:
                yield f"{left}, {after.began - unlisted_at:.2f} s after nothing named it, its tokens live {live_s:g} s"


def idle_verifiers(watch: Watch, numbers: Mapping[str, int], *, signed: Mapping[str, int]) -> Iterator[str]:
    """A sentence for each verifier that never accepted a token of a key that signed: then the run proves nothing."""
    for verifier in watch.verifiers:
        for kid in signed:
            if not watch.verified[verifier.name, kid]:
                yield f"{verifier.name} never accepted a token of version {numbers.get(kid)}"


def summary(watch: Watch, minting: Minting, publications: Publications) -> str:
    """The figures of a run."""
    counts = ", ".join(f"{v.name} {watch.verified_by(v.name)}/{watch.rejected_by(v.name)}" for v in watch.verifiers)
    return (
        f"{len(minting.tokens)} tokens minted, {len(publications.all)} key sets published; accepted/rejected: {counts}"
    )


def report(complaints: list[str], chronicle: Chronicle, figures: str) -> str:
    """The message of a failed assertion."""
    shown = complaints[:40]
    more = [f"... and {len(complaints) - len(shown)} more"] if len(complaints) > len(shown) else []
    return "\n".join([f"{len(complaints)} complaints", *shown, *more, figures, chronicle.text()])
