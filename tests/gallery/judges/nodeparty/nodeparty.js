// A relying party in Node: oauth4webapi reads the discovery document, jose the key set and the token.
//
// One question a line, {"name", "issuer", "audience", "token"}; one answer a line, {"name", "accepts", "says"}.
// The roots that it trusts are in NODE_EXTRA_CA_CERTS.
import { createInterface } from "node:readline";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { discoveryRequest, processDiscoveryResponse } from "oauth4webapi";

// Twice the time of STS, because a hundred issuers are asked at once.
const TIMEOUT_MS = 10_000;

async function verify({ issuer, audience, token }) {
  const url = new URL(issuer);
  const answer = await discoveryRequest(url, { algorithm: "oidc", signal: () => AbortSignal.timeout(TIMEOUT_MS) });
  const server = await processDiscoveryResponse(url, answer);
  const keys = createRemoteJWKSet(new URL(server.jwks_uri), { timeoutDuration: TIMEOUT_MS });
  const algorithms = server.id_token_signing_alg_values_supported;
  await jwtVerify(token, keys, { issuer, audience, algorithms });
}

function said(error) {
  const cause = error.cause?.code ?? error.cause?.message ?? "";
  return `${error.name}: ${error.message}${cause ? ` (${cause})` : ""}`;
}

const asked = [];
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  const answered = verify(question)
    .then(() => ({ accepts: true, says: "" }))
    .catch((error) => ({ accepts: false, says: said(error) }))
    .then((answer) => console.log(JSON.stringify({ name: question.name, ...answer })));
  asked.push(answered);
}
await Promise.all(asked);
process.exit(0);
