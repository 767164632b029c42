// A WebSocket client of one screen (RFC 6455), for Node versions that bring none along. Text only,
// with the part of the browser's interface that these tests use.

import { createHash, randomBytes } from "node:crypto";
import { connect } from "node:net";
import { connect as connectSecurely } from "node:tls";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const [TEXT, CLOSE, PING, PONG] = [0x1, 0x8, 0x9, 0xa];

class SmallWebSocket {
  #socket;
  #bytes = Buffer.alloc(0);
  #open = false;

  constructor(address, protocol) {
    const url = new URL(address);
    const key = randomBytes(16).toString("base64");
    this.accept = createHash("sha1").update(key + GUID).digest("base64");
    const secure = url.protocol === "wss:";
    this.#socket = secure
      ? connectSecurely({ host: url.hostname, port: Number(url.port || 443), servername: url.hostname })
      : connect(Number(url.port || 80), url.hostname);
    this.#socket.write(
      [
        `GET ${url.pathname} HTTP/1.1`,
        `Host: ${url.host}`,
        "Upgrade: websocket",
        "Connection: Upgrade",
        `Sec-WebSocket-Key: ${key}`,
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Protocol: ${protocol}`,
        "\r\n",
      ].join("\r\n"),
    );
    this.#socket.on("data", (data) => this.#take(data));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.#end(1006));
  }

  send(text) {
    this.#write(TEXT, Buffer.from(text));
  }

  close() {
    this.#write(CLOSE, Buffer.alloc(0));
    this.#socket.end();
  }

  #write(opcode, payload) {
    const size = payload.length;
    const head = size < 126 ? [size] : size < 65536 ? [126, size >> 8, size & 255] : null;
    if (!head) throw new RangeError("too large for this client");
    const mask = randomBytes(4);
    const masked = payload.map((byte, index) => byte ^ mask[index % 4]);
    head[0] |= 0x80;
    this.#socket.write(Buffer.concat([Buffer.from([0x80 | opcode, ...head]), mask, masked]));
  }

  #take(data) {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    if (!this.#open) {
      const end = this.#bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = this.#bytes.subarray(0, end).toString();
      this.#bytes = this.#bytes.subarray(end + 4);
      if (!head.startsWith("HTTP/1.1 101") || !head.includes(this.accept)) {
        this.#socket.destroy();
        return;
      }
      this.#open = true;
      this.protocol = /^sec-websocket-protocol: *(.*)$/im.exec(head)?.[1].trim() ?? "";
      this.onopen?.();
    }
    while (this.#frame()) {}
  }

  /** Takes one frame from the bytes; false when there is no whole one. */
  #frame() {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    let [size, at] = [bytes[1] & 0x7f, 2];
    if (size === 126) {
      if (bytes.length < 4) return false;
      [size, at] = [bytes.readUInt16BE(2), 4];
    } else if (size === 127) {
      if (bytes.length < 10) return false;
      [size, at] = [Number(bytes.readBigUInt64BE(2)), 10];
    }
    if (bytes.length < at + size) return false;
    const payload = bytes.subarray(at, at + size);
    this.#bytes = bytes.subarray(at + size);
    const opcode = bytes[0] & 0x0f;
    if (opcode === TEXT) this.onmessage?.({ data: payload.toString() });
    else if (opcode === PING) this.#write(PONG, payload);
    else if (opcode === CLOSE) {
      this.#end(size >= 2 ? payload.readUInt16BE(0) : 1005);
      this.#socket.end();
    }
    return true;
  }

  #end(code) {
    this.onclose?.({ code });
    this.onclose = null;
  }
}

export const WebSocket = globalThis.WebSocket ?? SmallWebSocket;
