// What a newcomer does after reading docs/protocol.md, against the real binary: two accounts, a
// listing, a chat, a crash in the middle of a sentence, and the talk goes on.
//
//   node tests/real/first_session.mjs target/ci/barterline

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Client, Server } from "./barterline.mjs";
import { CAMERA, photo } from "./picture.mjs";

const binary = process.argv[2] ?? "target/ci/barterline";
const data = mkdtempSync(join(tmpdir(), "barterline-"));
let server = await Server.start(binary, data);
let [passed, failed] = [0, 0];

async function step(name, body) {
  try {
    await body();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n${error.stack}`);
  }
}

async function person(name) {
  const [email, password] = [`${name}@example.org`, `${name} has a long password`];
  await server.post("/v1/accounts", { email, password, name });
  const { access_token } = await server.post("/v1/sessions", { email, password });
  return new Client(name, access_token);
}

let ana, ben, listing, chat, first, media;

await step("two people register and log in over REST", async () => {
  [ana, ben] = [await person("ana"), await person("ben")];
});

await step("ben puts a bike up for sale", async () => {
  const price = { minor: 12_000, currency: "EUR" };
  const body = { title: "City bike, 7 gears", description: "Good brakes.", price };
  listing = (await server.post("/v1/listings", body, ben.token)).id;
});

await step("both open their streams, without a token in the URL", async () => {
  await Promise.all([ana.connect(server.listening), ben.connect(server.listening)]);
  assert.equal(ana.welcome.version, 1);
  assert.equal(ana.welcome.limits.text_chars, 4000);
});

await step("ana opens the chat, and opening again gives the same", async () => {
  const [kind, , row] = await ana.ask("open", { listing });
  assert.equal(kind, "chat");
  assert.deepEqual([row.head, row.role, row.title], [0, "buyer", "City bike, 7 gears"]);
  chat = row.chat;
  assert.equal((await ana.ask("open", { listing }))[2].chat, chat);
});

await step("what one says, the other hears, in one order", async () => {
  first = ana.send(chat, "Is the bike still for sale?");
  ana.send(chat, "Größe? 🚲");
  ana.send(chat, "I could come today.");
  await ben.hear((kind, _, body) => kind === "event" && body.seq === 3, "event 3");
  ben.send(chat, "Yes.");
  await ana.hear((kind, _, body) => kind === "event" && body.seq === 4, "event 4");
  await ben.hear((kind, _, body) => kind === "ack" && body.seq === 4, "ack 4");
  assert.deepEqual(ana.texts(chat), ben.texts(chat));
  assert.equal(ana.texts(chat).length, 4);
  const own = ana.heard.filter(([kind, , body]) => kind === "event" && body.from === "buyer");
  assert.equal(own.length, 0, "the sender's connection hears ack in the place of event");
});

await step("a retry gets the first number back, marked as a repeat", async () => {
  const [kind, , ack] = await ana.ask("send", first);
  assert.deepEqual([kind, ack.seq, ack.repeat], ["ack", 1, true]);
  const [refused, , error] = await ana.ask("send", { ...first, text: "Something else" });
  assert.deepEqual([refused, error.code], ["error", "id.conflict"]);
});

await step("marks travel to the other side", async () => {
  assert.equal((await ben.ask("mark", { chat, delivered: 4, read: 3 }))[0], "ok");
  const read = (kind, _, body) => kind === "marks" && body.role === "seller" && body.read === 3;
  await ana.hear(read, "ben's marks");
});

await step("refusals are named, and cost no connection", async () => {
  const refusal = async (kind, body) => (await ana.ask(kind, body))[2].code;
  const say = (text) => ({ ...first, id: crypto.randomUUID(), base: ana.head(chat), text });
  assert.equal(await refusal("send", say("  ")), "text.empty");
  assert.equal(await refusal("send", say("x".repeat(4001))), "text.too_long");
  assert.equal(await refusal("send", { ...say("hi"), base: 99 }), "seq.ahead");
  assert.equal(await refusal("mark", { chat, read: 99 }), "seq.ahead");
  assert.equal(await refusal("pull", { chat: crypto.randomUUID() }), "chat.not_found");
  assert.equal(await refusal("dance", {}), "request.unknown_kind");
  assert.equal(await refusal("open", {}), "request.invalid");
  assert.equal((await ana.ask("ping", {}))[0], "pong");
});

await step("after a crash both resume, and nothing is lost or doubled", async () => {
  const talk = 200;
  for (let n = 0; n < talk; n += 1) ana.send(chat, `line ${n}`);
  await ana.hear((kind, _, body) => kind === "ack" && body.seq >= 20, "some answers");
  await server.kill();
  const acknowledged = new Map([...ana.acks].map(([id, ack]) => [id, ack.seq]));
  const heardByBen = ben.texts(chat);
  await Promise.all([ana, ben].map((one) => one.hear((kind) => kind === "(closed)", "the end")));

  server = await Server.start(binary, data, server.listening);
  await Promise.all([
    ana.connect(server.listening, [[chat, contiguous(ana)]]),
    ben.connect(server.listening, [[chat, contiguous(ben)]]),
  ]);
  for (const one of [ana, ben]) await catchUp(one, 4 + talk);
  assert.equal(ana.outbox.length, 0, "every message got its number");
  assert.deepEqual(ana.texts(chat), ben.texts(chat));
  for (const [id, seq] of acknowledged) {
    assert.equal(ana.events.get(chat).get(seq)?.id, id, `what was acknowledged stays number ${seq}`);
  }
  assert.deepEqual(ben.texts(chat).slice(0, heardByBen.length), heardByBen, "nothing was a phantom");
  const lines = ben.texts(chat).slice(4).map((text) => text.split(" line ")[1]);
  assert.deepEqual(lines, Array.from({ length: talk }, (_, n) => `${n}`), "in the order written");
});

await step("ana shows a picture, and nobody learns where it was taken", async () => {
  const picture = photo(1_600, 1_200);
  assert.ok(picture.includes("Exif") && picture.includes(CAMERA));
  const place = { chat, name: "bike.jpg", size: picture.length };
  ({ id: media } = await server.post("/v1/media", place, ana.token));
  const address = `http://${server.listening}/v1/media/${media}`;
  const by = ({ token }, more = {}) => ({ headers: { authorization: `Bearer ${token}`, ...more } });
  const put = { method: "PUT", body: picture, ...by(ana) };
  assert.equal((await fetch(`${address}/content`, put)).status, 200);
  assert.equal((await fetch(address, by(ben))).status, 404, "it was not sent yet");
  const message = { chat, id: crypto.randomUUID(), base: ana.head(chat), kind: "media", text: "Here it is", media };
  assert.equal((await ana.ask("send", message))[0], "ack");
  await ben.hear((kind, _, body) => kind === "event" && body.media === media, "the picture");
  const file = await (await fetch(address, by(ben))).json();
  assert.deepEqual([file.state, file.type, file.pictures.length], ["ready", "image/jpeg", 3]);
  const thumb = await fetch(`${address}/content?size=thumb`, by(ben));
  const bytes = Buffer.from(await thumb.arrayBuffer());
  assert.equal(thumb.headers.get("content-type"), "image/jpeg");
  assert.ok(bytes.length < 60_000 && !bytes.includes("Exif") && !bytes.includes(CAMERA));
  const part = await fetch(`${address}/content`, by(ben, { range: "bytes=0-1" }));
  assert.deepEqual([part.status, Buffer.from(await part.arrayBuffer())], [206, Buffer.from([0xff, 0xd8])]);
});

