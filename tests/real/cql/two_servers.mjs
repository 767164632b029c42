// Two server processes on one cluster append to one chat at the same time, the buyer on one and the
// seller on the other: one order, no gap, nothing twice (G1 to G3).
//
//   node tests/real/cql/two_servers.mjs BINARY [APPENDS] [redis]
//
// With `redis` they share one, and a socket follows its session within two seconds instead of half a minute.
// The cluster is the one that the environment names (BARTERLINE_SCYLLA__…), and so are the keys
// (BARTERLINE_KEYS__DIRECTORY): they are all that the two share beside it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Client, Server } from "../barterline.mjs";
import { Redis, hears } from "../redis/redis.mjs";

const [binary, appends = "600", sharing] = process.argv.slice(2);
const all = Number(appends);
const data = mkdtempSync(join(tmpdir(), "barterline-"));
const servers = [];
const redis = sharing === "redis" ? await Redis.start() : null;
const FOUND_MS = 20_000;
// Half a minute, and time for the look and the goodbye on a busy machine.
const SESSION_ENDS_MS = redis ? 2_000 : 45_000;

async function person(name) {
  // Another run may have been on the same keyspaces.
  const email = `${name}-${process.pid}@example.org`;
  const password = `${name} has a long password`;
  await servers[0].post("/v1/accounts", { email, password, name });
  const { access_token } = await servers[0].post("/v1/sessions", { email, password });
  return Object.assign(new Client(name, access_token), { email, password });
}

/** Says so much, each once the one before is acknowledged; gives how often it had to try again. */
async function talk(client, chat, count) {
  let again = 0;
  for (let n = 1; n <= count; n += 1) {
    const message = client.send(chat, `${client.name} ${n}`);
    for (;;) {
      const answers = (kind, _, body) => ["ack", "error"].includes(kind) && body.id === message.id;
      const [kind, , body] = await client.hear(answers, `an answer to message ${n}`);
      client.heard = [];
      if (kind === "ack") break;
      assert.ok(["busy", "unavailable"].includes(body.code), JSON.stringify(body));
      again += 1;
      client.raw(JSON.stringify(["send", 1_000_000 + again, message]));
    }
  }
  return again;
}

