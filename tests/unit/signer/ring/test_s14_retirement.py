"""Which versions only verify, which are forgotten, and which are withdrawn (S14 to S17)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from oidc_publisher.signer.ring import Choice, IssuerView, Make, Memory, Ring, RingIntent, Sight, Tombstone, choose
from tests.support.rings import HOUR, NOW, issuer, key_id, ring_key, ring_of, sight

MINUTE = timedelta(minutes=1)
RING = ring_of(ring_key(2, signed=NOW - HOUR), ring_key(1, signed=NOW - 9 * HOUR))
MOVED = issuer(1, 2, signing=(2,))


def looks(ring: Ring, *sights: Sight) -> Choice:
    """Look several times in a row with one memory, writing what each look wants."""
    choice = choose(ring, sights[0])
    for seen in sights[1:]:
        choice = choose(choice.ring, replace(seen, memory=choice.memory))
    return choice


def verifying(choice: Choice) -> list[int]:
    """The versions that only verify."""
    return [key.number for key in choice.ring.keys if key.verify_only]


def at(minutes: float, *issuers: IssuerView, **members: Any) -> Sight:
    """What is seen some minutes later, by default after the API servers have moved to version 2, and proven then."""
    now = NOW + minutes * MINUTE
    seen = issuers or (replace(MOVED, proven_time=now),)
    return sight(*seen, signs=members.pop("signs", 2), now=now, **members)


def test_a_key_that_nobody_signs_with_for_two_intervals_only_verifies() -> None:
    """S14: one write excludes it and destroys its private half."""
    assert verifying(looks(RING, at(0), at(1.9))) == []
    choice = looks(RING, at(0), at(1), at(2))
    old = choice.ring.get(key_id(1))
    assert old is not None
    assert (old.private, old.verify_only_time) == (None, NOW + 2 * MINUTE)
    assert verifying(choice) == [1]


@pytest.mark.parametrize(
    "between",
    [
        at(1, issuer(1, 2, signing=(1, 2))),
        at(1, MOVED, issuer(1, 2, name="dev", signing=(1,))),
        at(1, issuer(1, 2, signing=(2,), trouble="is not Ready (APIServerUnreachable)")),
        at(1, issuer(1, 2)),
        at(1, MOVED, signs=1),
    ],
    ids=["still-signs", "signs-for-another", "endpoint-missing", "nobody-minted", "signs-here"],
)
def test_one_look_in_between_begins_the_wait_anew(between: Sight) -> None:
    """S14: an API server that signs with it, or one that did not answer."""
    assert verifying(looks(RING, at(0), between, at(2))) == []
    assert verifying(looks(RING, at(0), between, at(2), at(4))) == [1]


def test_what_was_proven_before_the_signer_began_is_no_evidence() -> None:
    """S14: a status that was restored with etcd looks fresh for minutes."""
    early = {"evidence_since": NOW + MINUTE}
    assert verifying(looks(RING, at(0, MOVED, **early), at(3, MOVED, **early))) == []
    assert verifying(looks(RING, at(2, **early), at(4, **early))) == [1]


def test_the_newest_that_signed_is_never_excluded() -> None:
    """Also if nobody is seen signing with it: FetchKeys needs one that is not excluded."""
    assert verifying(
        looks(RING, at(0, issuer(1, 2, signing=(9,)), signs=9), at(5, issuer(1, 2, signing=(9,)), signs=9))
    ) == [1]


def test_a_suspended_ring_destroys_nothing() -> None:
    """Nor one whose intent cannot be read."""
    for intent in (None, RingIntent(suspend=True)):
        assert verifying(looks(RING, at(0, intent=intent), at(5, intent=intent))) == []


EXCLUDED = ring_of(ring_key(2, signed=NOW - HOUR), ring_key(1, signed=NOW - 9 * HOUR, verify_only=NOW - 24 * HOUR))
FORGOTTEN = issuer(2, signing=(2,))


def later(minutes: float, **members: Any) -> Sight:
    """What is seen when no ledger holds version 1 any more."""
    now = NOW + minutes * MINUTE
    return at(minutes, replace(FORGOTTEN, proven_time=now), **members)


def test_a_key_that_two_proofs_do_not_know_is_forgotten() -> None:
    """S15: a tombstone is left of it, and its number is never used again."""
    assert looks(EXCLUDED, later(0), later(0)).ring == EXCLUDED
    choice = looks(EXCLUDED, later(0), later(5))
    assert choice.ring.tombstones == (Tombstone(1, key_id(1)),)
    assert [key.number for key in choice.ring.keys] == [2]


@pytest.mark.parametrize(
    "between",
    [at(3, issuer(2, lists=(1,), signing=(2,))), at(3, FORGOTTEN, issuer(2, lists=(1,), name="dev", signing=(2,)))],
)
def test_a_ledger_that_holds_it_keeps_it(between: Sight) -> None:
    """S15: tokens of the key may live as long as any ledger holds it."""
    assert looks(EXCLUDED, later(0), between).ring == EXCLUDED
    assert looks(EXCLUDED, later(0), between, later(5)).ring == EXCLUDED


def test_a_ledger_that_never_held_it_says_nothing() -> None:
    """An OIDCIssuer that was made after the key was excluded lacks it from the beginning, and tokens live."""
    young = ring_of(ring_key(2, signed=NOW - HOUR), ring_key(1, signed=NOW - 9 * HOUR, verify_only=NOW))
    assert looks(young, later(0), later(5)).ring == young
    assert looks(young, later(0), later(5), later(24 * 60)).ring.tombstones == (Tombstone(1, key_id(1)),)


def test_the_oldest_goes_first_and_one_at_a_time() -> None:
    """S15."""
    ring = ring_of(ring_key(3, signed=NOW), *(ring_key(n, signed=NOW, verify_only=NOW - 24 * HOUR) for n in (1, 2)))
    gone = issuer(3, signing=(3,))
    first = looks(ring, at(0, gone, signs=3), at(5, replace(gone, proven_time=NOW + 5 * MINUTE), signs=3))
    assert [stone.number for stone in first.ring.tombstones] == [1]


def test_an_imported_key_verifies_until_a_person_releases_it() -> None:
    """S16: token Secrets that never expire may need it. It blocks no other version."""
    imported = replace(EXCLUDED.keys[1], imported=True)
    ring = ring_of(EXCLUDED.keys[0], imported)
    assert looks(ring, later(0), later(5)).ring == ring
    for before, stones in ((1, 0), (2, 1)):
        intent = RingIntent(trim_before=before)
        assert len(looks(ring, later(0, intent=intent), later(5, intent=intent)).ring.tombstones) == stones
    second = ring_key(2, signed=NOW, verify_only=NOW - 24 * HOUR)
    ring = ring_of(ring_key(3, signed=NOW), second, imported)
    gone = issuer(3, signing=(3,))
    choice = looks(ring, at(0, gone, signs=3), at(5, replace(gone, proven_time=NOW + 5 * MINUTE), signs=3))
    assert [stone.number for stone in choice.ring.tombstones] == [2]


def test_trim_before_never_goes_past_a_key_that_lives() -> None:
    """S16: it releases imported versions, and hurries none."""
    intent = RingIntent(trim_before=99)
    assert looks(RING, at(0, intent=intent), at(1, intent=intent)).ring == RING
    listed = issuer(2, lists=(1,), signing=(2,))
    seen = [at(0, listed, intent=intent), at(5, replace(listed, proven_time=NOW + 5 * MINUTE), intent=intent)]
    assert looks(EXCLUDED, *seen).ring == EXCLUDED


def test_a_withdrawn_key_is_gone_at_once() -> None:
    """S17: from the list before anything is written, and with the next write for good; the newest that signed takes over."""
    choice = choose(RING, sight(MOVED, signs=2, withdrawn=(2,)))
    assert (choice.sign and choice.sign.number, [key.number for key in choice.listed]) == (1, [1])
    assert choice.ring.tombstones == (Tombstone(2, key_id(2), withdrawn=True),)


def test_after_a_withdrawal_an_allowed_version_is_taken_before_a_newer_one() -> None:
    """S17: else the newest that ever signed."""
    ring = ring_of(ring_key(3, signed=NOW), ring_key(2, signed=NOW), ring_key(1, signed=NOW))
    for seen, number in ((issuer(1, 2), 2), (issuer(1, 2, 3), 3), (issuer(), 3)):
        ring_after = choose(ring_of(ring_key(4, signed=NOW), *ring.keys), sight(seen, signs=4, withdrawn=(4,)))
        assert ring_after.sign is not None
        assert ring_after.sign.number == number


def test_when_all_that_signed_is_withdrawn_a_new_version_signs_at_once() -> None:
    """S17: a forged identity is worse than a refused one. Not even a suspended ring waits."""
    ring = ring_of(ring_key(1, signed=NOW, imported=True))
    seen = sight(issuer(1, signing=(1,)), signs=1, withdrawn=(1,), intent=RingIntent("ES256", suspend=True))
    choice = choose(ring, seen)
    assert (choice.sign, choice.listed, choice.make) == (None, (), Make(2, "ES256", distress=True))
    public, private = ring_key(2).key, ring_key(2).private
    assert private is not None
    marked = choose(choice.ring.with_new(public, private, at=NOW), seen)
    assert choose(marked.ring, seen).sign == marked.ring.keys[0]
    assert marked.make is None


def test_a_waiting_version_signs_when_all_that_signed_is_withdrawn() -> None:
    """S17: rather than a new one that nobody has ever seen."""
    ring = ring_of(ring_key(2), ring_key(1, signed=NOW))
    seen = sight(issuer(1, signing=(1,)), signs=1, withdrawn=(1,))
    choice = choose(ring, seen)
    assert choice.make is None
    assert choice.ring.keys[0].signed_time == NOW
    assert choose(choice.ring, seen).sign == choice.ring.keys[0]


def test_lost_private_halves_are_for_a_person() -> None:
    """No key is ever invented because others cannot be read, whatever was withdrawn years ago."""
    lost = replace(ring_key(2, signed=NOW), private=None)
    choice = choose(ring_of(lost, gone=(Tombstone(1, key_id(1), withdrawn=True),)), sight(issuer(2), signs=2))
    assert (choice.sign, choice.make) == (None, None)


def test_a_memory_is_of_the_present_versions_only() -> None:
    """It does not grow for ever."""
    memory = Memory({"other": NOW}, {"other": {"prod": NOW}})
    choice = choose(RING, replace(at(0), memory=memory))
    assert set(choice.memory.unused_since) == {key_id(1)}
    assert choice.memory.gone == {}
