// From a registration to a conversation, as a web page goes: through a proxy that ends TLS, with mail that a
// relay took. Register, confirm, log in with a cookie, refresh by it, ask, open a socket, talk, leave.
//
//   node tests/real/walk/walk.mjs BINARY TOOLS DIR
//
// TOOLS has the relay, DIR a certificate for localhost that NODE_EXTRA_CA_CERTS names.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { Client, Server, within } from "../barterline.mjs";

const [binary, tools, dir] = process.argv.slice(2);
const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const running = [];

/** A port that is free now. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

/** Tries until something comes of it. */
async function until(attempt, what) {
  const tried = async () => {
    for (;;) {
      const found = await attempt().catch(() => null);
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return within(tried(), what);
}

function start(command, args) {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => (said = (said + chunk).slice(-2_000)));
  child.on("exit", (code) => code && !child.killed && console.error(`${command} ended with ${code}: ${said}`));
  running.push(child);
  return child;
}

/** The relay; gives what it was given for an address. */
async function relay() {
  const [smtp, web] = [await freePort(), await freePort()];
  const maildev = join(tools, "node_modules/maildev/bin/maildev");
  const ports = ["--smtp", smtp, "--web", web, "--ip", "127.0.0.1", "--silent"];
  start(process.execPath, [maildev, ...ports.map(String)]);
  const mails = async () => (await fetch(`http://127.0.0.1:${web}/email`)).json();
  await until(mails, "the relay");
  const mailTo = async (email) => (await mails()).find(({ to }) => to[0].address === email);
  return { smtp, mailTo: (email) => until(() => mailTo(email), `a mail to ${email}`) };
}

/** The proxy; gives its origin. */
async function proxy(upstream) {
  const port = await freePort();
  const filled = { DIR: dir, PORT: port, UPSTREAM: upstream };
  const template = readFileSync(join(here, "nginx.conf"), "utf8");
  const config = template.replaceAll(/\b(DIR|PORT|UPSTREAM)\b/g, (name) => filled[name]);
  writeFileSync(join(dir, "nginx.conf"), config.replace(/^#.*\n/gm, ""));
  start("nginx", ["-p", dir, "-e", join(dir, "error.log"), "-c", join(dir, "nginx.conf")]);
  const origin = `https://localhost:${port}`;
  await until(() => fetch(`${origin}/v1/openapi.json`), "the proxy");
  return origin;
}

function step(what) {
  console.log(`ok    ${what}`);
}

try {
  const { smtp, mailTo } = await relay();
  Object.assign(process.env, {
    BARTERLINE_MAIL__TRANSPORT: "smtp",
    BARTERLINE_MAIL__HOST: "127.0.0.1",
    BARTERLINE_MAIL__PORT: String(smtp),
    BARTERLINE_MAIL__SECURITY: "none",
    BARTERLINE_MAIL__FROM: "Shop <no-reply@shop.example>",
    BARTERLINE_MAIL__LINK: "https://shop.example/account",
    BARTERLINE_SERVER__TRUSTED_PROXIES: "127.0.0.1",
  });
  mkdirSync(join(dir, "data"));
  const server = await Server.start(binary, join(dir, "data"));
  running.push(server.child);
  const origin = await proxy(server.listening);

  const ask = async (method, path, { body, token, headers, status }) => {
    const answer = await fetch(`${origin}${path}`, {
      method,
      headers: {
        origin,
        ...(body && { "content-type": "application/json" }),
        ...(token && { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    assert.equal(answer.status, status, `${method} ${path}: ${text}`);
    return { headers: answer.headers, body: text && JSON.parse(text) };
  };

  const person = async (name) => {
    const [email, password] = [`${name}@example.org`, `${name} has a long password`];
    const asked = await ask("POST", "/v1/accounts", { body: { email, password, name }, status: 202 });
    assert.match(asked.headers.get("strict-transport-security") ?? "", /max-age=/, "it is known that TLS ends before");
    await ask("POST", "/v1/sessions", { body: { email, password }, status: 401 });
    const mail = await mailTo(email);
    const [, token] = mail.text.match(/#confirm=(\S+)/);
    await ask("POST", "/v1/accounts/confirm", { body: { token, password }, status: 201 });
    return { email, password, name };
  };
  const [ana, ben] = [await person("ana"), await person("ben")];
  step("two people register and confirm their addresses by mail");

  const logIn = async ({ email, password }) => {
    const body = { email, password, cookie: true };
    const { headers, body: session } = await ask("POST", "/v1/sessions", { body, status: 201 });
    const cookie = headers.get("set-cookie");
    assert.match(cookie, /^__Host-barterline-refresh=\S+; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
    assert.equal(session.refresh_token, undefined, "no script gets it");
    return { cookie: cookie.split(";")[0], token: session.access_token };
  };
  const refresh = (cookie, from, status) =>
    ask("POST", "/v1/sessions/refresh", { body: {}, headers: { cookie, origin: from }, status });
  const session = await logIn(ana);
  await refresh(session.cookie, "https://evil.example", 403);
  const next = await refresh(session.cookie, origin, 200);
  const token = next.body.access_token;
  const me = await ask("GET", "/v1/accounts/me", { token, status: 200 });
  assert.equal(me.body.name, "ana");
  step("a page logs in, refreshes by its cookie and asks; a page of others does not");

  const seller = new Client("ben", (await logIn(ben)).token);
  const buyer = new Client("ana", token);
  const offered = { title: "City bike", description: "", price: { minor: 12_000, currency: "EUR" } };
  const listing = await ask("POST", "/v1/listings", { body: offered, token: seller.token, status: 201 });
  await buyer.connect(origin.replace("https", "wss"));
  await seller.connect(origin.replace("https", "wss"));
  const { chat } = (await buyer.ask("open", { listing: listing.body.id }))[2];
  buyer.send(chat, "Is it still there?");
  const [, , heard] = await seller.hear((kind) => kind === "event", "what ana says");
  assert.equal(heard.text, "Is it still there?");
  step("both talk over sockets through the proxy");

  const erasure = { body: { password: ana.password }, token, status: 200 };
  const { body: erased } = await ask("POST", "/v1/accounts/me/erasure", erasure);
  assert.deepEqual(erased, { done: true });
  await buyer.hear((kind, _, body) => kind === "(closed)" && body.code === 4300, "the end of ana's socket");
  await seller.hear((kind, _, { kind: what }) => kind === "event" && what === "delete", "what ana took back");
  await ask("POST", "/v1/sessions", { body: { email: ana.email, password: ana.password }, status: 401 });
  step("who leaves is gone, and what they said with them");
} finally {
  // Told to go, and not killed: the proxy takes its workers along.
  for (const child of running.filter((child) => child.exitCode === null)) {
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    await within(gone, "the end of what was started");
  }
}
