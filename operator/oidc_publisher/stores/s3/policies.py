"""Parse the text with which AWS explains a denial. Pure.

Since 2021, and for S3 since 2024, the text of AccessDenied names the action and the kind of policy: "... is not
authorized to perform: s3:PutObject on resource: ... with an explicit deny in a resource-based policy", or "because no
identity-based policy allows the ... action" (IAM User Guide, troubleshoot_access-denied). A call from another account
gets none of this text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_PERMISSION = re.compile(r"perform: ([a-z0-9-]+:\w+)")
_KIND = r"((?:[A-Za-z-]+ ){1,3}?policy|permissions boundary)"
_EXPLICIT = re.compile(rf"explicit deny in an? {_KIND}")
_MISSING = re.compile(rf"because no {_KIND} allows")

_OWN = "identity-based policy"
#: Where an admin finds a policy of each kind.
_PLACES = {
    "resource-based policy": "the policy of the bucket",
    "service control policy": "the policies of the organization",
    "resource control policy": "the policies of the organization",
    "VPC endpoint policy": "the policy of the VPC endpoint",
    "permissions boundary": "the permissions boundary of the role",
    "session policy": "the policy of the session",
    _OWN: "the policies of the role",
}


@dataclass(frozen=True, slots=True)
class Denial:
    """A Denial holds the missing action and the kind of policy that denies or does not allow it, empty if unknown."""

    permission: str = ""
    kind: str = ""
    explicit: bool = False

    @classmethod
    def read(cls, text: str) -> Denial:
        """Parse the text of an AccessDenied."""
        permission, explicit, missing = _PERMISSION.search(text), _EXPLICIT.search(text), _MISSING.search(text)
        kind = explicit or missing
        return cls(permission[1] if permission else "", kind[1] if kind else "", explicit is not None)

    @property
    def sentence(self) -> str:
        """The part of the message that follows "... is denied"."""
        if self.explicit:
            article = "an" if self.kind[0] in "aeiou" else "a"
            return f" explicitly by {article} {self.kind}"
        return f": no {self.kind} allows it" if self.kind else ""

    @property
    def place(self) -> str:
        """Where an admin finds a policy of this kind."""
        return _PLACES.get(self.kind, f"the {self.kind}")

    @property
    def is_elsewhere(self) -> bool:
        """Whether an allow in the policies of the role is not enough."""
        return self.kind not in {"", _OWN}