async function history(server, token, chat) {
  const events = [];
  for (;;) {
    const after = events.at(-1)?.seq ?? 0;
    const path = `/v1/chats/${chat}/events?after=${after}&limit=100`;
    const response = await fetch(`http://${server.listening}${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const page = await response.json();
    assert.equal(response.status, 200, JSON.stringify(page));
    if (page.events.length === 0) return events;
    events.push(...page.events);
  }
}

/** Waits until each server finds a listing by what it says, in an index of its own. */
async function found(listing, text) {
  const deadline = performance.now() + FOUND_MS;
  for (const server of servers) {
    const path = `/v1/listings?text=${encodeURIComponent(text)}&sort=newest`;
    for (;;) {
      const response = await fetch(`http://${server.listening}${path}`);
      const answer = await response.json();
      if (response.ok && answer.listings.some((hit) => hit.listing.id === listing)) break;
      // Until there is a first index.
      assert.ok(response.ok || response.status === 503, JSON.stringify(answer));
      assert.ok(performance.now() < deadline, `a server does not find ${text}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** Edits a listing at a server, and waits until the other one shows what its chat was told of it. */
async function edit(at, seller, listing, chat, edit) {
  const response = await fetch(`http://${servers[at].listening}/v1/listings/${listing}`, {
    method: "PATCH",
    headers: { authorization: `Bearer ${seller.token}`, "content-type": "application/json" },
    body: JSON.stringify(edit),
  });
  const edited = await response.json();
  assert.equal(response.status, 200, JSON.stringify(edited));
  const deadline = performance.now() + FOUND_MS;
  for (;;) {
    const { kind, listing: told } = (await history(servers[1 - at], seller.token, chat)).at(-1);
    if (kind === "listing" && told.version === edited.version) return told;
    assert.ok(performance.now() < deadline, `nobody tells of ${JSON.stringify(edit)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** How often a server was not the first. */
async function conflicts(server) {
  const response = await fetch(`http://${server.admin}/metrics`);
  const [, count] = (await response.text()).match(/^barterline_database_conflicts_total (\d+)/m);
  return Number(count);
}

try {
  for (const name of ["one", "two"]) {
    servers.push(await Server.start(binary, join(data, name), undefined, redis?.env));
  }
  if (redis) await Promise.all(servers.map((server) => hears(server)));
  const [buyer, seller] = [await person("buyer"), await person("seller")];
  const price = { minor: 12_000, currency: "EUR" };
  const body = { title: "City bike", description: "", price };
  const listing = (await servers[0].post("/v1/listings", body, seller.token)).id;
  await found(listing, "citi bikes");
  await buyer.connect(servers[0].listening);
  await seller.connect(servers[1].listening);
  const { chat } = (await buyer.ask("open", { listing }))[2];

  // A log-in that is ended at one server, and its socket at the other.
  const { email, password } = buyer;
  const session = await servers[0].post("/v1/sessions", { email, password });
  const elsewhere = new Client("buyer elsewhere", session.access_token);
  await elsewhere.connect(servers[1].listening);
  const ended = performance.now();
  const closed = new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("its socket lives on")), SESSION_ENDS_MS);
    elsewhere.socket.onclose = ({ code }) => {
      clearTimeout(late);
      resolve([code, (performance.now() - ended) / 1_000]);
    };
  });
  // Told where it is waited for.
  closed.catch(() => {});
  const loggedOut = await fetch(`http://${servers[0].listening}/v1/sessions/current`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${session.access_token}` },
  });
  assert.equal(loggedOut.status, 204);

  // At once, before anything keeps the machine busy.
  if (redis) await closed;

  const half = Math.floor(all / 2);
  const begun = performance.now();
  const again = await Promise.all([talk(buyer, chat, half), talk(seller, chat, all - half)]);
  const seconds = (performance.now() - begun) / 1_000;
  const met = (await Promise.all(servers.map(conflicts))).reduce((a, b) => a + b);

  const [first, second] = await Promise.all(servers.map((at) => history(at, buyer.token, chat)));
  assert.deepEqual(first, second, "both servers show the same");
  assert.deepEqual(first.map(({ seq }) => seq), Array.from({ length: all }, (_, n) => n + 1));
  for (const [from, name] of [["buyer", "buyer"], ["seller", "seller"]]) {
    const said = first.filter((event) => event.from === from).map(({ text }) => text);
    const count = name === "buyer" ? half : all - half;
    assert.deepEqual(said, Array.from({ length: count }, (_, n) => `${name} ${n + 1}`));
  }
  assert.ok(met > 0, "they never met");

  // Only the feed tells a server of what was edited at the other, where nobody speaks about it.
  const quiet = (await servers[0].post("/v1/listings", body, seller.token)).id;
  const { chat: aside } = (await buyer.ask("open", { listing: quiet }))[2];
  await talk(buyer, aside, 1);
  const halfPrice = { minor: 6_000, currency: "EUR" };
  const fed = await edit(1, seller, quiet, aside, { price: halfPrice });
  assert.deepEqual(fed, { version: 2, price: { old: price, new: halfPrice } });

  // Where both have the chat in memory each tells, and it is told once.
  const cheaper = { minor: 11_000, currency: "EUR" };
  const lower = await edit(1, seller, listing, chat, { price: cheaper });
  assert.deepEqual(lower, { version: 2, price: { old: price, new: cheaper } });
  const reserved = await edit(0, seller, listing, chat, { status: "reserved" });
  assert.deepEqual(reserved, { version: 3, status: { old: "active", new: "reserved" } });
  await Promise.all([talk(buyer, chat, 10), talk(seller, chat, 10)]);
  const told = await Promise.all(servers.map((at) => history(at, buyer.token, chat)));
  assert.deepEqual(told[0], told[1], "both servers show the same");
  const versions = told[0].filter(({ kind }) => kind === "listing");
  assert.deepEqual(versions.map(({ listing }) => listing.version), [2, 3], "each is told once");
  const [code, after] = await closed;
  assert.equal(code, 4300, "the session was ended");
  const rate = (all / seconds).toFixed(0);
  const retries = again[0] + again[1];
  console.log(
    `ok    ${all} appends to one chat by two processes: ${met} conflicts, ${retries} tried again, ` +
      `${rate}/s`,
  );
  console.log("ok    what is offered at one server is found at both");
  console.log("ok    a chat is told at one server of an edit at the other, and once where both tell it");
  console.log(`ok    a socket followed its session, ended at another server, in ${after.toFixed(1)} s`);
} finally {
  await Promise.all(servers.map((server) => server.kill()));
  await redis?.end();
  rmSync(data, { recursive: true, force: true });
}
