// Whether somebody can tell by the time it takes whose address has an account: wrong log-ins, registrations
// and resets of passwords, for addresses that are known and for some that are not, in turn, one at a time.
//
//   node benches/who_is_there.mjs [PAIRS]
//
// Environment: BIN, where the binary is (default: target/release).
//
// For each it says how long both take, and in how many of all pairs the known address took longer: half,
// where time tells nothing.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

import { Server } from "../tests/real/barterline.mjs";

const pairs = Number(process.argv[2] ?? 300);
const directory = mkdtempSync(join(tmpdir(), "barterline-"));
const mails = join(directory, "mail");
const server = await Server.start(join(process.env.BIN ?? "target/release", "barterline"), directory, undefined, {
  BARTERLINE_MAIL__TRANSPORT: "file",
  BARTERLINE_MAIL__DIRECTORY: mails,
  BARTERLINE_MAIL__FROM: "Shop <no-reply@shop.example>",
  BARTERLINE_MAIL__LINK: "https://shop.example/account",
});
const PASSWORD = "correct horse battery";

/** Sends a body; gives the status and the milliseconds it took. */
async function post(path, body) {
  const begun = performance.now();
  const answer = await fetch(`http://${server.listening}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await answer.text();
  return { status: answer.status, ms: performance.now() - begun };
}

/** The token of the mail to somebody. */
async function mailed(email) {
  for (let look = 0; look < 500; look += 1) {
    for (const file of readdirSync(mails).filter((name) => name.endsWith(".eml"))) {
      const text = readFileSync(join(mails, file), "utf8").replaceAll("=\r\n", "").replaceAll("=3D", "=");
      if (text.includes(`To: ${email}`)) return text.match(/#confirm=([\w.~-]+)/)[1];
    }
    await setTimeout(20);
  }
  throw new Error(`no mail to ${email}`);
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Of all pairs, the share in which the first took longer (Mann and Whitney, 1947). */
function longer(these, those) {
  let wins = 0;
  for (const one of these) for (const other of those) wins += one > other ? 1 : one === other ? 0.5 : 0;
  return wins / (these.length * those.length);
}

const KINDS = {
  "log-in, wrong password": (email) => post("/v1/sessions", { email, password: "another password" }),
  registration: (email) => post("/v1/accounts", { email, password: PASSWORD, name: "Ana" }),
  "reset of a password": (email) => post("/v1/accounts/password-resets", { email }),
};

try {
  const known = "ana@example.org";
  await post("/v1/accounts", { email: known, password: PASSWORD, name: "Ana" });
  const { status } = await post("/v1/accounts/confirm", { token: await mailed(known), password: PASSWORD });
  if (status !== 201) throw new Error(`an account: ${status}`);
  for (const [name, ask] of Object.entries(KINDS)) {
    const [there, nowhere, statuses] = [[], [], new Set()];
    for (let n = 0; n < pairs + 10; n += 1) {
      const order = [known, `nobody-${name.length}-${n}@example.org`];
      for (const email of n % 2 ? order.toReversed() : order) {
        const { status, ms } = await ask(email);
        statuses.add(status);
        // The first few are slower whoever asks.
        if (n >= 10) (email === known ? there : nowhere).push(ms);
      }
    }
    console.log(
      `${name}: known ${median(there).toFixed(2)} ms, unknown ${median(nowhere).toFixed(2)} ms, ` +
        `known longer in ${(longer(there, nowhere) * 100).toFixed(1)} % of pairs; answered ${[...statuses].join(", ")}`,
    );
  }
} finally {
  await server.kill();
  rmSync(directory, { recursive: true, force: true });
}
