"""Role trusts of three clouds, as their command lines write them, against the claims of a ServiceAccount's token."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from oidc_publisher.api import RelyingParty
from oidc_publisher.relyingparties.roletrust import NoRoleTrustError, Presented, RoleTrust, judge_role_trust

ISSUER = "https://oidc.example.com/prod"
PROVIDER = "oidc.example.com/prod"
SUBJECT = "system:serviceaccount:ns:app"
CLAIMS = {"iss": ISSUER, "sub": SUBJECT, "aud": ["sts.amazonaws.com"], "kubernetes.io": {"namespace": "ns"}}
TOKEN = Presented(ISSUER, CLAIMS)


def judged(document: object, token: Presented = TOKEN) -> RoleTrust:
    return judge_role_trust((document if isinstance(document, str) else json.dumps(document)).encode(), token)


def statement(condition: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    usual = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{PROVIDER}"},
    }
    return usual | ({"Condition": condition} if condition else {}) | members


def results(trust: RoleTrust) -> list[bool | None]:
    return [condition.holds for condition in trust.conditions]


AWS: dict[str, tuple[dict[str, Any], list[bool | None], str]] = {
    "equal": ({"StringEquals": {f"{PROVIDER}:sub": SUBJECT}}, [True, True], ""),
    "one of several": ({"StringEquals": {f"{PROVIDER}:sub": ["x", SUBJECT]}}, [True, True], ""),
    "another": ({"StringEquals": {f"{PROVIDER}:sub": "x"}}, [True, False], "the token has"),
    "like": ({"StringLike": {f"{PROVIDER}:sub": "system:serviceaccount:ns:*"}}, [True, True], ""),
    "like, one character": ({"StringLike": {f"{PROVIDER}:sub": "system:serviceaccount:n?:app"}}, [True, True], ""),
    "a star under equals": (
        {"StringEquals": {f"{PROVIDER}:sub": "system:serviceaccount:ns:*"}},
        [True, False],
        "use StringLike",
    ),
    "another case": ({"StringEquals": {f"{PROVIDER}:sub": SUBJECT.upper()}}, [True, False], "case of letters only"),
    "any case": ({"StringEqualsIgnoreCase": {f"{PROVIDER}:sub": SUBJECT.upper()}}, [True, True], ""),
    "not": ({"StringNotEquals": {f"{PROVIDER}:sub": "x"}}, [True, True], ""),
    "not like": ({"StringNotLike": {f"{PROVIDER}:sub": "system:*"}}, [True, False], "the token has"),
    "a key with https": ({"StringEquals": {f"{ISSUER}:sub": SUBJECT}}, [True, False], "without https://"),
    "a key with a slash": ({"StringEquals": {f"{PROVIDER}/:sub": SUBJECT}}, [True, False], "begin with"),
    "a key in capitals": ({"StringEquals": {f"{PROVIDER.upper()}:SUB": SUBJECT}}, [True, True], ""),
    "a claim that is not there": ({"StringEquals": {f"{PROVIDER}:amr": "x"}}, [True, False], "no such claim"),
    "if it exists": ({"StringEqualsIfExists": {f"{PROVIDER}:amr": "x"}}, [True, True], ""),
    "any value": ({"ForAnyValue:StringEquals": {f"{PROVIDER}:aud": ["sts.amazonaws.com", "x"]}}, [True, True], ""),
    "any value but, of two": ({"ForAnyValue:StringNotEquals": {f"{PROVIDER}:id": "a"}}, [True, True], ""),
    "any value but, without one": ({"ForAnyValue:StringNotEquals": {f"{PROVIDER}:azp": "x"}}, [True, False], "no such"),
    "all values, without one": ({"ForAllValues:StringEquals": {f"{PROVIDER}:azp": "x"}}, [True, True], ""),
    "all values but": ({"ForAllValues:StringNotEquals": {f"{PROVIDER}:id": "a"}}, [True, False], "the token has"),
    "two values without a set": ({"StringNotEquals": {f"{PROVIDER}:id": "x"}}, [True, None], "ForAnyValue"),
    "a variable": ({"StringNotEquals": {f"{PROVIDER}:sub": "${aws:PrincipalTag/x}"}}, [True, None], "variable"),
    "letters that lose their length": ({"StringEqualsIgnoreCase": {f"{PROVIDER}:email": "SS"}}, [True, False], "has"),
    "no condition's form": ({"StringNotEquals": [{f"{PROVIDER}:sub": SUBJECT}]}, [True, None], "as IAM takes it"),
    "no value's form": ({"StringNotEquals": {f"{PROVIDER}:sub": {"a": "b"}}}, [True, None], "cannot be judged"),
    "of the request": ({"StringEquals": {"aws:SourceVpc": "x"}}, [True, None], "depends on the request"),
    "another operator": ({"DateLessThan": {f"{PROVIDER}:sub": "x"}}, [True, None], "cannot be judged"),
    "a claim that STS does not offer": ({"StringEquals": {f"{PROVIDER}:namespace": "ns"}}, [True, None], "cannot be"),
}


@pytest.mark.parametrize("name", AWS)
def test_a_trust_policy_is_evaluated_as_iam_does(name: str) -> None:
    """The principal first, then each condition."""
    condition, expected, found = AWS[name]
    token = Presented(ISSUER, CLAIMS | {"id": ["a", "b"], "email": "ß"})
    trust = judged({"Version": "2012-10-17", "Statement": [statement(condition)]}, token)
    assert (trust.party, results(trust)) == (RelyingParty.AWS, expected)
    assert found in trust.conditions[-1].found


def test_another_provider_is_named() -> None:
    """The most frequent mistake after a rebuilt cluster."""
    principal = {"Federated": f"arn:aws:iam::1:oidc-provider/{PROVIDER}/"}
    trust = judged({"Statement": statement(Principal=principal)})
    assert results(trust) == [False]
    assert "differs by a slash" in trust.conditions[0].found


def test_a_provider_is_named_by_its_arn() -> None:
    """IAM stores no policy with the name alone, so that what is given is not what the role has."""
    assert results(judged({"Statement": statement(Principal={"Federated": PROVIDER})})) == [None]


def test_the_statement_that_comes_nearest_is_shown() -> None:
    """Another one of the same policy lets others in."""
    other = statement({"StringEquals": {f"{PROVIDER}:sub": "x", f"{PROVIDER}:aud": "y"}})
    good = statement({"StringEquals": {f"{PROVIDER}:sub": SUBJECT}})
    assert results(judged({"Statement": [other, good]})) == [True, True]


def test_a_deny_outweighs() -> None:
    """One that applies keeps everybody out; one that does not apply is not shown."""
    denies = statement({"StringLike": {f"{PROVIDER}:sub": "system:*"}}, Effect="Deny")
    others = statement({"StringLike": {f"{PROVIDER}:sub": "other:*"}}, Effect="Deny")
    assert results(judged({"Statement": [statement(), denies]})) == [True, False]
    assert results(judged({"Statement": [statement(), others]})) == [True]


DENIED: dict[str, tuple[dict[str, Any], list[bool | None]]] = {
    "everybody of AWS": ({"Principal": {"AWS": "*"}}, [True, False]),
    "actions by a wildcard": ({"Action": "sts:Assume*"}, [True, False]),
    "all actions but another": ({"NotAction": "sts:TagSession"}, [True, False]),
    "all actions but this": ({"NotAction": "sts:AssumeRoleWith*"}, [True]),
    "all principals but": ({"NotPrincipal": {"AWS": "arn:aws:iam::1:root"}}, [True, None]),
    "by the request": ({"Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, [True, None]),
    "by the request, of another subject": (
        {"Condition": {"StringEquals": {f"{PROVIDER}:sub": "x", "aws:SourceVpc": "x"}}},
        [True],
    ),
    "all values, without one": ({"Condition": {"ForAllValues:StringEquals": {f"{PROVIDER}:amr": "x"}}}, [True, False]),
    "not, of a key that is never there": (
        {"Condition": {"StringNotEquals": {f"{ISSUER}:sub": SUBJECT}}},
        [True, False],
    ),
}


@pytest.mark.parametrize("name", DENIED)
def test_a_deny_that_may_apply_is_never_passed_over(name: str) -> None:
    """What it depends on may be the request, and is open then."""
    members, expected = DENIED[name]
    denies = {key: value for key, value in statement(Effect="Deny").items() if f"Not{key}" not in members} | members
    assert results(judged({"Statement": [statement(), denies]})) == expected


def test_a_statement_that_may_let_in_comes_before_one_that_does_not() -> None:
    """A certain no of one statement says nothing where another one depends on the request."""
    request = statement({"StringEquals": {"aws:SourceVpc": "x", "aws:SourceVpce": "y"}})
    other = statement({"StringEquals": {f"{PROVIDER}:sub": "x"}})
    assert results(judged({"Statement": [other, request]})) == [True, None, None]


def test_many_stars_cost_no_time() -> None:
    """A regular expression would take years."""
    pattern = "*a" * 40
    assert results(judged({"Statement": statement({"StringLike": {f"{PROVIDER}:sub": pattern}})})) == [True, False]


def test_a_policy_may_allow_by_a_wildcard() -> None:
    """Of actions, in any case of letters."""
    assert results(judged({"Statement": statement(Action="sts:assumerolewith*")})) == [True]


def test_a_policy_that_allows_something_else_allows_nothing() -> None:
    """sts:AssumeRole is for principals of AWS."""
    assert results(judged({"Statement": [statement(Action="sts:AssumeRole")]})) == [False]


def test_azp_takes_the_place_of_the_audience() -> None:
    """IAM User Guide: with azp, the key aud has its value, and oaud the audience."""
    token = Presented(ISSUER, CLAIMS | {"azp": "client"})
    condition = {"StringEquals": {f"{PROVIDER}:aud": "client", f"{PROVIDER}:oaud": "sts.amazonaws.com"}}
    assert results(judged({"Statement": statement(condition)}, token)) == [True, True, True]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda policy: {"Role": {"RoleName": "r", "AssumeRolePolicyDocument": policy}},
        lambda policy: {"AssumeRolePolicyDocument": policy},
        lambda policy: {"AssumeRolePolicyDocument": quote(json.dumps(policy), safe="")},
        lambda policy: quote(json.dumps(policy), safe=""),
        lambda policy: "\ufeff" + json.dumps(policy),
    ],
)
def test_a_policy_may_be_as_aws_writes_it(wrap: Any) -> None:
    """`aws iam get-role`, its query, and the escaped form of the API."""
    assert results(judged(wrap({"Statement": [statement()]}))) == [True]


GCP: dict[str, list[bool | None]] = {
    "assertion.sub == 'system:serviceaccount:ns:app'": [True],
    'google.subject == "system:serviceaccount:ns:app"': [None],  # as for attributes: the mapping says what it is
    "assertion.sub != 'x' && assertion.iss == 'https://oidc.example.com/prod'": [True, True],
    "assertion.sub == 'x' && 'sts.amazonaws.com' in assertion.aud": [False, True],
    "(assertion.sub == 'x' || assertion.sub.endsWith(':app'))": [True],
    "assertion.nobody == 'x' || assertion.sub.contains('ns')": [True],  # as CEL has it: an error and a true
    "assertion.nobody == 'x'": [False],
    "!(assertion.sub in ['a', 'b'])": [True],
    "assertion['kubernetes.io']['namespace'] == 'ns'": [True],
    "has(assertion.sub) && !has(assertion.email)": [True, True],
    "size(assertion.aud) == 1": [True],
    "assertion.sub.matches('^system:serviceaccount:ns:[a-z]+$')": [True],
    "assertion.sub == 'x' ? false : assertion.sub.startsWith('system:')": [True],
    r"assertion.sub != 'it\'s' && assertion.sub != r'\d'": [True, True],
    "assertion.sub == 1": [False],
    "assertion.sub < 1": [False],
    "assertion.sub.startsWith(1)": [False],
    "assertion.aud.startsWith('sts')": [False],
    "'ns' in assertion.sub": [False],  # a text has no members
    "'sub' in assertion && !('x' in assertion)": [True, True],
    "!assertion.groups": [False],
    "(assertion.yes || false)": [False],
    "assertion.yes ? true : false": [False],
    "assertion.true == 1": [False],
    "assertion.true + 1 == 2": [False],
    "assertion.sub[0] == 's'": [False],
    "string(assertion.true) == 'true'": [True],
    "!has(assertion.nobody.name)": [False],
    "has(assertion.true) && !has(assertion['kubernetes.io'].name)": [True, True],
    "has(assertion)": [None],
    "attribute.ns == 'ns'": [None],  # the mapping says what it is
    "!has(google.groups)": [None],
    "assertion.sub.matches('^(?!x)')": [None],
    r"assertion.sub.matches(r'(.)\1')": [None],
    "assertion.sub.matches('^[[:alpha:]]')": [None],
    "assertion.sub.matches('^([a-z:]+)+$')": [None],
    "assertion.sub.matches('.*.*.*.*x')": [None],
    "assertion.sub.matches('^system:[^:]*:(?:ns|other):.+$')": [True],
    f"assertion.sub == {'1' * 5000}": [None],
    "assertion.aud.exists(a, a == 'sts.amazonaws.com')": [None],
    "assertion.sub.extract('system:serviceaccount:{ns}:') == 'ns'": [None],
    "assertion.sub ==": [None],
    "assertion.sub == 'a' 'b'": [None],
    "assertion.sub.matches('(')": [None],
    "assertion." + "(" * 60: [None],
}


@pytest.mark.parametrize("text", GCP)
def test_an_attribute_condition_is_evaluated_part_by_part(text: str) -> None:
    """What is outside of this part of CEL is left open, never guessed."""
    token = Presented(ISSUER, CLAIMS | {"yes": "yes", "groups": [], "true": True})
    trust = judged(text, token)
    assert (trust.party, results(trust)) == (RelyingParty.GCP, GCP[text])


def test_what_the_token_has_is_said() -> None:
    """Of the claims that the condition names."""
    found = judged("assertion.sub == 'x'").conditions[0].found
    assert found == f'the token\'s assertion.sub is "{SUBJECT}"'


def test_what_a_mapping_would_say_is_asked_for() -> None:
    """A provider may map another claim to google.subject than `sub`."""
    assert "Give the provider" in judged("google.subject == 'x'").conditions[0].found


def test_a_provider_is_judged_as_gcloud_writes_it() -> None:
    """Issuer, audiences, mapping and condition; YAML is its default."""
    document = f"""
