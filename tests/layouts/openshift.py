"""OpenShift's ConfigMap `bound-sa-token-signing-certs` in namespace openshift-kube-apiserver.

Source: pkg/operator/boundsatokensignercontroller of openshift/cluster-kube-apiserver-operator. Each new public key gets
the name service-account-%03d.pub with the number of entries plus one, or the next number above it that is free; so after
an admin has pruned old entries, numbers come again. A public key that was not there yet was written as an empty entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.layouts.material import pem, rsa_public

NAMESPACE, NAME = "openshift-kube-apiserver", "bound-sa-token-signing-certs"
PATTERN = r"service-account-(?P<version>[0-9]+)\.pub"


def public_key(name: str) -> str:
    """A key as OpenShift encodes it: SubjectPublicKeyInfo under the label of PKCS#1."""
    return pem(rsa_public(name), "RSA PUBLIC KEY").decode()


def after_rotations(names: Iterable[str], data: Mapping[str, str] | None = None) -> dict[str, str]:
    """The ConfigMap's data after the signer was rotated to each of these keys; an empty name writes an empty entry."""
    entries = dict(data or {})
    for name in names:
        value = public_key(name) if name else ""
        if value in entries.values():
            continue
        number = len(entries) + 1
        while entry_name(number) in entries:
            number += 1
        entries[entry_name(number)] = value
    return entries


def pruned(data: Mapping[str, str], *numbers: int) -> dict[str, str]:
    """The data after an admin has removed the entries with these numbers."""
    gone = {entry_name(number) for number in numbers}
    return {name: value for name, value in data.items() if name not in gone}


def entry_name(number: int) -> str:
    """Three digits at least; the thousandth has four."""
    return f"service-account-{number:03d}.pub"
