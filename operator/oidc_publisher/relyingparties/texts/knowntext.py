"""A known text is what a relying party or a library says when it refuses a token, and what that means. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RefusalCause(StrEnum):
    """A cause of a refusal; the value is how a person reads it."""

    UNREADABLE = "the documents cannot be fetched or not be parsed"
    STATUS = "the host answers with another status than 200"
    REDIRECT = "the host redirects"
    TLS = "the host's certificate or its chain"
    SLOW = "the host is too slow, or throttles"
    ISSUER = "two issuer strings differ"
    KID = "the token's kid is not served"
    STALE = "the relying party's copy of the key set is old"
    MATERIAL = "another key is served under the token's kid"
    ALGORITHM = "the token's algorithm is not allowed"
    AUDIENCE = "the audience"
    SUBJECT = "the subject, or another claim that a policy names"
    TIME = "the token's times"
    CLOCK = "a clock"
    TOKEN = "what was sent is not the cluster's token"  # noqa: S105 - words for a person
    PROVIDER = "how the issuer is registered at the relying party"
    FILE = "the token file or its environment in the container"
    EGRESS = "the caller's own network"
    FLAG = "a flag of kube-apiserver"
    LIBRARY = "a library, or how it is used"
    STORE = "the bucket or the CDN"
    NONE = "nothing about the issuer"


class SettlingCheck(StrEnum):
    """A check that settles which cause it is; the value says how to make it."""

    DOCUMENTS = "Fetch both documents from outside without credentials, following no redirect: status 200, JSON, below 5 s together."
    KID = "Look for the kid of the token that the failing process holds among the served keys."
    SIGNATURE = "Verify the signature of that token with the served key of its kid."
    ISSUER = "Compare three strings byte for byte: the token's iss, the document's issuer, the URL that is registered."
    AUDIENCE = "Compare the token's aud with the audiences that the relying party accepts."
    SUBJECT = "Compare the token's sub and other claims with the policy or credential, letter by letter."
    TIME = "Compare iat, nbf and exp of that token with a clock that you trust."
    PROVIDER = (
        "Look at the provider, credential or role as it is registered, in the account or tenant that the call uses."
    )
    CONTAINER = (
        "Look inside the container, as the process's user: the variables, the mount, the owner and age of the file."
    )
    TLS = "Look at the host's certificate: its name, its full chain, a public root, TLS 1.2."
    WIRE = "Look at the headers and at the first bytes of the body that the URL shows."
    FLAGS = "Look at the flags and the first lines of the log of every API server."
    ALGORITHM = (
        "Compare the token's alg with the advertised list, with the key's alg and with the relying party's own list."
    )
    NETWORK = "Look at the caller's own way out: DNS, proxy, egress policy; and at which call it was."


#: The checks that need the token that was refused, not a fresh one.
OF_THE_TOKEN = frozenset(
    {
        SettlingCheck.KID,
        SettlingCheck.SIGNATURE,
        SettlingCheck.ISSUER,
        SettlingCheck.AUDIENCE,
        SettlingCheck.SUBJECT,
        SettlingCheck.TIME,
        SettlingCheck.ALGORITHM,
    }
)


@dataclass(frozen=True, slots=True)
class KnownText:
    """A KnownText describes one text.

    `name` is stable, for programs. `party` says it. `text` is the literal fragment, in which {issuer}, {kid} and
    {hexkid} stand for such a value and {any} for anything. `causes` begins with the likeliest. `meaning` and `advice` are
    whole sentences. `checks` settle which cause it is. `sources` are the addresses where the text was seen. `verify_for`
    is the relying party as `verify --for` names it, empty where none of them says it.
    """

    name: str
    party: str
    text: str
    causes: tuple[RefusalCause, ...]
    checks: tuple[SettlingCheck, ...]
    meaning: str
    advice: str
    sources: tuple[str, ...]
    verify_for: str = ""

    @property
    def about_the_issuer(self) -> bool:
        """Whether a look at the issuer can settle anything."""
        return self.causes[0] not in _ELSEWHERE


#: Where one of these is the likeliest cause, the issuer is not the place to look.
_ELSEWHERE = frozenset(
    {RefusalCause.NONE, RefusalCause.FILE, RefusalCause.FLAG, RefusalCause.LIBRARY, RefusalCause.CLOCK}
)
