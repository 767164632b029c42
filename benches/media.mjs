// What pictures cost: one of 12 megapixels by itself, and fifty at once beside people who talk, in turn with
// the same talk alone. Server on core 0; harness and uploads on core 1.
//
//   node benches/media.mjs [RUNS]
//
// Environment: BIN, where the binaries are (default: target/release); PHOTO, a file to upload (default: one
// that is made up, of 4,000 by 3,000 pixels and as many frequencies as a photograph has).
//
// This program steps back behind the harness, which measures on the same core (`chrt`, of util-linux). Memory
// is the most that the server had resident (VmHWM) since the figure before.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

import { photo } from "../tests/real/picture.mjs";

const runs = Number(process.argv[2] ?? 3);
const bin = process.env.BIN ?? "target/release";
const picture = process.env.PHOTO ? readFileSync(process.env.PHOTO) : photo(4_000, 3_000);
const SECONDS = 30;
const AT_ONCE = 50;
const ALONE = 10;
const MESSAGES_PER_SECOND = 1_000;
execFileSync("chrt", ["-a", "-i", "-p", "0", String(process.pid)]);
const agent = new Agent({ keepAlive: true, maxSockets: 2 * AT_ONCE });

/** Sends a body, JSON unless it is bytes; gives the status and the answer. */
function ask(address, method, path, body, token) {
  const [host, port] = address.split(":");
  const isBytes = Buffer.isBuffer(body);
  const bytes = isBytes ? body : Buffer.from(body === undefined ? "" : JSON.stringify(body));
  const headers = {
    "content-length": bytes.length,
    ...(body !== undefined && !isBytes && { "content-type": "application/json" }),
    ...(token && { authorization: `Bearer ${token}` }),
  };
  return new Promise((resolve, reject) => {
    const asked = request({ agent, host, port, path, method, headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => {
        const text = Buffer.concat(parts).toString();
        resolve({ status: answer.statusCode, body: text.startsWith("{") ? JSON.parse(text) : text });
      });
    });
    asked.on("error", reject);
    asked.end(bytes);
  });
}

