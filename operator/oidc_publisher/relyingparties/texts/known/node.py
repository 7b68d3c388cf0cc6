"""Known texts of libraries for Node."""

from __future__ import annotations

from oidc_publisher.relyingparties.texts.knowntext import KnownText
from oidc_publisher.relyingparties.texts.knowntext import RefusalCause as Cause
from oidc_publisher.relyingparties.texts.knowntext import SettlingCheck as Check

NODE = (
    KnownText(
        name="jwksrsa-no-match",
        party="jwks-rsa for Node",
        text="Unable to find a signing key that matches '{kid}'",
        causes=(
            Cause.KID,
            Cause.STALE,
        ),
        checks=(Check.KID,),
        meaning="The key set that jwks-rsa has does not hold the kid.",
        advice="Look whether the kid is served; if it is, the copy of the program is old.",
        sources=("https://github.com/auth0/node-jwks-rsa/blob/HEAD/src/JwksClient.js",),
    ),
    KnownText(
        name="jose-no-key",
        party="jose for Node",
        text="no applicable key found in the JSON Web Key Set",
        causes=(
            Cause.KID,
            Cause.ALGORITHM,
            Cause.STALE,
        ),
        checks=(
            Check.KID,
            Check.ALGORITHM,
            Check.WIRE,
        ),
        meaning="No key of the set fits the token's kid, type, algorithm and use; the library also says it within 30 s after its last fetch.",
        advice="Look whether the kid is served and its alg fits; if so, wait half a minute.",
        sources=("https://github.com/panva/jose/blob/HEAD/src/jwks/local.ts",),
    ),
    KnownText(
        name="jose-many-keys",
        party="jose for Node",
        text="multiple matching keys found in the JSON Web Key Set",
        causes=(Cause.KID,),
        checks=(Check.KID,),
        meaning="A kid is in the set twice, or the token has none.",
        advice="Publish each kid once.",
        sources=("https://github.com/panva/jose/blob/HEAD/src/jwks/local.ts",),
    ),
    KnownText(
        name="jose-200",
        party="jose for Node",
        text="Expected 200 OK from the JSON Web Key Set HTTP response",
        causes=(
            Cause.STATUS,
            Cause.REDIRECT,
        ),
        checks=(Check.DOCUMENTS,),
        meaning="The key set is not served with 200, or the URL redirects, which the library does not follow.",
        advice="Serve the key set with 200 at the very URL.",
        sources=("https://github.com/panva/jose/blob/HEAD/src/jwks/remote.ts",),
    ),
    KnownText(
        name="jose-timeout",
        party="jose for Node",
        text="ERR_JWKS_TIMEOUT",
        causes=(
            Cause.SLOW,
            Cause.EGRESS,
        ),
        checks=(
            Check.DOCUMENTS,
            Check.NETWORK,
        ),
        meaning="The key set took longer than 5 s; often it is the caller's own network.",
        advice="Fetch the key set from the caller's place and from outside, and compare the times.",
        sources=("https://github.com/panva/jose/issues/596",),
    ),
    KnownText(
        name="oauth4webapi-issuer",
        party="openid-client and oauth4webapi",
        text='"response" body "issuer" property does not match the expected value',
        causes=(Cause.ISSUER,),
        checks=(Check.ISSUER,),
        meaning="The `issuer` of the discovery document is not the URL that the program was given.",
        advice="Give the program exactly the document's issuer.",
        sources=("https://github.com/panva/oauth4webapi/blob/HEAD/src/index.ts",),
    ),
    KnownText(
        name="jsonwebtoken-callback",
        party="jsonwebtoken for Node",
        text="error in secret or public key callback:",
        causes=(
            Cause.KID,
            Cause.UNREADABLE,
        ),
        checks=(
            Check.KID,
            Check.DOCUMENTS,
        ),
        meaning="The program's function that looks for the key failed; the cause stands behind the colon.",
        advice="Read the cause, then look whether the kid is served.",
        sources=("https://github.com/cerpus/Edlib/issues/365",),
    ),
    KnownText(
        name="jwksrsa-limit",
        party="jwks-rsa for Node",
        text="Too many requests to the JWKS endpoint",
        causes=(
            Cause.SLOW,
            Cause.LIBRARY,
        ),
        checks=(Check.KID,),
        meaning="It is the library's own limiter: no request was sent. Tokens with kids that it does not know use it up.",
        advice="Switch the library's cache on, and look for the tokens with the unknown kid.",
        sources=("https://github.com/auth0/node-jwks-rsa/blob/HEAD/src/wrappers/rateLimit.js",),
    ),
    KnownText(
        name="nodejose-no-key",
        party="node-jose",
        text="Error: no key found",
        causes=(
            Cause.KID,
            Cause.MATERIAL,
            Cause.ALGORITHM,
        ),
        checks=(
            Check.KID,
            Check.SIGNATURE,
        ),
        meaning="It tries every key and swallows each cause: the kid is absent, the signature differs, or the algorithm is not allowed.",
        advice="Verify the token with another library, or with the served key.",
        sources=("https://github.com/cisco/node-jose/issues/222",),
    ),
    KnownText(
        name="node-tls-first",
        party="Node",
        text="unable to verify the first certificate",
        causes=(Cause.TLS,),
        checks=(Check.TLS,),
        meaning="The host does not send its intermediate certificate; browsers fetch it, Node does not.",
        advice="Send the full chain.",
        sources=("https://github.com/smart-on-fhir/bulk-data-server/issues/23",),
    ),
)
