"""What a plan comes to, and how it looks in a terminal and in a pipe."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from oidc_publisher.api import OIDCIssuer, read_issuer
from oidc_publisher.cli.plan.basis import Basis, basis_of
from oidc_publisher.cli.plan.decision import Decided, Refused
from oidc_publisher.cli.plan.preview import Note, Preview, preview, refused_preview, suspended_preview
from oidc_publisher.cli.plan.text import print_preview
from oidc_publisher.cli.text.console import console_for
from oidc_publisher.cli.text.output import to_json
from oidc_publisher.documents import (
    DISCOVERY_PATH,
    StoredDocument,
    StoredDocuments,
    Write,
    discovery_document,
)
from oidc_publisher.errors import FetchError, StoreError
from oidc_publisher.findings import CATALOGUE, Finding, Reason
from oidc_publisher.keys import PublicKey
from oidc_publisher.probe import Fetched, Look, Read
from oidc_publisher.reconcile.ownership import Stored, place_of, stored_reading
from oidc_publisher.reconcile.plan import Decision, intend, policy_of
from oidc_publisher.rotation import (
    ClockReading,
    Ledger,
    Listing,
    Mint,
    Mints,
    Pass,
    SourceReading,
    WireReading,
    advance,
)
from tests.support import builders
from tests.support.builders import public_key

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
FIRST, SECOND = public_key("first"), public_key("second")
OWNER, LOCATION, SERVER = "u-1/prod", "s3://example-oidc/prod", "10.0.0.1:6443"
ENDPOINT = "https://s3.eu-central-1.amazonaws.com"
URL = "https://oidc.example.com/prod/.well-known/openid-configuration"
NOT_FOUND = Look((Read(Fetched(URL, 404), Fetched(URL, 404)),), NOW)


def issuer_of(*, known: bool = False, **spec: Any) -> OIDCIssuer:
    status = {"observedGeneration": 1, "publication": {"location": LOCATION}} if known else {}
    store = {"s3": {"bucket": "example-oidc", "region": "eu-central-1", "prefix": "prod"}}
    spec = {"issuerURL": "https://oidc.example.com/prod", "store": store} | spec
    return builders.issuer_of(metadata={"generation": 1}, status=status, **spec)


def decided_of(
    issuer: OIDCIssuer,
    *keys: PublicKey,
    ledger: Ledger | None = None,
    stored: StoredDocuments | None = None,
    owner: str = OWNER,
    minted: bool = True,
    look: Look = NOT_FOUND,
    findings: tuple[Finding, ...] = (),
) -> Decided:
    """What a pass would come to in which one API server lists `keys` and signs with the first."""
    held = Stored(place_of(issuer, LOCATION, owner, ENDPOINT), stored or StoredDocuments())
    source = SourceReading("default", complete=bool(keys), listings=tuple(map(Listing, keys)))
    mints = Mints((SERVER,), (Mint(SERVER, keys[0].key_id, keys[0].spki),) if keys and minted else ())
    clock = ClockReading(api_server=(timedelta(0),))
    wire = WireReading(absent=True) if stored is None else WireReading((frozenset(keys),), issuer.spec.cache_max_age)
    seen = Pass((source,), mints, stored_reading(held), wire, clock, policy_of(issuer.spec), NOW)
    before = ledger or Ledger()
    plan = advance(before, seen)
    intent = intend(issuer, plan, held, nonce="")
    problems = (intent.problem,) if intent.problem else ()
    found = (*findings, *plan.findings, *problems)
    return Decided(before.serial, look, Decision(held, seen, plan, intent), found)


def preview_of(issuer: OIDCIssuer, decided: Decided, *, mints: bool = True, crd: bool = True) -> Preview:
    return preview(basis_of(issuer, None), decided, NOW, mints=mints, crd=crd)


def written(writes: tuple[Write, ...]) -> StoredDocuments:
    """The store after the writes of both documents."""
    held = {write.path: StoredDocument(write.document, "v1", NOW) for write in writes}
    discovery, (jwks,) = held.pop(DISCOVERY_PATH), held.values()
    return StoredDocuments(discovery, jwks)


def settled() -> tuple[OIDCIssuer, Ledger, StoredDocuments]:
    """An issuer whose first publication with FIRST is done."""
    first = decided_of(issuer_of(), FIRST)
    return issuer_of(known=True), first.decision.intent.ledger, written(first.decision.intent.writes)


def text(shown: Preview, *, width: int | None = None) -> str:
    out = io.StringIO()
    console = console_for(out) if width is None else Console(file=out, width=width, highlight=False)
    print_preview(shown, console, NOW)
    return out.getvalue()


def test_a_first_publication_creates_both_the_key_set_first() -> None:
    """With the serial to come and what strangers see now."""
    shown = preview_of(issuer_of(), decided_of(issuer_of(), FIRST))
    assert (shown.result, shown.sentence) == ("WouldChange", "Both documents would be written; nothing has been.")
    assert [(d.path, d.change, d.reason) for d in shown.documents] == [
        ("openid/v1/jwks", "created", "there is none"),
        (".well-known/openid-configuration", "created", "there is none"),
    ]
    assert (shown.serial, shown.next_serial) == (0, 1)
    assert shown.read == "1 key listed by default; 1 token of 1 API server"
    assert shown.public == f"{URL} answers 404"
    assert shown.caveats == ()


def test_what_is_stored_as_planned_is_nothing_to_do() -> None:
    """No diff, no serial to come."""
    issuer, ledger, stored = settled()
    shown = preview_of(issuer, decided_of(issuer, FIRST, ledger=ledger, stored=stored))
    assert (shown.result, shown.sentence) == ("NothingToDo", "Both documents are stored as planned.")
    assert [(d.change, d.diff) for d in shown.documents] == [("unchanged", ()), ("unchanged", ())]
    assert shown.next_serial is None
    assert [(k.key_id, k.change) for k in shown.keys] == [(FIRST.key_id, "stays")]


def test_a_new_key_changes_the_key_set_and_the_serial_of_the_other() -> None:
    """The discovery document is written for its owner mark alone, and that is said."""
    issuer, ledger, stored = settled()
    shown = preview_of(issuer, decided_of(issuer, FIRST, SECOND, ledger=ledger, stored=stored))
    assert [(d.path, d.reason) for d in shown.documents] == [
        ("openid/v1/jwks", "the keys changed"),
        (
            ".well-known/openid-configuration",
            "only the serial of its owner mark, which counts the writes of both documents",
        ),
    ]
    assert {k.key_id: k.change for k in shown.keys} == {FIRST.key_id: "stays", SECOND.key_id: "enters"}


def test_a_withdrawn_key_leaves_the_discovery_document_first() -> None:
    """The order of a set that shrinks."""
    issuer, ledger, stored = settled()
    grown = decided_of(issuer, FIRST, SECOND, ledger=ledger, stored=stored)
    withdrawn = issuer_of(known=True, rotation={"withdrawnKeyIDs": [SECOND.key_id]})
    decided = decided_of(
        withdrawn, FIRST, SECOND, ledger=grown.decision.intent.ledger, stored=written(grown.decision.intent.writes)
    )
    shown = preview_of(withdrawn, decided)
    assert [d.path for d in shown.documents] == [".well-known/openid-configuration", "openid/v1/jwks"]
    assert {k.key_id: k.change for k in shown.keys} == {FIRST.key_id: "stays", SECOND.key_id: "leaves"}


def test_documents_of_somebody_else_are_refused() -> None:
    """Neither nothing to do nor a change: the documents are said to be untouched."""
    _, _, stored = settled()
    other = issuer_of()
    shown = preview_of(other, decided_of(other, FIRST, stored=stored, owner="u-2/prod"))
    assert (shown.result, shown.keys, shown.caveats) == ("Refused", (), ())
    assert shown.sentence.startswith("DocumentsNotOurs: s3://example-oidc/prod holds documents")
    assert [d.change for d in shown.documents] == ["untouched", "untouched"]


def test_documents_of_another_key_set_path_are_refused_before_anything_is_applied() -> None:
    """`plan` says first what the operator would say, with the field that would fit."""
    _, _, stored = settled()
    assert stored.discovery is not None
    issuer = issuer_of(adoption="Merge")
    url = issuer.spec.issuer_url
    body = discovery_document(url, f"{url}/keys.json", ["RS256"])
    theirs = StoredDocuments(replace(stored.discovery, document=replace(stored.discovery.document, body=body)))
    shown = preview_of(issuer, decided_of(issuer, FIRST, stored=theirs, owner="u-2/prod"))
    assert shown.result == "Refused"
    assert shown.sentence.startswith("DocumentsOfAnotherIssuer: ")
    finding = next(f for f in shown.findings if f.reason == "DocumentsOfAnotherIssuer")
    assert "spec.jwksPath: keys.json" in (finding.advice or "")
    assert shown.sentence == f"DocumentsOfAnotherIssuer: {finding.message}"
    assert to_json(shown)["findings"][0]["advice"] == finding.advice


def test_a_store_that_cannot_be_read_is_no_answer() -> None:
    """And nothing is said of documents and keys."""
    error = StoreError(Reason.AccessDenied, "You may not read", hint="Allow it.")
    shown = preview_of(issuer_of(), decided_of(issuer_of(), FIRST, stored=StoredDocuments(error=error)))
    assert (shown.result, shown.documents, shown.keys) == ("CannotTell", (), ())
    assert [f.reason for f in shown.findings if f.severity == "Critical"] == ["AccessDenied"]


def test_no_source_that_lists_a_key_is_no_answer() -> None:
    """Nobody knows which keys there are, even where what is stored is as it was planned."""
    issuer, ledger, stored = settled()
    shown = preview_of(issuer, decided_of(issuer, ledger=ledger, stored=stored))
    assert (shown.result, shown.sentence) == (
        "CannotTell",
        "No key source could be read, so nobody can tell which keys there are.",
    )


def test_what_was_not_looked_at_is_said() -> None:
    """No token, no CRD, a denial, another place before."""
    denied = Finding.of(Reason.SourceForbidden, "The operator may not read it")
    unminted = Finding.of(Reason.TokenRequestFailed, "No token can be minted")
    decided = decided_of(issuer_of(), FIRST, minted=False, findings=(denied, unminted))
    moved = basis_of(issuer_of(), None).issuer.model_copy(update={"status": read_issuer(_moved_object()).status})
    shown = preview(Basis(moved, ""), decided, NOW, mints=False, crd=False)
    assert [caveat.split(":")[0] for caveat in shown.caveats] == [
        "The documents at s3",
        "This cluster has no OIDCIssuers",
        "No token was minted (there is no --probe-service-account)",
        "Something was denied to your credentials; the operator has its own.",
    ]
    assert "TokenRequestFailed" not in {f.reason for f in shown.findings}


def _moved_object() -> dict[str, Any]:
    obj = issuer_of().model_dump(mode="json", by_alias=True, exclude_none=True)
    return obj | {"status": {"publication": {"location": "s3://old/prod"}}}


def test_what_could_not_be_read_is_named_once() -> None:
    """An API server that minted no token although it was asked."""
    shown = preview_of(issuer_of(), decided_of(issuer_of(), FIRST, minted=False))
    assert shown.caveats == (
        f"Not everything could be read, and what was not cannot take a key away: API server {SERVER}.",
    )


AMAZON = "s3.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("store", "host", "covers"),
    [
        ({"s3": {"bucket": "my.oidc", "region": "eu-central-1"}}, f"my.oidc.{AMAZON}", f"*.{AMAZON}"),
        ({"s3": {"bucket": "my.oidc", "region": "eu-west-1"}}, "my.oidc.s3-eu-west-1.amazonaws.com", "*.s3-eu-west-1"),
        (
            {"s3": {"bucket": "my.oidc", "region": "r", "endpointURL": "https://S3.example.com:9000"}},
            "my.oidc.s3.example.com",
            "*.s3.example.com",
        ),
        ({"gcs": {"bucket": "my.oidc"}}, "my.oidc.storage.googleapis.com", "*.storage.googleapis.com"),
    ],
)
def test_a_bucket_with_dots_in_the_host_name_is_warned_of(store: dict[str, Any], host: str, covers: str) -> None:
    """A wildcard stands for one label: no relying party gets past the certificate, whoever reads the bucket."""
    issuer = issuer_of(store=store, issuerURL=f"https://{host}/prod")
    (caveat,) = preview_of(issuer, decided_of(issuer, FIRST)).caveats
    assert caveat.startswith(f"Bucket my.oidc has dots in its name, and a certificate for {covers}")
    assert host in caveat


@pytest.mark.parametrize(
    ("bucket", "host"),
    [
        ("my-oidc", f"my-oidc.{AMAZON}"),
        ("my.oidc", f"{AMAZON}/my.oidc"),
        ("oidc.example.com", "oidc.example.com"),  # a distribution or a proxy, which has a certificate of its own
        ("oidc.example", "oidc.example.com"),
    ],
)
def test_other_names_of_buckets_are_no_matter(bucket: str, host: str) -> None:
    """Without dots, in the path, or behind a host of one's own."""
    store = {"s3": {"bucket": bucket, "region": "eu-central-1", "prefix": "prod"}}
    issuer = issuer_of(store=store, issuerURL=f"https://{host}/prod")
    assert preview_of(issuer, decided_of(issuer, FIRST)).caveats == ()


