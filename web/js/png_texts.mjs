// The texts a PNG carries (tEXt, zTXt, iTXt), read in the browser: no picture is decoded, no checksum needed.
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const MOST_TEXT = 8 * 2 ** 20; // bytes of one text, inflated or not: a plan takes a hundredth of it
const MOST_CHUNKS = 100_000;
const latin = new TextDecoder("latin1"), utf8 = new TextDecoder("utf-8");

// The text under `key`, or `null` where the file has none or is no PNG.
export async function pngText(file, key) {
  for await (const [type, data] of chunks(file)) {
    const end = data.indexOf(0);
    if (end > 0 && latin.decode(data.subarray(0, end)) === key) return READ[type](data.subarray(end + 1));
  }
  return null;
}

const READ = {
  tEXt: (data) => latin.decode(data),
  zTXt: (data) => inflated(data.subarray(1), latin),
  iTXt: (data) => {
    const isPacked = data[0] === 1;
    const text = data.subarray(after(data, after(data, 2))); // behind language and translated keyword
    return isPacked ? inflated(text, utf8) : utf8.decode(text);
  },
};

function after(data, from) {
  return data.indexOf(0, from) + 1;
}

// Chunk by chunk, only texts are read from the file.
async function* chunks(file) {
  const start = new Uint8Array(await file.slice(0, 8).arrayBuffer());
  if (!SIGNATURE.every((byte, at) => start[at] === byte)) return;
  for (let at = 8, count = 0; at + 12 <= file.size && count < MOST_CHUNKS; count += 1) {
    const head = new DataView(await file.slice(at, at + 8).arrayBuffer());
    const length = head.getUint32(0), type = String.fromCharCode(...[4, 5, 6, 7].map((byte) => head.getUint8(byte)));
    if (type === "IEND" || at + 12 + length > file.size) return;
    if (type in READ && length <= MOST_TEXT) yield [type, new Uint8Array(await file.slice(at + 8, at + 8 + length).arrayBuffer())];
    at += 12 + length;
  }
}

async function inflated(data, decoder) {
  const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const pieces = [];
  for (let size = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return decoder.decode(await new Blob(pieces).arrayBuffer());
    pieces.push(value);
    if ((size += value.length) > MOST_TEXT) {
      await reader.cancel();
      return null;
    }
  }
}
