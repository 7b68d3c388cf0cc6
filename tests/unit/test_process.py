"""The memory of a process with many threads, and of one that has freed much."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

#: Eight threads that each hold a block of C's memory, and how many arenas malloc has then, by glibc's own report.
_COUNTED = """
import ctypes, sys, threading
from oidc_publisher.process import share_arenas

if sys.argv[1] == "shared":
    share_arenas()
libc, ready = ctypes.CDLL(None), threading.Barrier(9)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fflush.argtypes = [ctypes.c_void_p]

def work():
    libc.malloc(2000)
    ready.wait()
    ready.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
ready.wait()
out = libc.fdopen(1, b"w")
libc.malloc_info(0, out)
libc.fflush(out)
ready.wait()
"""


@pytest.mark.parametrize(("how", "fits"), [("shared", range(1, 3)), ("as usual", range(3, 100))])
def test_threads_share_two_arenas_of_malloc(how: str, fits: range) -> None:
    """What one thread has freed, another one may use: 20 MiB of 200 with a thousand issuers."""
    told = subprocess.run([sys.executable, "-c", _COUNTED, how], capture_output=True, text=True, check=True)
    arenas = re.findall(r"<heap nr=", told.stdout)
    if not arenas:
        pytest.skip("this C library has no arenas")
    assert len(arenas) in fits


#: Freed memory below a block that stays: what malloc holds of it, in MiB, before and after it is returned.
_FREED = """
import ctypes, resource
from oidc_publisher.process import return_freed

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() // 2**20

blocks = [libc.malloc(8000) for _ in range(4000)]
for block in blocks:
    ctypes.memset(ctypes.c_void_p(block), 1, 8000)
libc.malloc(8000)
for block in blocks:
    libc.free(block)
before = resident()
return_freed()
print(hasattr(libc, "malloc_trim"), before - resident())
"""


def test_freed_memory_is_returned_to_the_system() -> None:
    """30 MiB below one block that stays, as an issuer leaves them that came after others and is still there."""
    told = subprocess.run([sys.executable, "-c", _FREED], capture_output=True, text=True, check=True).stdout.split()
    if told[0] != "True":
        pytest.skip("this C library returns nothing on demand")
    assert int(told[1]) >= 25