@pytest.mark.parametrize(
    ("look", "said"),
    [
        (
            Look((Read(FetchError(Reason.NameNotResolved, "oidc.example.com does not exist"), None),), NOW),
            "oidc.example.com does not exist (NameNotResolved)",
        ),
        (Look((Read(Fetched(URL, 200, b"{}"), Fetched(URL, 403)),), NOW), f"{URL} answers 403"),
        (Look((Read(Fetched(URL, 200, b"{}"), Fetched(URL, 200, b"<html>")),), NOW), "no key set can be read"),
        (Look((), NOW), "no key set can be read"),
    ],
)
def test_what_strangers_see_is_one_line(look: Look, said: str) -> None:
    """Whatever it is."""
    assert preview_of(issuer_of(), decided_of(issuer_of(), FIRST, look=look)).public == said


def test_an_event_says_what_to_do_as_the_operator_would_post_it() -> None:
    """Documents of another owner are taken over."""
    _, _, stored = settled()
    issuer = issuer_of(adoption="Merge")
    shown = preview_of(issuer, decided_of(issuer, FIRST, stored=stored, owner="u-2/prod"))
    (adopted,) = (event for event in shown.events if event.reason == "DocumentsAdopted")
    assert adopted.message.endswith(f". {CATALOGUE[Reason.DocumentsAdopted].hint}")


