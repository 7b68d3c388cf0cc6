"""What `verify` says of a token: explained, checked, and in the words of relying parties."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from oidc_publisher.cli import main
from tests.support.issuerhost import DISCOVERY, JWKS, IssuerHost
from tests.support.pki import PKI

DAY = 86_400


@pytest.fixture
def issuer(pki: PKI) -> Iterator[IssuerHost]:
    """A healthy issuer."""
    with IssuerHost(pki) as host:
        yield host


class Verify:
    """Runs verify with a token."""

    def __init__(self, pki: PKI, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.pki, self.folder, self.capsys = pki, folder, capsys
        self.said = ""

    def __call__(self, issuer: IssuerHost, token: str, *arguments: str, trust: object = None) -> tuple[int, Any]:
        """Return the exit code and the part about the token."""
        (self.folder / "token").write_text(f"{token}\n")
        options = ["verify", issuer.url, "--ca", str(self.pki.ca_file), "--allow-private-address", "-o", "json"]
        options += ["--for", "kubernetes,vault", "--token", str(self.folder / "token"), *arguments]
        if trust is not None:
            (self.folder / "trust").write_text(trust if isinstance(trust, str) else json.dumps(trust))
            options += ["--role-trust", str(self.folder / "trust")]
        with pytest.raises(SystemExit) as exit_info:
            main(options)
        self.said = self.capsys.readouterr().out
        return int(exit_info.value.code or 0), json.loads(self.said)["token"]


@pytest.fixture
def verify(pki: PKI, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    """Run it."""
    return Verify(pki, tmp_path, capsys)


def failing(part: Any) -> list[str]:
    return [check["check"] for check in part["checks"] if check["result"] != "Yes"]


def test_a_good_token_is_accepted(issuer: IssuerHost, verify: Verify) -> None:
    """Header and claims are explained, and the signature is never shown."""
    token = issuer.token(jti="an id", secret="not to be shown")
    code, part = verify(issuer, token, "--audience", "sts.amazonaws.com")
    assert (code, failing(part)) == (0, [])
    assert part["header"]["kid"] == '"key-1"'
    assert part["claims"]["sub"] == '"system:serviceaccount:ns:app"'
    assert part["otherClaims"] == ["jti", "secret"]
    assert all(piece not in verify.said for piece in token.split("."))
    assert "not to be shown" not in verify.said
    assert {line["party"]: line["result"] for line in part["parties"]} == {"Kubernetes": "Yes", "Vault": "Yes"}
    assert "Kubernetes and Vault would accept this token." in verify.said


def test_what_was_compared_with_nothing_is_said(issuer: IssuerHost, verify: Verify) -> None:
    """A yes is about the signature, the issuer and the times, where nobody said which audience is expected."""
    assert verify(issuer, issuer.token())[0] == 0
    assert "would accept this token, for whatever audience and subject: --audience and --role-trust" in verify.said


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "expired": ({"exp": 1_700_000_000}, "it has not expired", "Unauthorized"),
    "of another issuer": ({"iss": "https://other.example.test"}, "iss is this issuer, byte for byte", "Unauthorized"),
    "not valid yet": ({"nbf": int(time.time()) + DAY}, "it is valid already", "Unauthorized"),
    "signed by an absent key": ({"key_id": "key-9"}, "the token's key is served", "Unauthorized"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_token_that_is_refused_says_why(name: str, issuer: IssuerHost, verify: Verify) -> None:
    """With the check that fails, and what the relying party says."""
    claims, check, words = REFUSED[name]
    code, part = verify(issuer, issuer.token(**claims))
    assert code == 1
    assert check in failing(part)
    assert part["parties"][0]["words"].startswith(words)


@pytest.mark.parametrize("lead", [-2, 2])
def test_the_times_have_to_hold_by_the_hosts_clock_too(lead: int, issuer: IssuerHost, verify: Verify) -> None:
    """One of the two clocks is wrong, and who asks does not know which."""
    token, now = issuer.token(), time.time()
    for answer in issuer.answers.values():
        answer.headers["Date"] = formatdate(now + lead * DAY, usegmt=True)
    code, part = verify(issuer, token)
    assert code == 1
    wrong = "it has not expired" if lead > 0 else "it is valid already"
    assert failing(part)[:2] == ["the clocks agree", wrong]


REFUSED_CLAIMS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no audience": ({"aud": []}, ["No", "Yes"]),
    "no subject": ({"sub": ""}, ["No", "Yes"]),
    "a subject that is a number": ({"sub": 5}, ["No", "No"]),
    "an audience that is a number": ({"aud": ["sts.amazonaws.com", 5]}, ["No", "No"]),
    "a begin that is a text": ({"nbf": "now"}, ["No", "No"]),
}


@pytest.mark.parametrize("name", REFUSED_CLAIMS)
def test_a_token_without_its_claims_is_no_yes(name: str, issuer: IssuerHost, verify: Verify) -> None:
    """Kubernetes needs a subject and an audience, Vault what its role says; neither reads a claim of another type."""
    claims, expected = REFUSED_CLAIMS[name]
    code, part = verify(issuer, issuer.token(**claims))
    assert code == 1
    assert [line["result"] for line in part["parties"]] == expected


@pytest.mark.parametrize("claims", [{"exp": 10**30}, {"aud": 5}])
def test_a_token_whose_claims_cannot_be_read_is_no_token(
    claims: dict[str, Any], issuer: IssuerHost, verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence about this token, and no answer."""
    (verify.folder / "token").write_text(issuer.token(**claims))
    with pytest.raises(SystemExit) as exit_info:
        main(["verify", issuer.url, "--token", str(verify.folder / "token")])
    assert exit_info.value.code == 2
    assert "whose exp or iat is no time" in capsys.readouterr().err


