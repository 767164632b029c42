// Two servers with a store each, and one Redis: limits are counted together, and when Redis hangs or is gone
// nobody notices but by that (G10).
//
//   node tests/real/redis/two_servers.mjs BINARY

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Client, Server } from "../barterline.mjs";
import { Redis, hears } from "./redis.mjs";

const binary = process.argv[2];
const data = mkdtempSync(join(tmpdir(), "barterline-"));
const redis = await Redis.start();
const servers = [];
/** What anybody may do. */
const BURST = 40;
/** Guesses of which no server alone would refuse one, if they come in turn: five are free at each. */
const GUESSES = 9;
const ANSWER_WITHIN_MS = 5_000;

/** Asks for something, and gives status and milliseconds. */
async function ask(server, path, options) {
  const asked = performance.now();
  const response = await fetch(`http://${server.listening}${path}`, options);
  const body = await response.text();
  const took = performance.now() - asked;
  return { status: response.status, took, headers: response.headers, body };
}

const logIn = (server, email, password) =>
  ask(server, "/v1/sessions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email, password }),
  });

try {
  const env = {
    ...redis.env,
    BARTERLINE_LIMITS__ENABLED: "true",
    BARTERLINE_LIMITS__REQUESTS_PER_MINUTE: "1",
    BARTERLINE_LIMITS__REQUESTS_BURST: String(BURST),
  };
  for (const name of ["one", "two"]) {
    if (name === "two") {
      // By which addresses are known again, and so what guesses are counted by.
      mkdirSync(join(data, "two/keys"), { recursive: true, mode: 0o700 });
      cpSync(join(data, "one/keys/data-keys.json"), join(data, "two/keys/data-keys.json"));
    }
    servers.push(await Server.start(binary, join(data, name), undefined, env));
  }
  const [one, two] = servers;
  for (const server of servers) await hears(server);

  const person = async (server, name) => {
    const [email, password] = [`${name}@example.org`, `${name} has a long password`];
    await server.post("/v1/accounts", { email, password, name });
    return (await server.post("/v1/sessions", { email, password })).access_token;
  };
  const bearer = { headers: { authorization: `Bearer ${await person(one, "ana")}` } };
  const ben = await person(two, "ben");

  // Guesses at one account, each at another server than the one before.
  let delayed = 0;
  for (let n = 0; n < GUESSES; n += 1) {
    const { status, body } = await logIn(servers[n % 2], "carla@example.org", "a wrong password");
    assert.ok(status === 401 || (status === 429 && body.includes("log_ins")), body);
    delayed += Number(status === 429);
  }
  assert.ok(delayed > 0, "guesses are counted together");

  const took = [];
  const requests = async (count) => {
    const statuses = [];
    for (let n = 0; n < count; n += 1) {
      // Strangers' limit is that of their address, which is the same at both.
      const { status, took: ms } = await ask(servers[n % 2], "/v1/openapi.json");
      statuses.push(status);
      took.push(ms);
    }
    return statuses.filter((status) => status === 200).length;
  };
  const asked = 4 + GUESSES;
  assert.equal(await requests(BURST), BURST - asked, "counted together");
  const refused = await ask(two, "/v1/openapi.json");
  assert.equal(refused.status, 429);
  assert.match(refused.headers.get("ratelimit"), /r=0;/);
  assert.ok(Number(refused.headers.get("retry-after")) > 0);

  // What is read of a session is kept, sealed.
  const read = await ask(one, "/v1/accounts/me", bearer);
  assert.equal(read.status, 200);
  const [kept] = redis.say("keys", "*:session:*").split("\n");
  assert.match(redis.say("get", kept), /^v4\.local\./);
  assert.ok(Number(redis.say("ttl", kept)) <= 30);
  assert.equal((await ask(one, "/v1/accounts/me", bearer)).status, 200);
  const ended = await ask(one, "/v1/sessions/current", { method: "DELETE", ...bearer });
  assert.equal(ended.status, 204);
  assert.equal((await ask(one, "/v1/accounts/me", bearer)).status, 401, "at once");
  assert.equal(redis.say("get", kept), "");
  assert.ok(Number(redis.say("ttl", kept)) > 30, "a mark is in its place");

  // Redis hangs: each answers as before, each counts for itself, and none for long.
  redis.signal("SIGSTOP");
  took.length = 0;
  assert.ok((await requests(2 * BURST)) > 0, "each for itself");
  const longest = Math.max(...took);
  assert.ok(longest < ANSWER_WITHIN_MS, `an answer took ${longest} ms`);
  for (const server of servers) await hears(server, 0);
  redis.signal("SIGCONT");
  for (const server of servers) await hears(server);

  // It dies. Whoever comes then is let in by the store.
  await redis.kill();
  for (const server of servers) await hears(server, 0);
  for (const server of servers) {
    const ready = await fetch(`http://${server.admin}/health/ready`);
    assert.equal(ready.status, 200, "what is not needed keeps nobody from serving");
  }
  const client = new Client("ben", ben);
  await client.connect(two.listening);
  client.socket.close();
  await redis.launch();
  for (const server of servers) await hears(server);
  console.log(`ok    two servers count together; without Redis an answer took ${longest.toFixed(0)} ms at most`);
} finally {
  await Promise.all(servers.map((server) => server.kill()));
  await redis.end();
  rmSync(data, { recursive: true, force: true });
}
