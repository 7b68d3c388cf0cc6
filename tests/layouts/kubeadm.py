"""The service-account keys of kubeadm below /etc/kubernetes/pki.

Source: cmd/kubeadm/app/util/pkiutil of kubernetes. sa.pub is SubjectPublicKeyInfo under "PUBLIC KEY", sa.key the private
key under "RSA PRIVATE KEY". kubeadm rotates neither: who does keeps the public halves side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.layouts.material import certificate, pem, rsa_private_pem, rsa_public

#: What the spec says when nobody says anything.
PATTERN = r".*\.pub"
#: For a folder in which an admin keeps one file for each rotation.
ROTATED_PATTERN = r"sa-(?P<version>[0-9]+)\.pub"


def pki(name: str = "kubeadm") -> dict[str, bytes]:
    """/etc/kubernetes/pki of a control plane node: the service-account keys among what else lies there."""
    ca, _ = certificate("kubeadm-ca", 1)
    private = rsa_private_pem()
    return {
        "sa.pub": pem(rsa_public(name)),
        "sa.key": private,
        "ca.crt": ca,
        "ca.key": private,
        "front-proxy-ca.crt": ca,
    }


def rotated(*numbers: int) -> dict[str, bytes]:
    """A folder with one public key for each rotation."""
    return {f"sa-{number}.pub": pem(rsa_public(f"kubeadm-{number}")) for number in numbers}


def written(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files in a folder, and an empty folder beside them as kubeadm has it for etcd."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "etcd").mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def mounted(folder: Path, files: Mapping[str, bytes], generation: str = "..2026_01_01_00_00_00.1") -> Path:
    """The files as kubelet mounts a ConfigMap or a Secret: links through `..data`, which is replaced at once.

    Source: pkg/volume/util/atomic_writer.go of kubernetes. Called again it writes the next generation, removes the links of
    files that are gone and then the former generation.
    """
    written_to = folder / generation
    written_to.mkdir(parents=True)
    for name, content in files.items():
        (written_to / name).write_bytes(content)
    data, former = folder / "..data", folder / "..data_tmp"
    before = data.resolve() if data.is_symlink() else None
    former.symlink_to(generation)
    former.rename(data)
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for path in folder.iterdir():
        if not path.name.startswith("..") and path.name not in files:
            path.unlink()
    if before is not None:
        for path in before.iterdir():
            path.unlink()
        before.rmdir()
    return folder
