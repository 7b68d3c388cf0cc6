"""A network namespace of our own for the whole test run.

An API server writes its own address into EndpointSlice `default/kubernetes`, and validation refuses a loopback address
there. In a namespace of our own, `lo` carries addresses that are not loopback, any port is free, and nothing is left
behind. The process enters it by unshare(2) instead of being executed again inside unshare(1): so the arguments, the
terminal, the exit code and an attached debugger stay as they are.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

NODE_ADDRESS = "10.201.0.10"
SERVER_ADDRESSES = ("10.201.0.11", "10.201.0.12", "10.201.0.13")

_MARKER = "OIDC_PUBLISHER_TEST_NAMESPACE"
_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914  # linux/sockios.h
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_IFF_UP_RUNNING = 0x1 | 0x40  # linux/if.h

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


def enter() -> None:
    """Move this process and all its future children into a new network namespace.

    Raises:
        NamespaceImpossibleError: the kernel or a container's profile forbids it; nothing has changed then.
    """
    if inside():
        return
    _unshare()
    _bring_up_loopback()
    # An issuer URL that AWS accepts has no port: let whoever runs the tests serve on 443.
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
    os.environ[_MARKER] = str(os.getpid())


def clean_environment() -> None:
    """Remove what would redirect TLS trust, cloud credentials or requests of the processes under test."""
    for name in list(os.environ):
        if name.upper() in _MISLEADING or name.startswith("AWS_"):
            del os.environ[name]
    # Nobody answers at the address of a cloud's metadata service in here; do not wait for it.
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def _unshare() -> None:
    user, group = os.geteuid(), os.getegid()
    try:
        try:
            _call_unshare(_CLONE_NEWNET)
        except PermissionError:  # not root, or root in a container without CAP_SYS_ADMIN
            _call_unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
            _keep_identity(user, group)
    except OSError as error:
        raise NamespaceImpossibleError(f"no network namespace: unshare: {error.strerror}") from error


def _call_unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _keep_identity(user: int, group: int) -> None:
    """Stay who we are in the new user namespace: files and /tmp/pytest-of-<user> remain ours.

    This process has all capabilities over the new network, its children have none and need none.
    """
    own = Path("/proc/self")
    (own / "setgroups").write_text("deny")  # the kernel wants this before an unprivileged gid_map
    (own / "uid_map").write_text(f"{user} {user} 1")
    (own / "gid_map").write_text(f"{group} {group} 1")


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
