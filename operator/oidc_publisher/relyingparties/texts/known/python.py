"""Known texts of libraries and programs in Python."""

from __future__ import annotations

from oidc_publisher.relyingparties.texts.knowntext import KnownText
from oidc_publisher.relyingparties.texts.knowntext import RefusalCause as Cause
from oidc_publisher.relyingparties.texts.knowntext import SettlingCheck as Check

PYTHON = (
    KnownText(
        name="pyjwt-no-match",
        party="PyJWT",
        text='Unable to find a signing key that matches: "{kid}"',
        causes=(
            Cause.KID,
            Cause.STALE,
        ),
        checks=(Check.KID,),
        meaning="The key set that PyJWT has does not hold the kid, or it fetched it less than 30 s ago and does not fetch again yet.",
        advice="Look whether the kid is served; if it is, wait half a minute.",
        sources=("https://github.com/jpadilla/pyjwt/blob/HEAD/jwt/jwks_client.py",),
    ),
    KnownText(
        name="pyjwt-no-signing-keys",
        party="PyJWT and jwks-rsa",
        text="The JWKS endpoint did not contain any signing keys",
        causes=(
            Cause.KID,
            Cause.STORE,
        ),
        checks=(Check.DOCUMENTS,),
        meaning="Every key of the set lacks a kid or has another `use` than sig, or the set is another one. The words are the same in Python and in Node.",
        advice="Look at the set that the URL serves: each key needs a kid and `use` sig.",
        sources=(
            "https://github.com/auth0/node-jwks-rsa/issues/373",
            "https://github.com/jpadilla/pyjwt/blob/HEAD/jwt/jwks_client.py",
        ),
    ),
    KnownText(
        name="pyjwt-403",
        party="PyJWT",
        text='Fail to fetch data from the url, err: "HTTP Error 403: Forbidden"',
        causes=(Cause.STATUS,),
        checks=(Check.DOCUMENTS,),
        meaning="The bucket is closed, or a firewall refuses the user agent Python-urllib while curl works.",
        advice="Fetch the key set with that user agent: curl -A Python-urllib/3.12.",
        sources=("https://github.com/jpadilla/pyjwt/issues/1121",),
    ),
    KnownText(
        name="pyjwt-redirect",
        party="PyJWT",
        text="HTTP Error 302: Found",
        causes=(Cause.REDIRECT,),
        checks=(Check.DOCUMENTS,),
        meaning="The URL of the key set redirects, which PyJWT refuses since 2.15; curl -L hides it.",
        advice="Serve the key set with 200 at the very URL.",
        sources=("https://github.com/jpadilla/pyjwt/blob/HEAD/jwt/jwks_client.py",),
    ),
    KnownText(
        name="python-tls-issuer",
        party="a program in Python",
        text="certificate verify failed: unable to get local issuer certificate",
        causes=(Cause.TLS,),
        checks=(Check.TLS,),
        meaning="The host does not send its intermediate certificate, or the caller's machine has no public roots.",
        advice="Send the full chain; try from another machine to tell the two apart.",
        sources=("https://github.com/jpadilla/pyjwt/issues/892",),
    ),
    KnownText(
        name="simplejwt-invalid",
        party="djangorestframework-simplejwt",
        text="Token is invalid or expired",
        causes=(
            Cause.TLS,
            Cause.KID,
            Cause.TIME,
        ),
        checks=(
            Check.DOCUMENTS,
            Check.TLS,
            Check.TIME,
        ),
        meaning="It misleads: failures of TLS and of the fetch end in these words too.",
        advice="Run PyJWKClient by hand with the key set's URL, and read its error.",
        sources=("https://github.com/jazzband/djangorestframework-simplejwt/issues/773",),
    ),
    KnownText(
        name="pyjwt-algorithm",
        party="PyJWT",
        text="The specified alg value is not allowed",
        causes=(Cause.ALGORITHM,),
        checks=(Check.ALGORITHM,),
        meaning="The token's algorithm is not in the application's list.",
        advice="Add the algorithm to the list that the application gives to decode().",
        sources=("https://github.com/jpadilla/pyjwt/blob/HEAD/jwt/api_jws.py",),
    ),
    KnownText(
        name="pyjwt-iat",
        party="PyJWT",
        text="The token is not yet valid (iat)",
        causes=(Cause.CLOCK,),
        checks=(Check.TIME,),
        meaning="The clock of the issuer is ahead of the checker's, and PyJWT allows for no difference by default.",
        advice="Synchronise the clocks, or give decode() a leeway of some seconds.",
        sources=("https://github.com/jpadilla/pyjwt/blob/HEAD/jwt/api_jwt.py",),
    ),
    KnownText(
        name="authlib-set",
        party="Authlib",
        text="Invalid JSON Web Key Set",
        causes=(
            Cause.KID,
            Cause.STALE,
        ),
        checks=(Check.KID,),
        meaning="It misleads: the set is valid, and the kid is not in it.",
        advice="Fetch the set again, and look whether the kid is served.",
        sources=("https://github.com/lepture/authlib/blob/HEAD/authlib/jose/rfc7517/key_set.py",),
    ),
    KnownText(
        name="joserfc-kid",
        party="joserfc",
        text="No key for kid: '{kid}'",
        causes=(
            Cause.KID,
            Cause.STALE,
        ),
        checks=(Check.KID,),
        meaning="The set that the program has does not hold the kid.",
        advice="Fetch the set again, and look whether the kid is served.",
        sources=("https://github.com/authlib/joserfc/blob/HEAD/src/joserfc/_keys.py",),
    ),
    KnownText(
        name="python-find-kid",
        party="a program in Python",
        text="Unable to find key with kid:",
        causes=(
            Cause.KID,
            Cause.STALE,
        ),
        checks=(Check.KID,),
        meaning="The program has no key of this kid: it keeps the key set of its start, or the kid is not served.",
        advice="Look whether the kid is served. If it is, restart the program, and upgrade it to one that fetches the set again.",
        sources=("https://github.com/mckinsey/agents-at-scale-ark/issues/2457",),
    ),
)
