"""What a relying party would answer, in the words of the known texts, so that `explain` knows what `verify` says."""

from __future__ import annotations

import pytest

from oidc_publisher.api import RelyingParty
from oidc_publisher.relyingparties.ownwords import Refusal, own_words
from oidc_publisher.relyingparties.texts import explained

VALUES = {
    "issuer": "https://oidc.example.com/prod",
    "issued": "1767225600",
    "audience": "sts.amazonaws.com",
    "key_id": "NrhQTA0Wd0m5qqhGpjBqH3Jjh4oKzCoHaZXsV8EpFLs",
}
PARTIES = [party for party in RelyingParty if party is not RelyingParty.KUBERNETES]


@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("refusal", Refusal)
def test_what_verify_says_is_explained(party: RelyingParty, refusal: Refusal) -> None:
    """By exactly one known text, which is about that party, and nothing is left to be filled in."""
    words = own_words(party, refusal, **VALUES)
    if words:
        (found,) = explained(words).found
        assert found.verify_for in ("", party.value.lower())
        assert "{" not in words


def test_an_expired_token_and_an_absent_key_have_words_everywhere() -> None:
    """Where AWS and Entra have a sentence; Google says nothing of a key that is known."""
    assert own_words(RelyingParty.AWS, Refusal.EXPIRED, **VALUES).startswith("ExpiredTokenException: Token expired: ")
    absent = own_words(RelyingParty.AZURE, Refusal.NO_KEY, **VALUES)
    assert absent.startswith("AADSTS7000272: The certificate with identifier 36B8504C0D16")
    assert explained(absent).facts.key_id == VALUES["key_id"]
    assert own_words(RelyingParty.GCP, Refusal.NO_KEY, **VALUES) == ""


def test_kubernetes_says_one_word() -> None:
    """Whoever presents a token learns no more."""
    assert {own_words(RelyingParty.KUBERNETES, refusal, **VALUES) for refusal in Refusal} == {"Unauthorized"}
