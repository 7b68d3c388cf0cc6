"""Pass capabilities(7) of this process over its user namespace on to programs that it starts, or drop all of them."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import Final

# linux/capability.h
NET_ADMIN: Final = 12
SYS_ADMIN: Final = 21
_VERSION_3 = 0x20080522
_ALL = 0xFFFF_FFFF_FFFF_FFFF
# linux/prctl.h
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2

_LIBC = ctypes.CDLL(None, use_errno=True)


def hand_down(*capabilities: int) -> None:
    """Let programs that this process starts have these, which it has itself.

    An ordinary user's program loses every capability at exec(2) but the ambient ones. Raises OSError.
    """
    effective, permitted, inheritable = _get()
    for number in capabilities:
        inheritable |= 1 << number
    _set(effective, permitted, inheritable)
    for number in capabilities:
        _checked(_LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0))


def drop_all() -> None:
    """Give up every capability of this thread, and of all that it starts from now on. Raises OSError."""
    _set(0, 0, 0)  # an ambient capability that is no longer permitted goes with it


def _get() -> tuple[int, int, int]:
    """Effective, permitted and inheritable."""
    data = ctypes.create_string_buffer(24)
    _checked(_LIBC.capget(_header(), data))
    words = struct.unpack("6I", data.raw)
    effective, permitted, inheritable = (low | high << 32 for low, high in zip(words[:3], words[3:], strict=True))
    return effective, permitted, inheritable


def _set(effective: int, permitted: int, inheritable: int) -> None:
    _checked(_LIBC.capset(_header(), struct.pack("6I", *_words((effective, permitted, inheritable)))))


def _words(masks: Iterable[int]) -> list[int]:
    chosen = [mask & _ALL for mask in masks]
    return [mask & 0xFFFF_FFFF for mask in chosen] + [mask >> 32 for mask in chosen]


def _header() -> bytes:
    return struct.pack("Ii", _VERSION_3, 0)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