def test_copies_at_a_distribution_are_said_to_be_dropped() -> None:
    """After the writes; not without any."""
    s3 = {"bucket": "example-oidc", "region": "eu-central-1", "prefix": "prod"}
    issuer = issuer_of(store={"s3": {**s3, "cloudFront": {"distributionID": "E1ABCDEF"}}})
    shown = preview_of(issuer, decided_of(issuer, FIRST))
    assert "  Then copies are invalidated at CloudFront distribution E1ABCDEF.\n" in text(shown)
    assert preview_of(issuer_of(), decided_of(issuer_of(), FIRST)).distribution == ""


def test_nothing_read_is_a_short_page() -> None:
    """Suspended: nothing to do. A store that cannot be opened: no answer, with the reason and what to do."""
    basis = basis_of(issuer_of(suspend=True), None)
    assert text(suspended_preview(basis)).startswith("prod  nothing to do\nIt is suspended: nothing is read")
    missing = Finding.of(Reason.CredentialsMissing, "There are no credentials")
    shown = refused_preview(basis, Refused((missing,)))
    assert text(shown).startswith("prod  cannot tell\nCredentialsMissing: There are no credentials.\n")
    assert "\n    -> " in text(shown)


def test_the_page_in_a_pipe_is_plain_and_whole() -> None:
    """Every line of the diff in one line, no colours."""
    said = text(preview_of(issuer_of(), decided_of(issuer_of(), FIRST)))
    assert said.splitlines()[:6] == [
        "prod  would change",
        "Both documents would be written; nothing has been.",
        "Object  oidci/prod, which is not in the cluster yet",
        "Issuer  https://oidc.example.com/prod",
        "Store   s3://example-oidc/prod",
        "Owner   u-1/prod, serial 0 -> 1",
    ]
    assert "\x1b" not in said
    assert "    +++ openid/v1/jwks (planned)\n" in said
    assert "    +Cache-Control: public, max-age=300\n" in said
    assert all(line == line.rstrip() for line in said.splitlines())


