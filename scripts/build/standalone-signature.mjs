// The signature of an executable for macOS: ad hoc, which is by nobody, and says that the bytes are those that were built. The
// compiler makes one for Apple's own processors, which start nothing without; for Intel's it leaves that of the runtime, which
// the executable no longer is, and macOS would end it at the first page that differs.
import { createHash } from 'node:crypto';

// <mach-o/loader.h>, little-endian.
const MACH_O_64 = 0xfe_ed_fa_cf;
const HEADER_BYTES = 32;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;

// <kern/cs_blobs.h>, big-endian.
const EMBEDDED_SIGNATURE = 0xfa_de_0c_c0;
const CODE_DIRECTORY = 0xfa_de_0c_02;
const SUPPORTS_EXEC_SEGMENT = 0x2_04_00;
const ADHOC_BY_LINKER = 0x2_00_02;
const SHA256 = 2;
const MAIN_BINARY = 1n;
const DIRECTORY_BYTES = 88;
/** Before a directory: the signature's own head, and the place of the one blob in it. */
const SIGNATURE_HEAD_BYTES = 20;

const PAGE = { bits: 12, bytes: 4096 };
const HASH_BYTES = 32;

/**
 * Where the parts of a signed executable are.
 *
 * @param {Buffer} bytes
 * @returns {{ signatureCommand: number, linkedit: number, text: number, offset: number, size: number }} places of load
 * commands, and of the signature
 * @throws Error when it is no executable for macOS that has a signature at its end
 */
function partsOf(bytes) {
  if (bytes.readUInt32LE(0) !== MACH_O_64) throw new Error('this is no executable for macOS');
  const found = {};
  let at = HEADER_BYTES;
  for (let left = bytes.readUInt32LE(16); left > 0; left--) {
    const kind = bytes.readUInt32LE(at);
    if (kind === LC_CODE_SIGNATURE) found.signatureCommand = at;
    if (kind === LC_SEGMENT_64) {
      const name = bytes.toString('latin1', at + 8, at + 24).replace(/\0.*$/s, '');
      if (name === '__LINKEDIT') found.linkedit = at;
      if (name === '__TEXT') found.text = at;
    }
    at += bytes.readUInt32LE(at + 4);
  }
  const { signatureCommand, linkedit, text } = found;
  if (signatureCommand === undefined || linkedit === undefined || text === undefined)
    throw new Error('an executable for macOS without a signature, or a segment that all have');
  const [offset, size] = [bytes.readUInt32LE(signatureCommand + 8), bytes.readUInt32LE(signatureCommand + 12)];
  if (offset + size !== bytes.length) throw new Error('the signature is not at the end of the executable');
  return { signatureCommand, linkedit, text, offset, size };
}

/**
 * How many pages of an executable are not what its signature says.
 *
 * @param {Buffer} bytes
 * @throws Error when it is no executable for macOS that has a signature at its end
 */
export function wrongPages(bytes) {
  const { offset } = partsOf(bytes);
  const count = bytes.readUInt32BE(offset + 8);
  const places = Array.from({ length: count }, (_, index) => offset + bytes.readUInt32BE(offset + 16 + 8 * index));
  const directory = places.find((place) => bytes.readUInt32BE(place) === CODE_DIRECTORY);
  if (directory === undefined) throw new Error('a signature without a code directory');
  const hashes = directory + bytes.readUInt32BE(directory + 16);
  const pages = bytes.readUInt32BE(directory + 28);
  const limit = bytes.readUInt32BE(directory + 32);
  const wrong = Array.from({ length: pages }, (_, index) => {
    const kept = bytes.subarray(hashes + index * HASH_BYTES, hashes + (index + 1) * HASH_BYTES);
    return !hashOfPage(bytes, index, limit).equals(kept);
  }).filter(Boolean).length;
  return wrong + Math.ceil((offset - limit) / PAGE.bytes);
}

/**
 * The executable with a signature of its own in place of the one that it has.
 *
 * @param {Buffer} bytes
 * @param {string} identifier
 * @throws Error when it is no executable for macOS that has a signature at its end
 */
export function signedAdHoc(bytes, identifier) {
  const { signatureCommand, linkedit, text, offset } = partsOf(bytes);
  const name = Buffer.from(`${identifier}\0`);
  const pages = Math.ceil(offset / PAGE.bytes);
  const hashes = DIRECTORY_BYTES + name.length;
  const length = hashes + pages * HASH_BYTES;
  const signature = Buffer.alloc(Math.ceil((SIGNATURE_HEAD_BYTES + length) / 16) * 16);

  const signed = Buffer.concat([bytes.subarray(0, offset), signature]);
  signed.writeUInt32LE(signature.length, signatureCommand + 12);
  // The segment that the signature ends: its size in the file, and in memory, which is whole pages of the larger kind.
  const segment = BigInt(signed.length) - signed.readBigUInt64LE(linkedit + 40);
  signed.writeBigUInt64LE(segment, linkedit + 48);
  signed.writeBigUInt64LE(((segment + 0x3fffn) / 0x4000n) * 0x4000n, linkedit + 32);

  const head = [EMBEDDED_SIGNATURE, SIGNATURE_HEAD_BYTES + length, 1, 0, SIGNATURE_HEAD_BYTES];
  head.forEach((value, index) => signed.writeUInt32BE(value, offset + 4 * index));
  const directory = signed.subarray(offset + SIGNATURE_HEAD_BYTES);
  const fields = [
    CODE_DIRECTORY,
    length,
    SUPPORTS_EXEC_SEGMENT,
    ADHOC_BY_LINKER,
    hashes,
    DIRECTORY_BYTES,
    0,
    pages,
    offset,
  ];
  fields.forEach((value, index) => directory.writeUInt32BE(value, 4 * index));
  directory.set([HASH_BYTES, SHA256, 0, PAGE.bits], 36);
  // The segment with the code, and that this is the program itself.
  directory.writeBigUInt64BE(bytes.readBigUInt64LE(text + 40), 64);
  directory.writeBigUInt64BE(bytes.readBigUInt64LE(text + 48), 72);
  directory.writeBigUInt64BE(MAIN_BINARY, 80);
  directory.set(name, DIRECTORY_BYTES);
  for (let page = 0; page < pages; page++) directory.set(hashOfPage(signed, page, offset), hashes + page * HASH_BYTES);
  return signed;
}

function hashOfPage(bytes, page, limit) {
  const start = page * PAGE.bytes;
  return createHash('sha256')
    .update(bytes.subarray(start, Math.min(start + PAGE.bytes, limit)))
    .digest();
}
