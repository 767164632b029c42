// Files of a chat whose bytes are in a bucket: uploaded in all three ways, sent, fetched, taken back; and a
// bucket that hangs or is gone.
//
//   node tests/real/s3/files.mjs BINARY S3S_FS DIR

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { Server } from "../barterline.mjs";
import { CAMERA, photo } from "../picture.mjs";
import { S3 } from "./s3.mjs";

const [binary, s3Binary, dir] = process.argv.slice(2);
/** Whoever asks for what is not there at the moment is told so in this time. */
const ANSWER_WITHIN_MS = 70_000;
const PATIENCE_MS = 60_000;

const s3 = await S3.start(s3Binary, join(dir, "s3"));
const server = await Server.start(binary, join(dir, "data"), undefined, s3.env);
const step = (name) => console.log(`ok    ${name}`);

/** Waits until something is so. */
async function until(holds, what) {
  const end = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    assert.ok(performance.now() < end, `waited too long for ${what}`);
    await pause(100);
  }
}

/** Asks for something; gives status, headers, bytes, JSON if it is that, and how long it took. */
async function ask(method, path, { token, headers = {}, body, status } = {}) {
  const asked = performance.now();
  const authorization = token && { authorization: `Bearer ${token}` };
  const isJson = body !== undefined && !Buffer.isBuffer(body);
  const response = await fetch(`http://${server.listening}${path}`, {
    method,
    headers: { ...(isJson && { "content-type": "application/json" }), ...authorization, ...headers },
    body: isJson ? JSON.stringify(body) : body,
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const took = performance.now() - asked;
  const json = response.headers.get("content-type")?.includes("json") ? JSON.parse(bytes.toString()) : undefined;
  if (status !== undefined) assert.equal(response.status, status, `${method} ${path}: ${bytes.subarray(0, 500)}`);
  return { status: response.status, headers: response.headers, bytes, json, took };
}

async function person(name) {
  const [email, password] = [`${name}@example.org`, `${name} has a long password`];
  await server.post("/v1/accounts", { email, password, name });
  return (await server.post("/v1/sessions", { email, password })).access_token;
}

/** What becomes of a file when all its bytes are there. */
async function ready(id, token) {
  let media;
  await until(async () => {
    media = (await ask("GET", `/v1/media/${id}`, { token, status: 200 })).json;
    return media.state === "ready";
  }, `${id} to be ready`);
  return media;
}

/** Whether the bucket has nothing of a file. */
const vanished = (id) => s3.objects(id).length === 0;

try {
  const [ana, ben] = [await person("ana"), await person("ben")];
  const price = { minor: 12_000, currency: "EUR" };
  const listing = await server.post("/v1/listings", { title: "City bike", price }, ben);
  const { chat } = await server.post("/v1/chats", { listing: listing.id }, ana);
  const create = async (name, size, status = 201) =>
    (await ask("POST", "/v1/media", { token: ana, body: { chat, name, size }, status })).json;
  const put = (id, body) => ask("PUT", `/v1/media/${id}/content`, { token: ana, body });
  const say = async (body, status = 201) => {
    const headers = { "idempotency-key": randomUUID() };
    return (await ask("POST", `/v1/chats/${chat}/events`, { token: ana, headers, body, status })).json.seq;
  };
  const send = (media) => say({ kind: "media", media });
  const content = (id, token, more = {}) => ask("GET", `/v1/media/${id}/content${more.query ?? ""}`, { token, ...more });
  const sent = [];

  const picture = photo(1_600, 1_200);
  {
    const { id } = await create("bike.jpg", picture.length);
    await content(id, ben, { status: 404 });
    const { status } = await put(id, picture);
    assert.ok([200, 202].includes(status), `a picture: ${status}`);
    const media = await ready(id, ana);
    assert.deepEqual(media.pictures.map(({ size }) => size), ["full", "medium", "thumb"]);
    sent.push({ id, seq: await send(id) });
    for (const size of ["full", "medium", "thumb"]) {
      const { bytes, headers } = await content(id, ben, { query: `?size=${size}`, status: 200 });
      assert.match(headers.get("content-type"), /^image\//);
      assert.ok(!bytes.includes("Exif") && !bytes.includes(CAMERA), `${size}: nothing of the camera`);
    }
    await until(() => !s3.objects(id).some((name) => name.endsWith("raw")), "what was uploaded to go");
  }
  step("a picture goes through the server into the bucket, and from there to the other, without where it was taken");

  {
    const { id } = await create("again.jpg", picture.length);
    const direct = await ask("POST", `/v1/media/${id}/direct`, { token: ana, status: 201 });
    const { url, headers, expires_at: ends } = direct.json;
    assert.ok(ends > Date.now(), "it ends, and has not yet");
    assert.ok(url.startsWith(s3.env.BARTERLINE_MEDIA__ENDPOINT), url);
    await ask("POST", `/v1/media/${id}/complete`, { token: ana, status: 409 });
    const store = async (body) => {
      const stored = await fetch(url, { method: "PUT", headers, body });
      assert.equal(stored.status, 200, await stored.text());
    };
    // S3 takes what it is given: the server counts.
    await store(Buffer.concat([picture, picture]));
    await ask("POST", `/v1/media/${id}/complete`, { token: ana, status: 413 });
    await store(picture);
    const { status } = await ask("POST", `/v1/media/${id}/complete`, { token: ana });
    assert.ok([200, 202].includes(status), `complete: ${status}`);
    await ready(id, ana);
    sent.push({ id, seq: await send(id) });
    const { bytes } = await content(id, ben, { query: "?size=thumb", status: 200 });
    assert.ok(!bytes.includes(CAMERA), "what came by another way is looked at as well");
  }
  step("a picture goes straight into the bucket by a signed address");

  const document = Buffer.concat([Buffer.from("%PDF-1.7\n"), randomBytes(11 * 1024 * 1024), Buffer.from("\n%%EOF\n")]);
  {
    const tus = { "tus-resumable": "1.0.0" };
    const metadata = Object.entries({ chat, filename: "papers.pdf" })
      .map(([key, value]) => `${key} ${Buffer.from(value).toString("base64")}`)
      .join(",");
    const made = await ask("POST", "/v1/uploads", {
      token: ana,
      headers: { ...tus, "upload-length": String(document.length), "upload-metadata": metadata },
      status: 201,
    });
    const place = new URL(made.headers.get("location"), `http://${server.listening}`).pathname;
    const id = place.split("/").at(-1);
    const type = { "content-type": "application/offset+octet-stream" };
    const half = 6 * 1024 * 1024;
    for (const [from, to] of [[0, half], [half, document.length]]) {
      const headers = { ...tus, ...type, "upload-offset": String(from) };
      const part = { token: ana, headers, body: document.subarray(from, to), status: 204 };
      const { headers: told } = await ask("PATCH", place, part);
      assert.equal(told.get("upload-offset"), String(to));
      if (from === 0) {
        const { headers: where } = await ask("HEAD", place, { token: ana, headers: tus });
        assert.equal(where.get("upload-offset"), String(half));
        assert.equal(where.get("upload-metadata"), metadata);
      }
    }
    const media = await ready(id, ana);
    assert.deepEqual([media.name, media.type, media.bytes], ["papers.pdf", "application/pdf", document.length]);
    sent.push({ id, seq: await send(id) });
    const whole = await content(id, ben, { status: 200 });
    assert.ok(whole.bytes.equals(document), "as it was");
    assert.match(whole.headers.get("content-disposition"), /^attachment/);
    const part = await content(id, ben, { headers: { range: "bytes=6291450-6291469" }, status: 206 });
    assert.ok(part.bytes.equals(document.subarray(6_291_450, 6_291_470)), "across what came in two parts");
    assert.equal(part.headers.get("content-range"), `bytes 6291450-6291469/${document.length}`);
    const beyond = await content(id, ben, { headers: { range: `bytes=${document.length}-` }, status: 416 });
    assert.equal(beyond.headers.get("content-range"), `bytes */${document.length}`);
    await until(() => !s3.objects(id).some((name) => name.includes("part-")), "the parts to go");
  }
  step("a document goes up in parts, and comes down whole and in parts");

  for (const { id, seq } of sent) {
    await say({ kind: "delete", target: seq });
    for (const token of [ana, ben]) await content(id, token, { status: 404 });
  }
  for (const { id } of sent) await until(() => vanished(id), `the objects of ${id} to go`);
  const { id: never } = await create("never.jpg", picture.length);
  await put(never, picture);
  await ready(never, ana);
  await ask("DELETE", `/v1/media/${never}`, { token: ana, status: 204 });
  await until(() => vanished(never), "the objects of what was never sent to go");
  assert.deepEqual(s3.objects(), [], "nothing is left in the bucket");
  step("what was taken back is gone for both, and from the bucket");

  const kept = (await create("kept.jpg", picture.length)).id;
  await put(kept, picture);
  await ready(kept, ana);
  await send(kept);
  const late = (await create("late.jpg", picture.length)).id;
  const isTold = async (what) => {
    for (const answer of [await put(late, picture), await content(kept, ben)]) {
      assert.equal(answer.status, 503, `${what}: ${answer.status} ${answer.bytes.subarray(0, 300)}`);
      assert.ok(answer.headers.has("retry-after"), `${what}: when to come again`);
      assert.ok(answer.took < ANSWER_WITHIN_MS, `${what}: an answer took ${answer.took.toFixed(0)} ms`);
    }
    const { json } = await ask("GET", `/v1/media/${late}`, { token: ana, status: 200 });
    assert.equal(json.state, "waiting", `${what}: nothing is half there`);
    await say({ kind: "text", text: `We talk on (${what})` });
    assert.equal((await fetch(`http://${server.admin}/health/ready`)).status, 200);
  };
  s3.signal("SIGSTOP");
  await isTold("it hangs");
  s3.signal("SIGCONT");
  await s3.kill();
  await isTold("it is gone");
  await s3.launch();
  await content(kept, ben, { status: 200 });
  const { status } = await put(late, picture);
  assert.ok([200, 202].includes(status), `later: ${status}`);
  await ready(late, ana);
  await send(late);
  await content(late, ben, { status: 200 });
  step("while the bucket hangs or is gone everybody is told so and talks on, and then files go again");
} finally {
  await server.kill();
  await s3.kill();
}
