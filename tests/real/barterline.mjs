// A client of barterline.v1.json as docs/protocol.md describes it, and the server it talks to.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { WebSocket } from "./websocket.mjs";

const PATIENCE_MS = 20_000;

/** Waits for a promise, and says what it waited for when it waits too long. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited too long for ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The real binary on a data directory. */
export class Server {
  static async start(binary, data, listen = "127.0.0.1:0", settings = {}) {
    const args = ["serve", "--listen", listen, "--admin-listen", "127.0.0.1:0", "--data", data];
    // The talk below is faster than people are.
    const env = { ...process.env, BARTERLINE_LIMITS__ENABLED: "false", ...settings };
    const child = spawn(binary, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    child.stderr.on("data", (chunk) => (log = (log + chunk).slice(-4_000)));
    const lines = createInterface({ input: child.stdout });
    const early = once(child, "exit").then(() => {
      throw new Error(`the server ended before it listened:\n${log}`);
    });
    early.catch(() => {});
    const [line] = await within(Promise.race([once(lines, "line"), early]), "the server's first line");
    const { listening, admin } = JSON.parse(line);
    return Object.assign(new Server(), { child, listening, admin, data, binary });
  }

  async kill() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await gone;
  }

  async post(path, body, token) {
    const response = await fetch(`http://${this.listening}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }
}

/** One person on one device: stored events and marks, an outbox, a cursor. */
export class Client {
  device = randomUUID();
  /** chat → Map of number → event */
  events = new Map();
  /** Messages without a number yet, in order. */
  outbox = [];
  /** Sends that were answered: id → ack. */
  acks = new Map();
  rows = new Map();
  /** Everything heard on this connection. */
  heard = [];
  #waiting = [];
  #ref = 0;

  constructor(name, token) {
    Object.assign(this, { name, token });
  }

  async connect(address, have = []) {
    this.heard = [];
    this.#ref = 0;
    this.closed = null;
    const server = address.includes("://") ? address : `ws://${address}`;
    this.socket = new WebSocket(`${server}/v1/socket`, "barterline.v1.json");
    this.socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    this.socket.onclose = ({ code }) => this.#hear(["(closed)", null, { code }]);
    await within(new Promise((resolve) => (this.socket.onopen = resolve)), `${this.name}'s socket`);
    const hello = { token: this.token, device: this.device, versions: [1] };
    if (this.cursor) hello.cursor = this.cursor;
    if (have.length) hello.have = have;
    const [, , welcome] = await this.ask("hello", hello);
    this.welcome = welcome;
    await this.hear((kind) => kind === "live", "live");
    for (const message of this.outbox) this.#say("send", message);
  }

  /** Asks, and gives the answer with the same number. */
  ask(kind, body) {
    const ref = this.#say(kind, body);
    return this.hear((_, answered) => answered === ref, `the answer to ${kind}`);
  }

  /** Composes a message: into the outbox first, then onto the wire. */
  send(chat, text) {
    const message = { chat, id: randomUUID(), base: this.head(chat), kind: "text", text };
    this.outbox.push(message);
    this.#say("send", message);
    return message;
  }

  /** The first frame heard, now or later, that fits. */
  hear(fits, what) {
    const known = this.heard.find((frame) => fits(...frame));
    if (known) return Promise.resolve(known);
    const coming = new Promise((resolve) => this.#waiting.push({ fits, resolve }));
    return within(coming, `${this.name}: ${what}`);
  }

  raw(text) {
    this.socket.send(text);
  }

  head(chat) {
    return Math.max(0, ...(this.events.get(chat)?.keys() ?? []));
  }

  texts(chat) {
    const events = [...(this.events.get(chat)?.values() ?? [])];
    return events.sort((a, b) => a.seq - b.seq).map(({ seq, text }) => `${seq} ${text}`);
  }

  #say(kind, body) {
    const ref = (this.#ref += 1);
    this.socket.send(JSON.stringify([kind, ref, body]));
    return ref;
  }

  #store(chat, event) {
    if (!this.events.has(chat)) this.events.set(chat, new Map());
    const known = this.events.get(chat).get(event.seq);
    if (known && known.id !== event.id) throw new Error(`two events with number ${event.seq}`);
    this.events.get(chat).set(event.seq, event);
    this.outbox = this.outbox.filter(({ id }) => id !== event.id);
  }

  #hear(frame) {
    const [kind, , body] = frame;
    if (kind === "event") this.#store(body.chat, body);
    if (kind === "page") for (const event of body.events) this.#store(body.chat, event);
    if (kind === "rows") for (const row of body.rows) this.rows.set(row.chat, row);
    if (kind === "ack") {
      this.acks.set(body.id, body);
      const sent = this.outbox.find(({ id }) => id === body.id);
      if (sent) this.#store(body.chat, { ...sent, seq: body.seq });
    }
    if (kind === "ping") this.socket.send(JSON.stringify(["pong", null, {}]));
    if (body.cursor) this.cursor = body.cursor;
    this.heard.push(frame);
    const fitting = this.#waiting.filter(({ fits }) => fits(...frame));
    this.#waiting = this.#waiting.filter((waiting) => !fitting.includes(waiting));
    for (const { resolve } of fitting) resolve(frame);
  }
}
