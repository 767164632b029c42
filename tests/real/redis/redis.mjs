// A Redis of one's own: on a socket in a directory of its own, so that it is in nobody's way.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const STARTS_WITHIN_MS = 20_000;

export class Redis {
  dir = mkdtempSync(join(tmpdir(), "redis-"));

  static async start() {
    const redis = new Redis();
    await redis.launch();
    return redis;
  }

  get socket() {
    return join(this.dir, "redis.sock");
  }

  /** What servers are told. */
  get env() {
    // A machine that is busy is no Redis that hangs.
    return {
      BARTERLINE_REDIS__URL: `redis+unix://${this.socket}`,
      BARTERLINE_REDIS__TIMEOUT_MS: "1000",
    };
  }

  async launch() {
    rmSync(this.socket, { force: true });
    const args = ["--port", "0", "--save", "", "--unixsocket", this.socket, "--dir", this.dir];
    this.child = spawn("redis-server", args, { stdio: "ignore" });
    const until = performance.now() + STARTS_WITHIN_MS;
    while (!existsSync(this.socket)) {
      if (performance.now() > until) throw new Error("redis-server does not start");
      await pause(20);
    }
  }

  /** Says something to it; gives what it answers. */
  say(...words) {
    const options = { encoding: "utf8" };
    return execFileSync("redis-cli", ["-s", this.socket, "--raw", ...words], options).trimEnd();
  }

  signal(name) {
    this.child.kill(name);
  }

  async kill() {
    const gone = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await gone;
  }

  async end() {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Waits until a server hears of Redis, or does not. */
export async function hears(server, wanted = 1) {
  for (const until = performance.now() + 30_000; performance.now() < until; await pause(50)) {
    const metrics = await (await fetch(`http://${server.admin}/metrics`)).text();
    const [, is] = metrics.match(/^barterline_redis_hears (\d)/m);
    if (wanted === Number(is)) return;
  }
  throw new Error(`barterline_redis_hears is never ${wanted}`);
}
