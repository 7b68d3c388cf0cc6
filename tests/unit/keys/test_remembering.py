"""Documents are remembered by their bytes, and no more bytes than were allowed."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from oidc_publisher.keys.remembering import Remembered


def test_what_was_read_is_not_read_again_however_many_others_there_are() -> None:
    """The former cache of 128 documents never hit above 128 issuers, each of whom comes back after all others."""
    read = list[bytes]()
    remembered = Remembered(lambda data: read.append(data) or len(data))  # type: ignore[func-returns-value]
    documents = [b"%04d" % number for number in range(2000)]
    for _ in range(3):
        assert [remembered(data) for data in documents] == [4] * 2000
    assert read == documents


def test_the_oldest_goes_when_there_is_no_room() -> None:
    """Counted in bytes; one that is larger than everything is not kept at all."""
    read = list[bytes]()
    remembered = Remembered(read.append, limit=10)
    for data in (b"aaaa", b"bbbb", b"aaaa", b"cccc", b"aaaa", b"bbbb", b"x" * 11, b"x" * 11):
        remembered(data)
    assert read == [b"aaaa", b"bbbb", b"cccc", b"bbbb", b"x" * 11, b"x" * 11]


def test_an_error_is_raised_each_time() -> None:
    """Nothing is remembered of it."""
    remembered = Remembered(int)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            remembered(b"no number")


def test_threads_may_share_it() -> None:
    """Passes over many keys read in threads: nothing is lost, raised or kept beyond the limit."""
    remembered = Remembered(len, limit=64)
    documents = [b"x" * number for number in range(1, 33)]

    def work(seed: int) -> bool:
        chosen = random.Random(seed)  # noqa: S311 - no secret
        return all(remembered(data) == len(data) for data in chosen.choices(documents, k=20_000))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))
    assert sum(map(len, remembered._known)) <= 64 + 4 * 32
