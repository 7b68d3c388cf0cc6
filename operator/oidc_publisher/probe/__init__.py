"""Fetch an issuer's documents as a relying party does, and judge the documents, the keys and a minted token."""

from oidc_publisher.probe.judge import Expected, Judgement, judge
from oidc_publisher.probe.look import Look, Read, Target, look
from oidc_publisher.probe.proxies import ProbeProxies, Proxy
from oidc_publisher.probe.survey import flaw_of, judge_survey, survey
from oidc_publisher.probe.token.judge import (
    SignatureCheck,
    TokenFacts,
    check_signature,
    judge_lifetime,
    judge_own_audience,
    judge_peer_review,
    judge_review,
    judge_token,
    read_token,
    token_parts,
    verifies,
)
from oidc_publisher.probe.wire.https import HTTPSWire
from oidc_publisher.probe.wire.knocks import Knock, ShownCertificate
from oidc_publisher.probe.wire.memory import ClosedWire, MemoryWire, serving
from oidc_publisher.probe.wire.port import BODY_LIMIT_BYTES, Deadline, Fetched, Validity, Visit, Wire
from oidc_publisher.probe.wirereading import date_offsets, key_sets, wire_reading

__all__ = [
    "BODY_LIMIT_BYTES",
    "ClosedWire",
    "Deadline",
    "Expected",
    "Fetched",
    "HTTPSWire",
    "Judgement",
    "Knock",
    "Look",
    "MemoryWire",
    "ProbeProxies",
    "Proxy",
    "Read",
    "ShownCertificate",
    "SignatureCheck",
    "Target",
    "TokenFacts",
    "Validity",
    "Visit",
    "Wire",
    "check_signature",
    "date_offsets",
    "flaw_of",
    "judge",
    "judge_lifetime",
    "judge_own_audience",
    "judge_peer_review",
    "judge_review",
    "judge_survey",
    "judge_token",
    "key_sets",
    "look",
    "read_token",
    "serving",
    "survey",
    "token_parts",
    "verifies",
    "wire_reading",
]