async function must(address, method, path, body, token) {
  const answer = await ask(address, method, path, body, token);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Somebody with a chat of their own, to upload to. */
async function uploader(address, n, listing) {
  const who = { email: `person-${n}@example.org`, password: "correct horse battery" };
  await must(address, "POST", "/v1/accounts", { ...who, name: "person" });
  const token = (await must(address, "POST", "/v1/sessions", who)).access_token;
  if (listing === undefined) return { token };
  return { token, chat: (await must(address, "POST", "/v1/chats", { listing }, token)).chat };
}

/** Uploads the picture; gives the milliseconds until it can be sent, and how often it was told to come again. */
async function upload(address, { token, chat }) {
  const begun = performance.now();
  const { id } = await must(address, "POST", "/v1/media", { chat, name: "photo.jpg", size: picture.length }, token);
  let putOff = 0;
  let answer = await ask(address, "PUT", `/v1/media/${id}/content`, picture, token);
  for (; answer.status === 503; putOff += 1) {
    await pause(500 + Math.random() * 1_000);
    answer = await ask(address, "PUT", `/v1/media/${id}/content`, picture, token);
  }
  if (answer.status !== 200 && answer.status !== 202) {
    throw new Error(`an upload: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
  let { state } = answer.body;
  while (state !== "ready") {
    await pause(50);
    ({ state } = await must(address, "GET", `/v1/media/${id}`, undefined, token));
    if (state === "refused") throw new Error("the picture is refused");
  }
  const ms = performance.now() - begun;
  // So that there is room for the next.
  await must(address, "DELETE", `/v1/media/${id}`, undefined, token);
  return { ms, putOff };
}

/** MiB: what a process has resident, or the most that it had. */
function memory(pid, line) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(status.match(new RegExp(`^${line}:\\s+(\\d+) kB`, "m"))[1]) / 1_024;
}

/** From here on the most is counted anew (proc_pid_clear_refs(5)). */
const forget = (pid) => writeFileSync(`/proc/${pid}/clear_refs`, "5");

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const at = (values, share) => values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1];

async function withServer(body) {
  const data = mkdtempSync(join(tmpdir(), "barterline-"));
  const serve = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", data];
  const args = ["-c", "0", join(bin, "barterline"), ...serve, "--load-test"];
  const env = {
    ...process.env,
    BARTERLINE_LIMITS__ENABLED: "false",
    BARTERLINE_MEDIA__UPLOADS_PER_HOUR: "10000",
    BARTERLINE_LOG__LEVEL: "warn",
  };
  // Each of these becomes the next: the process is the server in the end.
  const server = spawn("chrt", ["-o", "0", "taskset", ...args], { env, stdio: ["ignore", "pipe", "ignore"] });
  try {
    const [line] = await once(createInterface({ input: server.stdout }), "line");
    const { listening, admin } = JSON.parse(line);
    const seller = await uploader(listening, "seller");
    const price = { minor: 12_000, currency: "EUR" };
    const listing = (await must(listening, "POST", "/v1/listings", { title: "Bike", price }, seller.token)).id;
    const people = [];
    for (let n = 0; n < AT_ONCE; n += 1) people.push(await uploader(listening, n, listing));
    return await body({ listening, admin, people, pid: server.pid, data });
  } finally {
    server.kill("SIGKILL");
    await once(server, "exit");
    rmSync(data, { recursive: true, force: true });
  }
}

/** One picture after the other, with nobody else there. */
async function alone() {
  await withServer(async ({ listening, people, pid }) => {
    const idle = memory(pid, "VmRSS");
    forget(pid);
    const first = (await upload(listening, people[0])).ms;
    const peak = memory(pid, "VmHWM");
    const more = [];
    for (let n = 0; n < ALONE; n += 1) more.push((await upload(listening, people[n])).ms);
    console.log(
      `one at a time, ${(picture.length / 1e6).toFixed(1)} MB: the first ready after ${first.toFixed(0)} ms, ` +
        `the next ${ALONE} after ${median(more).toFixed(0)} ms (${Math.min(...more).toFixed(0)}–${Math.max(...more).toFixed(0)}); ` +
        `memory idle ${idle.toFixed(0)} MiB, at most ${peak.toFixed(0)} MiB`,
    );
  });
}

/** A talk by itself, or with so many uploads under way all the time. */
function talk(beside) {
  return withServer(async ({ listening, admin, people, pid, data }) => {
    forget(pid);
    const report = join(data, "report.json");
    const harness = spawn("chrt", [
      ..."-o 0 taskset -c 1".split(" "),
      join(bin, "barterline-loadtest"),
      ...`run --rooms 250 --rate ${MESSAGES_PER_SECOND} --duration ${SECONDS}s`.split(" "),
      ...["--target", `ws://${listening}`, "--admin", `http://${admin}`, "--json", report],
    ]);
    harness.stdout.resume();
    harness.stderr.resume();
    let over = false;
    const ended = once(harness, "exit").finally(() => (over = true));
    const uploads = [];
    const begun = performance.now();
    const one = async (person) => {
      while (!over) {
        const done = await upload(listening, person);
        if (!over) uploads.push(done);
      }
    };
    const all = beside ? Promise.all(people.map(one)) : Promise.resolve();
    const [code] = await ended;
    const seconds = (performance.now() - begun) / 1_000;
    const peak = memory(pid, "VmHWM");
    if (code !== 0) throw new Error(`the harness ended with ${code}`);
    await all;
    return { uploads, seconds, peak, report: JSON.parse(readFileSync(report, "utf8")) };
  });
}

await alone();
const p99 = { alone: [], beside: [] };
for (let run = 1; run <= runs; run += 1) {
  for (const kind of ["alone", "beside"]) {
    const { uploads, seconds, peak, report } = await talk(kind === "beside");
    const { deliver } = report.latency_us;
    p99[kind].push(deliver.p99);
    console.log(`run ${run}, ${kind}: deliver p50 ${deliver.p50} µs, p99 ${deliver.p99} µs; memory at most ${peak.toFixed(0)} MiB`);
    if (uploads.length === 0) continue;
    const ms = uploads.map(({ ms }) => ms);
    console.log(
      `  ${AT_ONCE} uploads at once: ${(uploads.length / seconds).toFixed(2)} pictures/s, ` +
        `ready after p50 ${at(ms, 0.5).toFixed(0)} ms, p99 ${at(ms, 0.99).toFixed(0)} ms; ` +
        `told to come again ${uploads.reduce((sum, { putOff }) => sum + putOff, 0)} times`,
    );
  }
}
const [quiet, busy] = [median(p99.alone), median(p99.beside)];
console.log(`deliver p99, median: alone ${quiet} µs, beside ${AT_ONCE} uploads ${busy} µs: ${(busy / quiet).toFixed(2)}`);
