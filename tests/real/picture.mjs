// Photographs as telephones make them, for servers that are not to keep where they were taken: JPEG with
// EXIF. They show nothing: each block has random frequencies, as many as those of a photograph.

/** Numbers that are the same for the same seed (xorshift). */
function numbers(seed) {
  let state = (seed * 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const segment = (marker, ...bytes) => {
  const body = Buffer.concat(bytes.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part))));
  const head = Buffer.from([0xff, marker, 0, 0]);
  head.writeUInt16BE(body.length + 2, 2);
  return Buffer.concat([head, body]);
};

/** The camera that no one is to hear of. */
export const CAMERA = "A camera of Ana's own";

/** EXIF with the camera, how it was held (on its side), and the Brandenburg Gate. */
function exif() {
  const entries = (list) => {
    const table = Buffer.alloc(2 + 12 * list.length + 4);
    table.writeUInt16BE(list.length, 0);
    list.forEach(([tag, type, count, value], n) => {
      const at = 2 + 12 * n;
      table.writeUInt16BE(tag, at);
      table.writeUInt16BE(type, at + 2);
      table.writeUInt32BE(count, at + 4);
      if (type === 3) table.writeUInt16BE(value, at + 8);
      else if (typeof value === "string") table.write(value, at + 8, "latin1");
      else table.writeUInt32BE(value, at + 8);
    });
    return table;
  };
  const [SHORT, LONG, ASCII, RATIONAL] = [3, 4, 2, 5];
  const camera = Buffer.from(`${CAMERA}\0`, "latin1");
  const first = 8;
  const gps = first + 2 + 12 * 3 + 4 + camera.length;
  const places = gps + 2 + 12 * 4 + 4;
  const rationals = (values) => {
    const bytes = Buffer.alloc(24);
    values.forEach((value, n) => (bytes.writeUInt32BE(value, 8 * n), bytes.writeUInt32BE(1, 8 * n + 4)));
    return bytes;
  };
  return segment(
    0xe1,
    "Exif\0\0MM\0*\0\0\0\x08",
    entries([
      [0x0110, ASCII, camera.length, gps - camera.length],
      [0x0112, SHORT, 1, 6],
      [0x8825, LONG, 1, gps],
    ]),
    camera,
    entries([
      [1, ASCII, 2, "N\0"],
      [2, RATIONAL, 3, places],
      [3, ASCII, 2, "E\0"],
      [4, RATIONAL, 3, places + 24],
    ]),
    rationals([52, 30, 58]),
    rationals([13, 22, 39]),
  );
}

// Tables of codes that are all of one length: of no use for small files, and easily told.
const DC = Array.from({ length: 12 }, (_, size) => size);
const AC = [0x00, 0xf0];
for (let run = 0; run < 16; run += 1) for (let size = 1; size <= 10; size += 1) AC.push((run << 4) | size);
const table = (kind, length, symbols) => {
  const counts = Array.from({ length: 16 }, (_, n) => (n + 1 === length ? symbols.length : 0));
  return segment(0xc4, [kind], counts, symbols);
};
const AC_CODES = new Uint8Array(256);
AC.forEach((symbol, code) => (AC_CODES[symbol] = code));

/** Bits, the first first, with a zero behind each 0xff. */
class Bits {
  #bytes;
  #length = 0;
  #held = 0;
  #count = 0;

  constructor(room) {
    this.#bytes = Buffer.alloc(room);
  }

  put(value, count) {
    for (let bit = count - 1; bit >= 0; bit -= 1) {
      this.#held = (this.#held << 1) | ((value >> bit) & 1);
      this.#count += 1;
      if (this.#count === 8) this.#byte();
    }
  }

  #byte() {
    if (this.#length + 2 > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    this.#bytes[this.#length++] = this.#held;
    if (this.#held === 0xff) this.#bytes[this.#length++] = 0;
    [this.#held, this.#count] = [0, 0];
  }

  end() {
    while (this.#count > 0) this.put(1, 1);
    return this.#bytes.subarray(0, this.#length);
  }
}

/** How many bits a number takes, and those bits (ITU T.81, F.1.2). */
const magnitude = (value) => {
  const size = 32 - Math.clz32(Math.abs(value));
  return [size, value < 0 ? value + (1 << size) - 1 : value];
};

/** A photograph of so many pixels, another for each seed. */
export function photo(width, height, seed = 1) {
  const draw = numbers(seed);
  const frame = Buffer.alloc(5);
  frame[0] = 8;
  frame.writeUInt16BE(height, 1);
  frame.writeUInt16BE(width, 3);
  const parts = [
    Buffer.from([0xff, 0xd8]),
    exif(),
    segment(0xdb, [0], Array.from({ length: 64 }, (_, n) => 4 + (n >> 1))),
    // Colours at half the resolution, as cameras have them.
    segment(0xc0, frame, [3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]),
    table(0x00, 4, DC),
    table(0x10, 8, AC),
    segment(0xda, [3, 1, 0, 2, 0, 3, 0, 0, 63, 0]),
  ];
  const bits = new Bits(width * height);
  const means = [0, 0, 0];
  const block = (component, frequencies) => {
    // Around the middle, without a jump.
    const mean = Math.round(0.9 * means[component] + (draw() - 0.5) * 40);
    const [size, value] = magnitude(mean - means[component]);
    means[component] = mean;
    bits.put(size, 4);
    bits.put(value, size);
    let at = 0;
    for (let n = 0; n < frequencies; n += 1) {
      const run = Math.floor(draw() * 3);
      at += run + 1;
      const number = (1 + Math.floor((draw() * 12) / (n + 1))) * (draw() < 0.5 ? -1 : 1);
      const [length, value] = magnitude(number);
      bits.put(AC_CODES[(run << 4) | length], 8);
      bits.put(value, length);
    }
    bits.put(AC_CODES[0], 8);
  };
  for (let mcu = Math.ceil(width / 16) * Math.ceil(height / 16); mcu > 0; mcu -= 1) {
    for (let n = 0; n < 4; n += 1) block(0, 8);
    block(1, 2);
    block(2, 2);
  }
  return Buffer.concat([...parts, bits.end(), Buffer.from([0xff, 0xd9])]);
}