await step("a stranger learns nothing", async () => {
  const eve = await person("eve");
  await eve.connect(server.listening);
  assert.equal((await eve.ask("pull", { chat }))[2].code, "chat.not_found");
  const theirs = await fetch(`http://${server.listening}/v1/media/${media}/content`, {
    headers: { authorization: `Bearer ${eve.token}` },
  });
  assert.equal((await theirs.json()).code, "media.not_found");
  eve.socket.close();
});

await step("what is no frame costs the connection, with its reason", async () => {
  ana.raw('{"not":"a frame"}');
  const [, , bye] = await ana.hear((kind) => kind === "bye", "bye");
  const [, , { code }] = await ana.hear((kind) => kind === "(closed)", "the close");
  assert.deepEqual([bye.code, bye.reason, code], [4400, "malformed", 4400]);
});

/** The number up to which a client has every event. */
function contiguous(client) {
  let seq = 0;
  while (client.events.get(chat)?.has(seq + 1)) seq += 1;
  return seq;
}

/** Pages up to a head, as after `behind`, and waits for what is pushed. */
async function catchUp(client, head) {
  while (contiguous(client) < head) {
    const after = contiguous(client);
    const [, , page] = await client.ask("pull", { chat, after });
    if (page.events.length === 0) {
      await client.hear((kind, _, { seq }) => seq === after + 1, `number ${after + 1}`);
    }
  }
}

await server.kill();
rmSync(data, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