name: projects/1/locations/global/workloadIdentityPools/p/providers/c
oidc: {{issuerUri: {ISSUER}}}
attributeMapping: {{google.subject: assertion.sub, attribute.ns: "assertion['kubernetes.io'].namespace"}}
attributeCondition: attribute.ns == 'ns' && attribute.none == 'x'
"""
    trust = judged(document)
    assert results(trust) == [True, False, True, True, False]
    assert "//iam.googleapis.com/projects/1/" in trust.conditions[1].what


def test_a_subject_that_is_too_long_for_google_is_named() -> None:
    """127 bytes."""
    token = Presented(ISSUER, CLAIMS | {"sub": "s" * 128})
    provider = {"oidc": {"issuerUri": ISSUER}, "attributeMapping": {"google.subject": "assertion.sub"}}
    assert results(judged(provider, token)) == [True, False]


PROVIDERS: dict[str, tuple[dict[str, Any], list[bool | None]]] = {
    "disabled": ({"disabled": True}, [False, True, True]),
    "deleted": ({"state": "DELETED"}, [False, True, True]),
    "with uploaded keys": ({"oidc": {"issuerUri": ISSUER, "jwksJson": "{}"}}, [None, True, True]),
    "with a subject that is not there": ({"attributeMapping": {"google.subject": "assertion.email"}}, [True, False]),
    "with a subject that is no text": ({"attributeMapping": {"google.subject": "assertion.aud"}}, [True, False]),
    "without a mapping": (
        {"attributeMapping": {}, "attributeCondition": "google.subject != 'x' || assertion.sub != 'x'"},
        [True, None, True],
    ),
    "with a subject by a macro": (
        {"attributeMapping": {"google.subject": "assertion.sub.extract('{x}')"}},
        [True, None],
    ),
    "with an attribute by a macro": (
        {
            "attributeMapping": {"google.subject": "assertion.sub", "attribute.x": "assertion.sub.extract('{x}')"},
            "attributeCondition": "!has(attribute.x) && !has(attribute.y)",
        },
        [True, True, None, True],
    ),
}


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_that_lets_nobody_in_is_no_yes(name: str) -> None:
    """And what a macro decides is open."""
    members, expected = PROVIDERS[name]
    usual = {"oidc": {"issuerUri": ISSUER}, "attributeMapping": {"google.subject": "assertion.sub"}}
    assert results(judged(usual | members)) == expected


def test_a_federated_credential_is_compared_byte_for_byte() -> None:
    """A difference in the case of letters alone has a number of its own at Entra."""
    credential = {"name": "c", "issuer": ISSUER, "subject": SUBJECT.upper(), "audiences": ["sts.amazonaws.com"]}
    trust = judged(credential)
    assert (trust.party, results(trust)) == (RelyingParty.AZURE, [True, False, True])
    assert [condition.letter_case for condition in trust.failing] == [True]


def test_the_nearest_of_several_credentials_is_shown() -> None:
    """As `az identity federated-credential list` gives them."""
    credentials = [
        {"issuer": ISSUER, "subject": subject, "audiences": ["sts.amazonaws.com"]} for subject in ("x", SUBJECT)
    ]
    assert results(judged(credentials)) == [True, True, True]


def test_a_flexible_credential_is_matched() -> None:
    """claimsMatchingExpression, in as much as it can be judged."""
    value = "claims['sub'] matches 'system:serviceaccount:ns:*' and claims['sub'] eq 'x' and something else"
    github = "https://token.actions.githubusercontent.com"
    credential: dict[str, Any] = {"issuer": github, "audiences": ["sts.amazonaws.com"]}
    credential |= {"claimsMatchingExpression": {"value": value, "languageVersion": 1}}
    token = Presented(github, CLAIMS | {"iss": github})
    assert results(judged(credential, token)) == [True, True, True, False, None]
    credential["claimsMatchingExpression"] = value  # as Terraform has it
    assert results(judged(credential, token)) == [True, True, True, False, None]


def test_a_flexible_credential_is_open_for_an_issuer_that_entra_does_not_name() -> None:
    """Microsoft Learn names GitHub, GitLab and Terraform Cloud, and no cluster's issuer."""
    credential: dict[str, Any] = {"issuer": ISSUER, "audiences": ["sts.amazonaws.com"]}
    credential |= {"claimsMatchingExpression": {"value": "claims['sub'] matches 'system:*'", "languageVersion": 1}}
    assert results(judged(credential)) == [True, True, None, True]


def test_a_credential_without_subject_and_audiences_is_open() -> None:
    """Entra demands both."""
    assert results(judged({"issuer": ISSUER, "subject": None})) == [True, None, None]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"a" * 70_000,
        b"{}",
        b"[]",
        b"[1]",
        b"1",
        b"hello",
        b"{" * 500,
        b"assertion PRIVATE KEY",
        b'{"Statement": []}',
        b"!!bool hello",
        b'!!int ""',
        b"!!timestamp hello",
    ],
)
def test_anything_else_is_refused_without_being_repeated(data: bytes) -> None:
    """The message says what would be right."""
    with pytest.raises(NoRoleTrustError) as caught:
        judge_role_trust(data, TOKEN)
    assert "hello" not in str(caught.value)
