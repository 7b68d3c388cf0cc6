"""Documents are remembered by their bytes, and no more bytes than were allowed."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from oidc_publisher.keys.remembering import Remembered, forget_unused


def test_what_was_read_is_not_read_again_however_many_others_there_are() -> None:
    """The former cache of 128 documents never hit above 128 issuers, each of whom comes back after all others."""
    read = list[bytes]()
    remembered = Remembered[bytes, int](lambda data: read.append(data) or len(data))  # type: ignore[func-returns-value]
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
    remembered = Remembered[bytes, int](int)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            remembered(b"no number")


def test_threads_may_share_it() -> None:
    """Passes over many keys read in threads: nothing is lost, raised or kept beyond the limit."""
    remembered = Remembered[bytes, int](len, limit=64)
    documents = [b"x" * number for number in range(1, 33)]

    def work(seed: int) -> bool:
        chosen = random.Random(seed)  # noqa: S311 - no secret
        return all(remembered(data) == len(data) for data in chosen.choices(documents, k=20_000))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(4)))
    assert sum(map(len, (*remembered._former, *remembered._recent))) <= 64 + 4 * 32


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    """An issuer that is gone would stay until thousands of others have come; one that rests is asked for at each interval."""
    read = list[bytes]()
    remembered = Remembered(read.append)
    remembered(b"is gone")
    for _ in range(5):
        remembered(b"rests")
        forget_unused()
    assert len(remembered) == 1
    remembered(b"rests")
    assert read == [b"is gone", b"rests"]
    remembered(b"is gone")
    assert read == [b"is gone", b"rests", b"is gone"]


def test_the_limit_holds_whatever_was_forgotten_in_between() -> None:
    """Both what was asked for lately and what was not count."""
    remembered = Remembered(bytes.upper, limit=100)
    for number in range(200):
        remembered(b"%010d" % number)
        if number % 7 == 0:
            forget_unused()
        assert 10 * len(remembered) <= 100
    assert remembered(b"%010d" % 199) == b"0000000199"


def test_something_else_than_bytes_is_counted_by_its_own_size() -> None:
    """A public key, for example."""
    read = list[int]()
    remembered = Remembered(read.append, limit=30, size=lambda number: number)
    for number in (10, 11, 12, 10):
        remembered(number)
    assert read == [10, 11, 12, 10]
