// In at a provider that others made (oauth2-mock-server, RS256), as a page goes: begin, consent, come back,
// redeem, come in again; then a token of the same provider, exchanged for a session.
//
//   node tests/real/openid/openid.mjs BINARY TOOLS DIR

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { Server } from "../barterline.mjs";

const [binary, tools, dir] = process.argv.slice(2);
const PAGE = "https://shop.example/signed-in";

/** A port that is free now: a provider sends people back to where it was told before. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

/** Where an answer leads to, which is a redirect. */
async function redirected(url) {
  const answer = await fetch(url, { redirect: "manual" });
  assert.ok([302, 303].includes(answer.status), `${answer.status} ${await answer.text()}`);
  return new URL(answer.headers.get("location"));
}

const found = createRequire(join(tools, "package.json")).resolve("oauth2-mock-server");
const { OAuth2Server } = await import(pathToFileURL(found));
const provider = new OAuth2Server();
await provider.issuer.keys.generate("RS256");
await provider.start(0, "127.0.0.1");
provider.issuer.url = `http://127.0.0.1:${provider.address().port}`;
provider.service.on("beforeTokenSigning", ({ payload }) => {
  Object.assign(payload, { sub: "ana", name: "Ana Çelik", email: "ana@example.org", email_verified: true });
});

const port = await freePort();
Object.assign(process.env, {
  BARTERLINE_SIGN_IN__PUBLIC_URL: `http://127.0.0.1:${port}`,
  BARTERLINE_SIGN_IN__RETURN_TO: PAGE,
  BARTERLINE_PROVIDERS__MOCK__ISSUER: provider.issuer.url,
  BARTERLINE_PROVIDERS__MOCK__CLIENT_ID: "shop",
  BARTERLINE_PROVIDERS__MOCK__CLIENT_SECRET: "hunter2",
  BARTERLINE_ISSUERS__MOCK__ISSUER: provider.issuer.url,
  BARTERLINE_ISSUERS__MOCK__AUDIENCE: "market",
});
const server = await Server.start(binary, join(dir, "data"), `127.0.0.1:${port}`);
try {
  const signIn = async () => {
    const verifier = randomBytes(32).toString("base64url");
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    const { url } = await server.post("/v1/sign-in/mock", { challenge, return_to: PAGE });
    const back = await redirected(await redirected(url));
    assert.equal(`${back.origin}${back.pathname}`, PAGE);
    assert.equal(back.searchParams.get("error"), null);
    return server.post("/v1/sign-in/redeem", { code: back.searchParams.get("code"), verifier });
  };
  const get = async (path, { access_token }) => {
    const headers = { authorization: `Bearer ${access_token}` };
    const answer = await fetch(`http://${server.listening}${path}`, { headers });
    assert.equal(answer.status, 200);
    return answer.json();
  };
  const first = await signIn();
  assert.equal((await get("/v1/accounts/me", first)).name, "Ana Çelik");
  console.log("ok    somebody signs up at a provider");
  assert.equal((await signIn()).user, first.user);
  console.log("ok    and comes in again");

  const token = await provider.issuer.buildToken({
    scopesOrTransform: (_, payload) => Object.assign(payload, { aud: "market", sub: "ana" }),
  });
  const session = await server.post("/v1/sessions/exchange", { token });
  assert.equal(session.user, first.user);
  assert.equal((await get("/v1/sessions", session)).sessions.length, 3);
  console.log("ok    a token of the same issuer is exchanged");
  const [head, claims, signature] = token.split(".");
  const forged = [head, claims, signature.replace(/^./, (c) => (c === "A" ? "B" : "A"))].join(".");
  await assert.rejects(server.post("/v1/sessions/exchange", { token: forged }), /401.*exchange\.token_invalid/);
  console.log("ok    and a forged one is not");
} finally {
  await server.kill();
  await provider.stop();
}
