"""Which version signs (S6 to S9): only what every issuer's fresh status calls safe, and what the ring says first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from oidc_publisher.signer.ring import IssuerView, Ring, RingIntent, Sight, choose
from tests.support.rings import HOUR, NOW, issuer, key_id, ring_key, ring_of, sight

MINUTE = timedelta(minutes=1)
OLD, NEW = ring_key(1, signed=NOW - HOUR), ring_key(2)
RING = ring_of(NEW, OLD)
#: The ring once the new version may sign.
MARKED = ring_of(ring_key(2, signed=NOW), OLD)
SAFE = issuer(1, 2, signing=(1,))


def signs(ring: Ring, seen: Sight) -> int | None:
    """The number that is signed with."""
    chosen = choose(ring, seen).sign
    return None if chosen is None else chosen.number


def marked(seen: Sight) -> list[int]:
    """The versions that the ring wants marked, of a ring whose second version waits."""
    return [key.number for key in choose(RING, seen).ring.keys if key.signed_time]


def test_the_ring_says_so_before_the_first_signature() -> None:
    """S9: an allowed version is marked in one look, and signs in the next one, when the write has succeeded."""
    seen = sight(SAFE, signs=1)
    assert (signs(RING, seen), marked(seen)) == (1, [2, 1])
    assert signs(choose(RING, seen).ring, seen) == 2


@pytest.mark.parametrize(
    ("issuers", "waiting_for"),
    [
        ((issuer(1, signing=(1,)),), "OIDCIssuer prod has not seen it yet"),
        ((issuer(1, lists=(2,)),), "OIDCIssuer prod does not call it safe to sign with yet"),
        ((issuer(1, 2, unlisted={2: ("10.0.0.12:6443",)}),), "10.0.0.12:6443 does not list it (OIDCIssuer prod)"),
        ((SAFE, issuer(1, name="dev")), "OIDCIssuer dev has not seen it yet"),
        ((SAFE, issuer(1, 2, name="dev", trouble="is suspended")), "OIDCIssuer dev is suspended"),
        (
            (issuer(1, 2, proven=NOW - 8 * MINUTE - timedelta(seconds=1)),),
            "OIDCIssuer prod was last proven at 2025-12-31T23:51:59Z, which is too long ago",
        ),
        (
            (issuer(1, 2, proven=NOW + 6 * MINUTE),),
            "OIDCIssuer prod was proven at a time that lies ahead: a clock is wrong",
        ),
        ((IssuerView("prod"),), "OIDCIssuer prod was never proven"),
        ((), "no OIDCIssuer reads the keys of this cluster's API servers"),
    ],
)
def test_a_version_waits_for_every_issuer(issuers: tuple[IssuerView, ...], waiting_for: str) -> None:
    """S6: nothing is marked, a marked version is not taken either, and the sentence says for whom it waits."""
    seen = sight(*issuers, signs=1)
    assert marked(seen) == [1]
    assert (signs(RING, seen), signs(MARKED, seen)) == (1, 1)
    assert choose(RING, seen).waiting_for == f"version 2: {waiting_for}"


def test_the_forecast_is_said_and_is_no_permission() -> None:
    """The status of the ring says until when people have to wait; the time alone allows nothing."""
    waiting = issuer(1, lists=(2,), signing=(1,))
    expecting = replace(waiting, keys=tuple(replace(key, expected="2025-12-31T23:00:00Z") for key in waiting.keys))
    seen = sight(expecting, signs=1)
    assert marked(seen) == [1]
    said = "OIDCIssuer prod does not call it safe to sign with before 2025-12-31T23:00:00Z"
    assert choose(RING, seen).waiting_for == f"version 2: {said}"


def test_a_proof_counts_for_five_minutes_and_three_intervals() -> None:
    """S6: because the operator writes the time of a proof at most once in five minutes."""
    assert marked(sight(issuer(1, 2, proven=NOW - 8 * MINUTE), signs=1)) == [2, 1]


@pytest.mark.parametrize("intent", [None, RingIntent(suspend=True)])
def test_a_suspended_ring_and_one_without_intent_switch_nothing(intent: RingIntent | None) -> None:
    """Signing goes on."""
    seen = sight(SAFE, signs=1, intent=intent)
    assert (marked(seen), signs(RING, seen), signs(MARKED, seen)) == ([1], 1, 1)


def test_nobody_goes_back() -> None:
    """S7: not to an older version that is allowed while the present one is not."""
    seen = sight(issuer(1, signing=(1, 2)), signs=2)
    assert signs(MARKED, seen) == 2


def test_each_signer_switches_by_what_it_sees_itself() -> None:
    """S7: that another one signs with the new version already is no permission."""
    assert signs(MARKED, sight(issuer(1, 2, unlisted={2: ("10.0.0.12:6443",)}), signs=1)) == 1


def test_the_newest_of_several_allowed_versions_signs() -> None:
    """S7: numbers are compared as numbers."""
    ring = ring_of(*(ring_key(number, signed=NOW) for number in (8, 9, 10, 11)))
    assert signs(ring, sight(issuer(8, 9, 10), signs=8)) == 10


def test_who_never_signed_takes_what_others_sign_with() -> None:
    """S8: a joining node signs at once, without any issuer."""
    assert signs(MARKED, sight()) == 2
    assert signs(RING, sight(SAFE)) == 1


def test_who_signed_with_what_only_verifies_now_takes_the_newest_that_signed() -> None:
    """S8: a disk of weeks ago comes back."""
    ring = ring_of(ring_key(3), ring_key(2, signed=NOW), ring_key(1, signed=NOW - HOUR, verify_only=NOW))
    assert signs(ring, sight(signs=1)) == 2


def test_a_ring_of_one_version_begins_to_sign_without_permission() -> None:
    """S8, founding: the cluster signs with that key already. Even this is written first."""
    ring = ring_of(ring_key(1, imported=True))
    choice = choose(ring, sight(intent=None))
    assert choice.sign is None
    assert choice.ring.keys[0].signed_time == NOW
    assert signs(choice.ring, sight(intent=None)) == 1


def test_two_versions_of_which_none_signed_are_for_a_person() -> None:
    """No rule tells which of them the world knows."""
    choice = choose(ring_of(ring_key(1), ring_key(2)), sight(intent=None))
    assert (choice.sign, choice.ring) == (None, ring_of(ring_key(1), ring_key(2)))


def test_what_lost_its_private_half_does_not_sign() -> None:
    """The versions that can sign are taken instead."""
    lost = ring_of(replace(ring_key(2, signed=NOW), private=None), OLD)
    assert signs(lost, sight(SAFE, signs=2)) == 1


def test_key_ids_of_the_choice_are_listed_newest_first() -> None:
    """S12: what FetchKeys answers, those that only verify included."""
    ring = ring_of(ring_key(1, signed=NOW, verify_only=NOW), ring_key(10, signed=NOW), ring_key(9, signed=NOW))
    listed = choose(ring, sight()).listed
    assert [(key.key_id, key.verify_only) for key in listed] == [
        (key_id(10), False),
        (key_id(9), False),
        (key_id(1), True),
    ]
