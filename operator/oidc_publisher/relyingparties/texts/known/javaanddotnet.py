"""Known texts of libraries for Java, and Microsoft's for .NET."""

from __future__ import annotations

from oidc_publisher.relyingparties.texts.knowntext import KnownText
from oidc_publisher.relyingparties.texts.knowntext import RefusalCause as Cause
from oidc_publisher.relyingparties.texts.knowntext import SettlingCheck as Check

JAVAANDDOTNET = (
    KnownText(
        name="nimbus-no-key",
        party="Nimbus and Spring",
        text="Another algorithm expected, or no matching key(s) found",
        causes=(
            Cause.ALGORITHM,
            Cause.KID,
            Cause.STALE,
        ),
        checks=(
            Check.KID,
            Check.ALGORITHM,
        ),
        meaning="By its own words either of two: the algorithm is not in the decoder's list, or no key fits the kid.",
        advice="Look whether the kid is served, then whether the algorithm is in the decoder's list.",
        sources=(
            "https://github.com/camunda/camunda/issues/23727",
            "https://github.com/okta/okta-jwt-verifier-java/issues/9",
        ),
    ),
    KnownText(
        name="nimbus-signature",
        party="Nimbus",
        text="Signed JWT rejected: Invalid signature",
        causes=(Cause.MATERIAL,),
        checks=(Check.SIGNATURE,),
        meaning="A key with the kid was found, and did not make the signature.",
        advice="Compare the served key with the one that signs.",
        sources=("https://connect2id.com/products/nimbus-jose-jwt",),
    ),
    KnownText(
        name="nimbus-timeout",
        party="Nimbus",
        text="Couldn't retrieve remote JWK set: Read timed out",
        causes=(Cause.SLOW,),
        checks=(Check.DOCUMENTS,),
        meaning="The key set took longer than half a second, the library's default; hosts that are healthy fail it.",
        advice="Bring the answer below half a second, or give the library more time.",
        sources=("https://github.com/okta/okta-jwt-verifier-java/issues/7",),
    ),
    KnownText(
        name="nimbus-size",
        party="Nimbus",
        text="Exceeded configured input limit of 51200 bytes",
        causes=(Cause.STORE,),
        checks=(Check.WIRE,),
        meaning="The key set is larger than 51,200 bytes.",
        advice="Publish fewer keys.",
        sources=("https://github.com/GluuFederation/flex/issues/969",),
    ),
    KnownText(
        name="spring-resolve",
        party="Spring Security",
        text='Unable to resolve the Configuration with the provided Issuer of "{issuer}"',
        causes=(
            Cause.UNREADABLE,
            Cause.STATUS,
            Cause.TLS,
            Cause.EGRESS,
        ),
        checks=(
            Check.DOCUMENTS,
            Check.TLS,
            Check.NETWORK,
        ),
        meaning="Spring could not use the discovery document, for any cause up to a proxy; or it was given the full well-known URL as the issuer.",
        advice="Read the root cause at the end of the stack.",
        sources=(
            "https://github.com/spring-projects/spring-security/issues/10251",
            "https://github.com/spring-projects/spring-security/issues/10813",
        ),
    ),
    KnownText(
        name="spring-issuer",
        party="Spring Security",
        text="did not match the requested issuer",
        causes=(Cause.ISSUER,),
        checks=(Check.ISSUER,),
        meaning="The `issuer` of the discovery document is not the URL that Spring was given.",
        advice="Give Spring exactly the document's issuer.",
        sources=(
            "https://github.com/spring-projects/spring-security/blob/HEAD/oauth2/oauth2-jose/src/main/java/org/springframework/security/oauth2/jwt/JwtDecoderProviderConfigurationUtils.java",
        ),
    ),
    KnownText(
        name="java-pkix",
        party="Java",
        text="PKIX path building failed",
        causes=(Cause.TLS,),
        checks=(Check.TLS,),
        meaning="Java does not trust the chain: the host does not send its intermediate, or its authority is not in the trust store.",
        advice="Send the full chain; otherwise add the authority to the trust store.",
        sources=("https://github.com/auth0/jwks-rsa-java/issues/111",),
    ),
    KnownText(
        name="idx-10503",
        party="Microsoft's library for .NET",
        text="Signature validation failed. The token's kid is: '{kid}', but did not match any keys",
        causes=(
            Cause.KID,
            Cause.STALE,
        ),
        checks=(Check.KID,),
        meaning="No key has the token's kid. The code IDX10503 has changed its meaning between versions, so the words count; `Number of keys in Configuration: '0'` means that the documents were never read.",
        advice="Look whether the kid is served; if it is, the program's copy is old.",
        sources=(
            "https://github.com/AzureAD/microsoft-identity-web/issues/2917",
            "https://github.com/Gibe/Umbraco.Community.AzureSSO/issues/67",
        ),
    ),
    KnownText(
        name="idx-10501",
        party="Microsoft's library for .NET",
        text="IDX10501: Signature validation failed. Unable to match",
        causes=(
            Cause.KID,
            Cause.STALE,
        ),
        checks=(Check.KID,),
        meaning="No key has the token's kid: the older code for it.",
        advice="Look whether the kid is served; if it is, the program's copy is old.",
        sources=("https://github.com/IdentityServer/IdentityServer4.Samples/issues/69",),
    ),
    KnownText(
        name="idx-10500",
        party="Microsoft's library for .NET",
        text="No security keys were provided to validate the signature",
        causes=(Cause.UNREADABLE,),
        checks=(Check.DOCUMENTS,),
        meaning="The program's key set is empty or was never read.",
        advice="Verify the issuer, and look for IDX20803 further up.",
        sources=(
            "https://github.com/AzureAD/azure-activedirectory-identitymodel-extensions-for-dotnet/blob/HEAD/src/Microsoft.IdentityModel.Tokens/LogMessages.cs",
        ),
    ),
    KnownText(
        name="idx-10511",
        party="Microsoft's library for .NET",
        text="IDX10511: Signature validation failed. Keys tried:",
        causes=(Cause.MATERIAL,),
        checks=(Check.SIGNATURE,),
        meaning="A key with the token's kid was found, and did not make the signature.",
        advice="Compare the served key with the one that signs.",
        sources=(
            "https://github.com/AzureAD/azure-activedirectory-identitymodel-extensions-for-dotnet/blob/HEAD/src/Microsoft.IdentityModel.Tokens/LogMessages.cs",
        ),
    ),
    KnownText(
        name="idx-20803",
        party="Microsoft's library for .NET",
        text="IDX20803: Unable to obtain configuration from:",
        causes=(
            Cause.UNREADABLE,
            Cause.TLS,
            Cause.EGRESS,
        ),
        checks=(
            Check.DOCUMENTS,
            Check.TLS,
            Check.NETWORK,
        ),
        meaning="The discovery document could not be used; the URL is often hidden as System.String, and the inner exception decides. .NET uses no proxy of the system by itself.",
        advice="Read the inner exception, such as IDX20804.",
        sources=(
            "https://github.com/AzureAD/microsoft-identity-web/issues/850",
            "https://github.com/DuendeArchive/IdentityServer4/issues/2401",
        ),
    ),
    KnownText(
        name="idx-10205",
        party="Microsoft's library for .NET",
        text="IDX10205: Issuer validation failed. Issuer: '{issuer}'",
        causes=(Cause.ISSUER,),
        checks=(Check.ISSUER,),
        meaning="The token's `iss` is not the issuer that the program accepts.",
        advice="Compare the two, byte for byte.",
        sources=(
            "https://github.com/AzureAD/azure-activedirectory-identitymodel-extensions-for-dotnet/blob/HEAD/src/Microsoft.IdentityModel.Tokens/LogMessages.cs",
        ),
    ),
    KnownText(
        name="idx-10214",
        party="Microsoft's library for .NET",
        text="IDX10214: Audience validation failed. Audiences:",
        causes=(Cause.AUDIENCE,),
        checks=(Check.AUDIENCE,),
        meaning="The token's `aud` is not among the audiences that the program accepts.",
        advice="Project the token with the program's audience.",
        sources=(
            "https://github.com/AzureAD/azure-activedirectory-identitymodel-extensions-for-dotnet/blob/HEAD/src/Microsoft.IdentityModel.Tokens/LogMessages.cs",
        ),
    ),
)
