"""The error texts of relying parties: what each of them means, and how one is found in a log. Pure."""

from oidc_publisher.relyingparties.texts.facts import TextFacts
from oidc_publisher.relyingparties.texts.knowntext import KnownText, RefusalCause, SettlingCheck
from oidc_publisher.relyingparties.texts.matching import Explained, explained
from oidc_publisher.relyingparties.texts.plaintext import plain_text

__all__ = ["Explained", "KnownText", "RefusalCause", "SettlingCheck", "TextFacts", "explained", "plain_text"]
