// An OpenSearch of one's own: one node on free ports of this machine, from the jars that Maven brought.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const STARTS_WITHIN_MS = 120_000;
const INDEX = "shop";

/** A port that nobody listens at. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

export class OpenSearch {
  /** Starts one whose data is below `dir`. */
  static async start(jars, dir) {
    mkdirSync(dir, { recursive: true });
    const ports = { port: await freePort(), between: await freePort() };
    const one = Object.assign(new OpenSearch(), { jars, dir, ...ports });
    try {
      await one.launch();
    } catch (error) {
      if (one.child) await one.kill();
      throw error;
    }
    return one;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What servers are told. */
  get env() {
    return {
      BARTERLINE_SEARCH__ENGINE: "opensearch",
      BARTERLINE_SEARCH__URL: this.url,
      BARTERLINE_SEARCH__INDEX: INDEX,
      BARTERLINE_SEARCH__INTERVAL_MS: "20",
    };
  }

  async launch() {
    const source = fileURLToPath(new URL("Server.java", import.meta.url));
    // A test machine is small.
    const heap = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"];
    const args = [...heap, "-cp", join(this.jars, "*"), source, this.dir, String(this.port), String(this.between)];
    const log = openSync(join(this.dir, "out.log"), "a");
    this.child = spawn("java", args, { cwd: this.dir, stdio: ["ignore", log, log] });
    closeSync(log);
    const until = performance.now() + STARTS_WITHIN_MS;
    while (!(await this.isThere())) {
      const said = () => readFileSync(join(this.dir, "out.log"), "utf8").slice(-2_000);
      if (this.child.exitCode !== null) throw new Error(`OpenSearch ended: ${said()}`);
      if (performance.now() > until) throw new Error(`OpenSearch does not start: ${said()}`);
      await pause(100);
    }
  }

  /** Whether it answers, and has all the indexes that it had. */
  async isThere() {
    try {
      const answer = await fetch(`${this.url}/_cluster/health?timeout=1s&wait_for_status=yellow`);
      return answer.ok && !(await answer.json()).timed_out;
    } catch {
      return false;
    }
  }

  /** What it answers to somebody else. */
  async ask(method, path) {
    const answer = await fetch(`${this.url}/${path}`, { method });
    return { status: answer.status, json: await answer.json() };
  }

  /** The indexes that there are, and those that are searched. */
  async indexes() {
    const { json: all } = await this.ask("GET", `${INDEX}*/_settings`);
    const { status, json: used } = await this.ask("GET", `_alias/${INDEX}`);
    return { all: Object.keys(all), used: status === 200 ? Object.keys(used) : [] };
  }

  signal(name) {
    this.child.kill(name);
  }

  async kill() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await gone;
  }
}
