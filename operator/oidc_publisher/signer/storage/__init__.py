"""Keep the ring: the data of the Secret with wrapped private halves, and the file on a node's disk."""

from oidc_publisher.signer.storage.copies import DiskCopy, from_disk, from_secret, to_disk, to_secret
from oidc_publisher.signer.storage.diskfile import FILE, DiskFile, read_backup
from oidc_publisher.signer.storage.keyfiles import PRIVATE_FILE, PUBLIC_FILE, KeyFiles, key_files
from oidc_publisher.signer.storage.ringerror import RingUnreadableError
from oidc_publisher.signer.storage.wrapping import Plaintext, Wrapping, WrappingKey

__all__ = [
    "FILE",
    "PRIVATE_FILE",
    "PUBLIC_FILE",
    "DiskCopy",
    "DiskFile",
    "KeyFiles",
    "Plaintext",
    "RingUnreadableError",
    "Wrapping",
    "WrappingKey",
    "from_disk",
    "from_secret",
    "key_files",
    "read_backup",
    "to_disk",
    "to_secret",
]