def test_events_findings_and_a_second_write_have_their_lines() -> None:
    """Each in a section of its own; the caveats stand above all."""
    denied = Finding.of(Reason.SourceForbidden, "The operator may not read it")
    shown = preview_of(issuer_of(), decided_of(issuer_of(), FIRST, findings=(denied,)))
    said = text(replace(shown, more=True, events=(Note("DriftRepaired", "It is repaired."),)))
    assert "\n! Something was denied to your credentials; the operator has its own.\n" in said
    assert "\n  Another write follows in the same pass: one that adds a key removes none.\n" in said
    assert "\nEVENTS that would be recorded\n  DriftRepaired  It is repaired.\n" in said
    assert "\nFINDINGS, root cause first\n" in said


def test_a_terminal_of_80_columns_holds_it() -> None:
    """Long lines wrap; nothing is cut."""
    said = text(preview_of(issuer_of(), decided_of(issuer_of(), FIRST)), width=80)
    assert max(map(len, said.splitlines())) <= 80
    assert "…" not in said
    assert "safe to sign with" in " ".join(said.split())


def test_for_programs_it_is_the_same_answer() -> None:
    """Names as the API writes them."""
    said = to_json(preview_of(issuer_of(), decided_of(issuer_of(), FIRST)))
    assert (said["result"], said["nextSerial"], said["issuerURL"]) == (
        "WouldChange",
        1,
        "https://oidc.example.com/prod",
    )
    assert said["keys"][0]["keyID"] == FIRST.key_id
    assert said["documents"][0]["diff"][0] == "--- /dev/null"
