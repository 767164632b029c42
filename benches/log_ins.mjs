// What a flood of log-ins does to people who talk: the same talk alone, and beside 200 log-ins a second,
// in turn. Server on core 0; harness and log-ins on core 1.
//
//   node benches/log_ins.mjs [RUNS]
//
// Environment: BIN, where the binaries are (default: target/release).
//
// This program steps back behind the harness, which measures on the same core (`chrt`, of util-linux).
//
// What is too much has to be refused at once (429 or 503 with Retry-After), some have to come through, and
// the talk must hardly notice.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { once } from "node:events";

const runs = Number(process.argv[2] ?? 3);
const bin = process.env.BIN ?? "target/release";
const SECONDS = 20;
const LOG_INS_PER_SECOND = 200;
const MESSAGES_PER_SECOND = 1_000;
const ACCOUNTS = 50;
execFileSync("chrt", ["-a", "-i", "-p", "0", String(process.pid)]);
const agent = new Agent({ keepAlive: true, maxSockets: 512 });

/** Sends a body; gives the status, the wait it was told, and the milliseconds it took. */
function post(address, path, body) {
  const begun = performance.now();
  const [host, port] = address.split(":");
  const text = JSON.stringify(body);
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const asked = request({ agent, host, port, path, method: "POST", headers }, (answer) => {
      answer.resume();
      answer.on("end", () => {
        const wait = answer.headers["retry-after"];
        resolve({ status: answer.statusCode, wait, ms: performance.now() - begun });
      });
    });
    asked.on("error", reject);
    asked.end(text);
  });
}

const person = (n) => ({ email: `person-${n}@example.org`, password: "correct horse" });

/** Tries to log in so often each second, whatever becomes of the tries before. */
async function logIns(address) {
  const tries = [];
  const begun = performance.now();
  for (let n = 0; n < SECONDS * LOG_INS_PER_SECOND; n += 1) {
    const due = begun + (n * 1_000) / LOG_INS_PER_SECOND;
    const wait = due - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    tries.push(post(address, "/v1/sessions", person(n % ACCOUNTS)));
  }
  return Promise.all(tries);
}

async function talk(beside) {
  const data = mkdtempSync(join(tmpdir(), "barterline-"));
  const serve = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", data];
  const args = ["-c", "0", join(bin, "barterline"), ...serve, "--load-test"];
  const server = spawn("chrt", ["-o", "0", "taskset", ...args], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const [line] = await once(createInterface({ input: server.stdout }), "line");
    const { listening, admin } = JSON.parse(line);
    for (let n = 0; n < ACCOUNTS; n += 1) {
      const { status } = await post(listening, "/v1/accounts", { ...person(n), name: "person" });
      if (status !== 201) throw new Error(`an account: ${status}`);
    }
    const report = join(data, "report.json");
    const harness = spawn("chrt", [
      ..."-o 0 taskset -c 1".split(" "),
      join(bin, "barterline-loadtest"),
      ...`run --rooms 250 --rate ${MESSAGES_PER_SECOND} --duration ${SECONDS}s`.split(" "),
      ...["--target", `ws://${listening}`, "--admin", `http://${admin}`, "--json", report],
    ]);
    const ended = once(harness, "exit");
    const tries = beside ? await logIns(listening) : [];
    const [code] = await ended;
    if (code !== 0) throw new Error(`the harness ended with ${code}`);
    return { tries, report: JSON.parse(readFileSync(report, "utf8")) };
  } finally {
    server.kill("SIGKILL");
    rmSync(data, { recursive: true, force: true });
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const at = (values, share) => values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1];

const p99 = { alone: [], beside: [] };
for (let run = 1; run <= runs; run += 1) {
  for (const kind of ["alone", "beside"]) {
    const { tries, report } = await talk(kind === "beside");
    p99[kind].push(report.latency_us.deliver.p99);
    console.log(`run ${run}, ${kind}: deliver p50 ${report.latency_us.deliver.p50} µs, p99 ${report.latency_us.deliver.p99} µs`);
    if (tries.length === 0) continue;
    const through = tries.filter(({ status }) => status === 201);
    const refused = tries.filter(({ status }) => status === 429 || status === 503);
    const strange = tries.length - through.length - refused.length;
    const silent = refused.filter(({ wait }) => !wait).length;
    const ms = refused.map(({ ms }) => ms);
    console.log(
      `  log-ins: ${(through.length / SECONDS).toFixed(1)}/s through, ` +
        `median ${median(through.map(({ ms }) => ms)).toFixed(0)} ms; ` +
        `${(refused.length / SECONDS).toFixed(1)}/s refused, p50 ${at(ms, 0.5).toFixed(1)} ms, ` +
        `p99 ${at(ms, 0.99).toFixed(1)} ms, longest ${Math.max(...ms).toFixed(1)} ms; ` +
        `${silent} without Retry-After, ${strange} otherwise`,
    );
  }
}
const [alone, beside] = [median(p99.alone), median(p99.beside)];
console.log(`deliver p99, median: alone ${alone} µs, beside ${beside} µs: ${(beside / alone).toFixed(2)}`);
