"""Run all tests in a network namespace of their own.

An API server writes its own address into EndpointSlice `default/kubernetes`, and validation refuses a loopback address
there. In the namespace `lo` has addresses that are not loopback, any port is free, and nothing is left behind. The
process enters the namespace by unshare(2) instead of being executed again inside unshare(1), so that the arguments, the
terminal, the exit code and an attached debugger stay as they are. With `pytest -n` each worker enters a namespace of
its own.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from tests.support import capabilities

NODE_ADDRESS = "10.201.0.10"
SERVER_ADDRESSES = ("10.201.0.11", "10.201.0.12", "10.201.0.13")

_MARKER = "OIDC_PUBLISHER_TEST_NAMESPACE"
_OURS = "OIDC_PUBLISHER_TEST_USER_NAMESPACE"
_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914  # linux/sockios.h
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_IFF_UP_RUNNING = 0x1 | 0x40  # linux/if.h

_DISABLE_IPV6 = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")

# Where these are set, "system roots" and "no credentials" mean something else than in a cluster.
_MISLEADING = {
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "KUBECONFIG",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "FTP_PROXY",
}


class NamespaceImpossibleError(Exception):
    """Says why this process cannot have a network namespace of its own."""


def inside() -> bool:
    """Tell whether this process, or one that started it, has entered the namespace."""
    return _MARKER in os.environ


def prepare() -> None:
    """See to it that this process and those it starts can `enter()`, while it still has one thread.

    Root needs nothing. Anybody else needs a user namespace first, and unshare(2) refuses one to a process with threads
    (EINVAL), as pytest-xdist's workers have from the beginning. So the process that starts the workers enters it, and
    hands down the two capabilities that a network namespace takes. Everything is tried in a child process before.

    Raises:
        NamespaceImpossibleError: the kernel or a container's profile forbids it; nothing has changed then.
    """
    if inside() or _failure_of(_open_network) is None:
        return
    failure = _failure_of(_become_able, _open_network)
    if failure is not None:
        raise NamespaceImpossibleError(f"no network namespace: {failure}")
    _become_able()
    os.environ[_OURS] = "1"


def enter() -> None:
    """Move this thread, and all threads and processes it starts from now on, into a new network namespace.

    Raises:
        NamespaceImpossibleError: it is forbidden, and `prepare()` has been left out or has said so.
    """
    if inside():
        return
    try:
        _open_network()
        if os.environ.pop(_OURS, None) and os.geteuid() != 0:
            capabilities.drop_all()  # tests run with the rights of the user who runs them
    except OSError as error:
        raise NamespaceImpossibleError(f"no network namespace: {error.strerror}") from error
    os.environ[_MARKER] = str(os.getpid())


def clean_environment() -> None:
    """Remove what would redirect TLS trust, cloud credentials or requests of the processes under test."""
    for name in list(os.environ):
        if name.upper() in _MISLEADING or name.startswith("AWS_"):
            del os.environ[name]
    # Nobody answers at the address of a cloud's metadata service in here; do not wait for it.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def _open_network() -> None:
    """Enter the network namespace and make it usable. Raises OSError."""
    without_ipv6 = _read(_DISABLE_IPV6)
    _unshare(_CLONE_NEWNET)
    if without_ipv6 is not None:  # what the machine has not, its namespace has not
        _DISABLE_IPV6.write_text(without_ipv6)
    _bring_up_loopback()
    # An issuer URL that AWS accepts has no port: let whoever runs the tests serve on 443.
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")


def _become_able() -> None:
    """Enter a user namespace in which this process, and what it starts, may make network namespaces. Raises OSError.

    The user ID stays the same, so that files and /tmp/pytest-of-<user> still belong to the user.
    """
    user, group = os.geteuid(), os.getegid()
    _unshare(_CLONE_NEWUSER)
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")  # the kernel wants this before an unprivileged gid_map
    (own / "uid_map").write_text(f"{user} {user} 1")
    (own / "gid_map").write_text(f"{group} {group} 1")
    capabilities.hand_down(capabilities.SYS_ADMIN, capabilities.NET_ADMIN)


def _failure_of(*steps: Callable[[], None]) -> str | None:
    """Take the steps in a child process, and say why they fail; None where they do not."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = ""
        try:
            for step in steps:
                step()
        except OSError as error:
            said = error.strerror or repr(error)
        except BaseException as error:  # noqa: BLE001 - it ends in this child
            said = repr(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said or None


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def _bring_up_loopback() -> None:
    """Set lo up and give it the addresses of the node and of the API servers (ip(8) need not be installed)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP_RUNNING))
        for number, address in enumerate((NODE_ADDRESS, *SERVER_ADDRESSES)):
            alias = f"lo:{number}".encode()
            fcntl.ioctl(control, _SIOCSIFADDR, _address_request(alias, address))
            fcntl.ioctl(control, _SIOCSIFNETMASK, _address_request(alias, "255.255.255.255"))


def _address_request(interface: bytes, address: str) -> bytes:
    """Return a struct ifreq with an IPv4 address."""
    return struct.pack("16sHH4s8x", interface, socket.AF_INET, 0, socket.inet_aton(address))
