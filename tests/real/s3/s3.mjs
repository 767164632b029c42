// An S3 of one's own: s3s-fs on a free port of this machine, with one bucket, which is a directory.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const STARTS_WITHIN_MS = 20_000;
const [KEY, SECRET] = ["of-this-test", "a secret of this test"];

/** A port that nobody listens at. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Whether somebody listens there. */
function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => (socket.destroy(), resolve(true)));
    socket.on("error", () => resolve(false));
  });
}

export class S3 {
  /** Starts one whose buckets are directories below `dir`. */
  static async start(binary, dir) {
    const s3 = Object.assign(new S3(), { binary, dir, bucket: "files", port: await freePort() });
    mkdirSync(join(dir, s3.bucket), { recursive: true });
    await s3.launch();
    return s3;
  }

  /** What servers are told. */
  get env() {
    return {
      BARTERLINE_MEDIA__STORE: "s3",
      BARTERLINE_MEDIA__BUCKET: this.bucket,
      BARTERLINE_MEDIA__ENDPOINT: `http://127.0.0.1:${this.port}`,
      BARTERLINE_MEDIA__REGION: "us-east-1",
      BARTERLINE_MEDIA__ALLOW_HTTP: "true",
      BARTERLINE_MEDIA__ACCESS_KEY: KEY,
      BARTERLINE_MEDIA__SECRET_KEY: SECRET,
    };
  }

  async launch() {
    const keys = ["--access-key", KEY, "--secret-key", SECRET];
    const args = ["--host", "127.0.0.1", "--port", String(this.port), ...keys, this.dir];
    this.child = spawn(this.binary, args, { stdio: "ignore", env: { PATH: process.env.PATH, RUST_LOG: "off" } });
    const until = performance.now() + STARTS_WITHIN_MS;
    while (!(await answers(this.port))) {
      if (this.child.exitCode !== null) throw new Error(`s3s-fs ended with ${this.child.exitCode}`);
      if (performance.now() > until) throw new Error("s3s-fs does not start");
      await pause(20);
    }
  }

  /** The objects whose keys have this in them. */
  objects(part = "") {
    const names = (folder) =>
      readdirSync(join(this.dir, this.bucket, folder), { withFileTypes: true }).flatMap((entry) => {
        const name = join(folder, entry.name);
        return entry.isDirectory() ? names(name) : [name];
      });
    return names("").filter((name) => name.includes(part));
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
