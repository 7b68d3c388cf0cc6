"""The tokens that a relying party of the tests reads out of a log of pods."""

from __future__ import annotations

from tests.e2e.clients import printed_tokens

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwcyJ9.c2lnbmF0dXJl"
OTHER = TOKEN + "Mg"


def test_tokens_are_told_from_the_kubelets_own_sentences() -> None:
    """A log of a container that has just gone holds them; two dots are in a file name twice."""
    log = (
        f"{TOKEN}\n"
        'failed to try resolving symlinks in path "/var/log/pods/client/0.log": lstat /var/log/pods/client/0.log: '
        "no such file or directory"
        f"\n{OTHER}\n"
    )
    assert printed_tokens(log) == [TOKEN, OTHER]


def test_a_line_that_has_no_end_yet_is_no_token() -> None:
    """Its signature may be half of one, which everybody refuses."""
    assert printed_tokens(f"{TOKEN}\n{OTHER}") == [TOKEN]
