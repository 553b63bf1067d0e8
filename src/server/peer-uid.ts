/**
 * The user at the other end of a connection within this machine, as far as Linux tells:
 * the owner of the client's socket, from /proc/net/tcp and tcp6 (proc(5)).
 */
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { endianness } from 'node:os';

/** One end of a connection, as `Socket` gives it. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface PeerUidOptions {
  /** Default `process.platform`. */
  platform?: string | undefined;
  /** Reads a file of /proc. Default node:fs'. */
  read?: ((path: string) => Promise<string>) | undefined;
}

/**
 * The uid of the user whose process made the connection from `client` to
 * `server`.
 *
 * @returns undefined elsewhere than on Linux, for other machines, when the client
 * is in another network namespace, and when it has closed the connection
 */
export async function peerUid(
  client: Endpoint,
  server: Endpoint,
  { platform = process.platform, read = readInTurn }: PeerUidOptions = {},
): Promise<number | undefined> {
  if (platform !== 'linux') return undefined;
  const plain = unmapped(client.address);
  const there = { address: plain, port: client.port };
  const here = { address: unmapped(server.address), port: server.port };
  // Who calls an address of this machine from it has that address too, as with EC2's.
  if (!isLoopback(plain) && plain !== here.address) return undefined;
  if (isIPv4(plain)) {
    // A client may speak IPv4 through an IPv6 socket, as Java does: then it is in the other table.
    return (
      findUid(await read('/proc/net/tcp'), hexPair(there), hexPair(here)) ??
      findUid(await read('/proc/net/tcp6'), hexPair(there, true), hexPair(here, true))
    );
  }
  return findUid(await read('/proc/net/tcp6'), hexPair(there, true), hexPair(here, true));
}

/** The last of those who read one of the tables. */
let turn: Promise<unknown> = Promise.resolve();

/** Reads a file when those are read that others asked for before: a crowd of clients opens one file, not one for each. */
async function readInTurn(path: string): Promise<string> {
  const read = turn.then(() => readFile(path, 'utf8'));
  turn = read.catch(() => undefined);
  return await read;
}

function unmapped(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

function isLoopback(address: string): boolean {
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'));
}

const ESTABLISHED = '01';

/** Rows: `sl local remote st tx:rx tr:when retrnsmt uid ...`. A closed one shows uid 0, so only an open one counts. */
function findUid(table: string, local: string, remote: string): number | undefined {
  const row = table.split('\n').find((line) => line.includes(` ${local} ${remote} ${ESTABLISHED} `));
  const uid = row?.trim().split(/\s+/)[7];
  return uid === undefined ? undefined : Number(uid);
}

/** `0100007F:26B7`: each 32-bit word of the address in the machine's byte order. */
function hexPair({ address, port }: Endpoint, asIpv6 = false): string {
  const bytes = Buffer.alloc(asIpv6 ? 16 : 4);
  if (isIPv4(address)) {
    const octets = address.split('.').map(Number);
    bytes.set(octets, asIpv6 ? 12 : 0);
    if (asIpv6) bytes.fill(0xff, 10, 12);
  } else {
    for (const [index, group] of groupsOf(address).entries()) bytes.writeUInt16BE(group, 2 * index);
  }
  const words = endianness() === 'LE' ? bytes.swap32() : bytes;
  return `${words.toString('hex').toUpperCase()}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** The eight groups of an IPv6 address as Node writes it: in hexadecimal, shortened by one `::`, with a zone or without. */
function groupsOf(address: string): number[] {
  const [before = [], after = []] = address
    .replace(/%.*/, '')
    .split('::')
    .map((part) => (part === '' ? [] : part.split(':')));
  const left = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...left, ...after].map((group) => Number.parseInt(group, 16));
}
