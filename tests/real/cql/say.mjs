// Says statements to a database as its superuser, as an operator would: those on standard input, each
// ending in a semicolon. Fails with the first that is refused. Enough of the native protocol for that.
//
//   node tests/real/cql/say.mjs HOST:PORT < statements

import { connect } from "node:net";
import { text } from "node:stream/consumers";

const [STARTUP, AUTHENTICATE, QUERY, AUTH_RESPONSE] = [0x01, 0x03, 0x07, 0x0f];
const [ONE, TIMEOUT_MS] = [1, 60_000];
const user = process.env.BARTERLINE_TEST_CQL_USER ?? "cassandra";
const password = process.env.BARTERLINE_TEST_CQL_PASSWORD ?? "cassandra";

const [host, port] = process.argv[2].split(":");
const socket = connect(Number(port), host);
socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error("the database does not answer")));
const incoming = socket[Symbol.asyncIterator]();
let received = Buffer.alloc(0);

async function read(bytes) {
  while (received.length < bytes) {
    const { value, done } = await incoming.next();
    if (done) throw new Error("the database closed the connection");
    received = Buffer.concat([received, value]);
  }
  const taken = received.subarray(0, bytes);
  received = received.subarray(bytes);
  return taken;
}

const short = (number) => Buffer.from([number >> 8, number & 0xff]);
const string = (text) => Buffer.concat([short(Buffer.byteLength(text)), Buffer.from(text)]);
function long(text) {
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.byteLength(text));
  return Buffer.concat([length, Buffer.from(text)]);
}

// A frame of version 4 on stream 0, and the opcode of the answer.
async function ask(opcode, ...parts) {
  const body = Buffer.concat(parts);
  const header = Buffer.from([4, 0, 0, 0, opcode, 0, 0, 0, 0]);
  header.writeInt32BE(body.length, 5);
  socket.write(Buffer.concat([header, body]));
  const head = await read(9);
  const answer = await read(head.readInt32BE(5));
  if (head[4] === 0) throw new Error(answer.subarray(6, 6 + answer.readUInt16BE(4)).toString());
  return head[4];
}

const options = [short(1), string("CQL_VERSION"), string("3.0.0")];
if ((await ask(STARTUP, ...options)) === AUTHENTICATE) {
  await ask(AUTH_RESPONSE, long(`\0${user}\0${password}`));
}
const lines = (await text(process.stdin)).split("\n").filter((line) => !line.startsWith("--"));
for (const statement of lines.join("\n").split(";").map((each) => each.trim())) {
  if (statement) await ask(QUERY, long(statement), short(ONE), Buffer.from([0]));
}
socket.end();