@pytest.mark.parametrize("trust", ["", "!!bool hello"])
def test_a_role_trust_that_is_none_is_no_answer(
    trust: str, issuer: IssuerHost, verify: Verify, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty file is what a failed command leaves; it trusts nobody."""
    (verify.folder / "token").write_text(issuer.token())
    (verify.folder / "trust").write_text(trust)
    arguments = ["--token", str(verify.folder / "token"), "--role-trust", str(verify.folder / "trust")]
    with pytest.raises(SystemExit) as exit_info:
        main(["verify", issuer.url, "--ca", str(verify.pki.ca_file), "--allow-private-address", *arguments])
    assert exit_info.value.code == 2
    assert "is no trust policy" in capsys.readouterr().err


def test_a_slash_is_named(issuer: IssuerHost, verify: Verify) -> None:
    """The most frequent difference of issuers."""
    _, part = verify(issuer, issuer.token(iss=f"{issuer.url}/"))
    assert "differs by a slash" in part["checks"][0]["found"]


def test_another_key_under_the_same_kid_is_a_wrong_signature(issuer: IssuerHost, verify: Verify) -> None:
    """Kubernetes says the same of both, and Vault too; the checks tell them apart."""
    token = issuer.token()
    head, claims, signature = token.split(".")
    code, part = verify(issuer, f"{head}.{claims}.{signature[:-8]}AAAAAAAA")
    assert code == 1
    assert failing(part) == ["the served key verifies the signature"]
    assert "failed to verify id token signature" in part["parties"][1]["words"]


def test_an_unadvertised_algorithm_is_named(issuer: IssuerHost, verify: Verify) -> None:
    """go-oidc refuses it."""
    issuer.discover(id_token_signing_alg_values_supported=["ES256"])
    code, part = verify(issuer, issuer.token())
    assert code == 1
    assert failing(part) == ["the document advertises the token's algorithm"]


def test_the_audience_is_compared(issuer: IssuerHost, verify: Verify) -> None:
    """With each that the relying party expects."""
    code, part = verify(issuer, issuer.token(), "--audience", "vault")
    assert code == 1
    assert failing(part) == ['aud has "vault"']
    assert part["parties"][1]["words"] == "audience claim does not match any expected audience"


def test_each_party_has_words_of_its_own(issuer: IssuerHost, verify: Verify) -> None:
    """AWS and Entra say different things of an absent key; where no text is known, none is invented."""
    issuer.answers[JWKS].body = issuer.answers[JWKS].body.replace(b"key-1", b"key-2")
    _, part = verify(issuer, issuer.token(), "--for", "aws,gcp,azure,vault")
    words = {line["party"]: line.get("words", "") for line in part["parties"]}
    assert "Couldn't retrieve verification key" in words["AWS"]
    assert "AADSTS90061" in words["Azure"]  # at a private address it comes to no key
    assert "failed to verify id token signature" in words["Vault"]


def test_old_and_long_tokens_are_refused_by_some(issuer: IssuerHost, verify: Verify) -> None:
    """AWS and GCP by age, Entra by lifetime; neither is a matter for Kubernetes."""
    now = int(time.time())
    code, part = verify(issuer, issuer.token(iat=now - 2 * DAY, nbf=now - 2 * DAY, exp=now + 9 * DAY))
    assert code == 0
    assert failing(part) == ["it is younger than a day", "it lives a day at most"]


def test_a_token_that_is_too_long_for_sts_is_refused_by_aws_alone(issuer: IssuerHost, verify: Verify) -> None:
    """By the length of the member in STS's own service model; kube-apiserver takes 20 groups of a thousand letters."""
    model: Any = botocore.session.get_session().get_service_model("sts")
    asked = model.shape_for("AssumeRoleWithWebIdentityRequest")
    assert asked.members["WebIdentityToken"].metadata["max"] == 20_000
    code, part = verify(issuer, issuer.token(groups=["g" * 1000] * 20))
    assert (code, failing(part)) == (0, ["AWS: it has 20,000 characters at most"])
    code, part = verify(issuer, issuer.token(groups=["g" * 1000] * 20), "--for", "aws")
    assert code == 1
    assert {line["party"]: line["result"] for line in part["parties"]} == {"AWS": "No"}


@pytest.mark.parametrize("extension", [{"crit": ["b64"], "b64": True}, {"crit": ["x"], "x": 1}, {"crit": []}])
def test_a_header_that_asks_for_an_extension_is_no_yes(
    issuer: IssuerHost, verify: Verify, extension: dict[str, Any]
) -> None:
    """Who does not know it refuses the token, and a signature that a library verifies all the same says nothing of that."""
    code, part = verify(issuer, issuer.token(header=extension))
    assert code == 1
    assert failing(part)[0] == "its header asks for no extension"
    assert {line["result"] for line in part["parties"]} == {"No"}


def test_without_a_key_set_nothing_is_said_of_the_signature(issuer: IssuerHost, verify: Verify) -> None:
    """A yes would be false, and so would a no."""
    issuer.answers.pop(DISCOVERY)
    code, part = verify(issuer, issuer.token())
    assert code == 1
    assert [check["result"] for check in part["checks"] if check["check"] == "the token's key is served"] == [
        "NoAnswer"
    ]
    assert part["parties"][0]["result"] == "No"


def test_a_role_that_does_not_trust_it_is_named(issuer: IssuerHost, verify: Verify) -> None:
    """Which condition of the policy fails."""
    provider = issuer.url.removeprefix("https://")
    condition = {"StringEquals": {f"{provider}:sub": "system:serviceaccount:ns:other"}}
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{provider}"},
        "Condition": condition,
    }
    code, part = verify(issuer, issuer.token(), trust={"Statement": [statement]})
    assert code == 1
    assert failing(part) == [f'AWS: StringEquals {provider}:sub "system:serviceaccount:ns:other"']


def test_a_role_that_cannot_be_judged_is_no_answer(issuer: IssuerHost, verify: Verify) -> None:
    """A yes about half of the conditions would be none."""
    code, _ = verify(issuer, issuer.token(), trust="assertion.sub.extract('a{b}') == 'x'")
    assert code == 2
