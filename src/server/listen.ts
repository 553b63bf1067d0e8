/** Where the server may listen, and under which conditions. */
import type { Server } from 'node:net';
import { isIP } from 'node:net';
import { RolesAnywhereError } from '../platform/errors.ts';

/**
 * Connections that wait to be taken, as far as the system allows (listen(2)). Node's own 511 overflow when a thousand
 * clients come at once, and those left over are tried again a second later, or reset.
 */
const BACKLOG = 4096;

/** EC2's own addresses of IMDS, which clients have built in (EC2 User Guide, "Access instance metadata"), and its port. */
export const EC2_ADDRESSES = ['169.254.169.254', 'fd00:ec2::254'];
export const EC2_PORT = 80;

/** An address to bind, or a socket that is bound already (systemd). */
export type ListenTarget =
  | {
      readonly address: string;
      readonly port: number;
      /** Left out when the machine lacks the address: the IPv6 loopback, by default. */
      readonly optional?: boolean | undefined;
    }
  | { readonly fd: number };

/** An address that the server listens on. */
export interface BoundAddress {
  readonly address: string;
  readonly port: number;
  readonly kind: AddressKind;
}

/**
 * `loopback`: of this host only. `container`: one of the link-local addresses
 * of the ECS and EKS agents, to which SDKs permit plain http. `ec2`: those of
 * EC2's IMDS. `network`: any other.
 */
export type AddressKind = 'loopback' | 'container' | 'ec2' | 'network';

const CONTAINER = new Set(['169.254.170.2', '169.254.170.23', 'fd00:ec2::23']);

/**
 * @param address an IP address; of the ways to write the IPv6 loopback, only `::1` counts
 */
export function addressKind(address: string): AddressKind {
  // Not `isIPv6`: Node 20 compiles a pattern for it that takes 0.8 MB and some 30 ms.
  if (/^127\.[\d.]+$|^::1$/.test(address)) return 'loopback';
  const lower = address.toLowerCase();
  if (CONTAINER.has(lower)) return 'container';
  return EC2_ADDRESSES.includes(lower) ? 'ec2' : 'network';
}

/** The addresses without `--listen`: both of the loopback. */
export function defaultTargets(port: number): ListenTarget[] {
  return [
    { address: '127.0.0.1', port },
    { address: '::1', port, optional: true },
  ];
}

/**
 * Reads the addresses of `--listen`.
 *
 * @throws RolesAnywhereError `ERR_LISTEN`
 */
export function parseListen(addresses: readonly string[], port: number): ListenTarget[] {
  return addresses.flatMap((address) => {
    if (address === 'localhost') return defaultTargets(port);
    const bare = address.replace(/^\[(.*)\]$/, '$1');
    if (isIP(bare) === 0) {
      throw new RolesAnywhereError('ERR_LISTEN', `--listen ${address} is not an IP address`, {
        flag: '--listen',
        hint: 'give an address of this machine without a port, and the port with --port',
      });
    }
    if (addressKind(bare) === 'ec2')
      throw new RolesAnywhereError('ERR_LISTEN', `--listen ${address} is EC2's address of instance metadata`, {
        flag: '--listen',
        hint: `add --imds-address ${bare}, which listens there at port ${EC2_PORT}, and leave --listen out`,
      });
    return [{ address: bare, port }];
  });
}

/**
 * Reads the addresses of `--imds-address`.
 *
 * @throws RolesAnywhereError `ERR_LISTEN`
 */
export function parseImdsAddresses(addresses: readonly string[]): ListenTarget[] {
  return addresses.map((address) => {
    const bare = address.replace(/^\[(.*)\]$/, '$1');
    if (addressKind(bare) === 'ec2') return { address: bare, port: EC2_PORT };
    throw new RolesAnywhereError('ERR_LISTEN', `--imds-address ${address} is none of EC2's addresses`, {
      flag: '--imds-address',
      hint: `give ${EC2_ADDRESSES.join(' or ')}; on the loopback, instance metadata is at --port`,
    });
  });
}

export interface ListenPolicy {
  readonly tls: boolean;
  /** Whether the user said where the container endpoint's token is, so that clients elsewhere can have it. */
  readonly tokenFile: boolean;
  /** The web console: undefined without one, else whether it has a passphrase. */
  readonly console?: { readonly passphrase: boolean } | undefined;
}

/**
 * Refuses an address beyond the loopback without TLS or a token: others could
 * read what is not encrypted, and ask for what is not authenticated. At EC2's
 * address nobody but this machine is answered.
 *
 * @throws RolesAnywhereError `ERR_LISTEN`
 */
export function checkListenPolicy(address: string, { tls, tokenFile, console }: ListenPolicy): void {
  const kind = addressKind(address);
  if (kind === 'loopback' || kind === 'ec2') return;
  if (!tokenFile) {
    throw new RolesAnywhereError('ERR_LISTEN', `listening on ${address} needs a token file`, {
      hint: 'add --token-file (to write a new token) or --token-source (to read one)',
    });
  }
  if (kind === 'network' && !tls) {
    throw new RolesAnywhereError('ERR_LISTEN', `listening on ${address} needs TLS`, {
      hint: 'add --tls-cert and --tls-key; SDKs permit plain http to the loopback, 169.254.170.2 and 169.254.170.23 only',
    });
  }
  if (console !== undefined && !(tls && console.passphrase)) {
    throw new RolesAnywhereError('ERR_LISTEN', `the console on ${address} needs TLS and a passphrase`, {
      flag: '--console',
      hint: 'add --tls-cert, --tls-key and --console-passphrase-file, or leave --console or --listen out',
    });
  }
}

/**
 * Binds a server.
 *
 * @returns undefined when an optional address is not there
 * @throws RolesAnywhereError `ERR_LISTEN`
 */
export async function bind(server: Server, target: ListenTarget): Promise<BoundAddress | undefined> {
  // It would take no notice of the descriptor, and listen on a port of its own on every address.
  if ('fd' in target && process.versions['bun'] !== undefined)
    throw new RolesAnywhereError('ERR_LISTEN', 'the standalone executable cannot take sockets that systemd opened', {
      hint: 'let it listen by itself with --port, and start it by a service unit; or use the npm package',
    });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(
        'fd' in target ? { fd: target.fd } : { host: target.address, port: target.port, backlog: BACKLOG },
        () => {
          server.off('error', reject);
          resolve();
        },
      );
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    if ('address' in target && target.optional === true && ABSENT.has(code)) return undefined;
    const where = 'fd' in target ? `the inherited socket ${target.fd}` : `${target.address} port ${target.port}`;
    throw new RolesAnywhereError('ERR_LISTEN', `cannot listen on ${where}: ${code}`, {
      cause: error,
      hint: hintFor(code, target),
    });
  }
  const bound = server.address();
  if (bound === null || typeof bound === 'string') {
    server.close();
    throw new RolesAnywhereError('ERR_LISTEN', 'the inherited socket is not a TCP socket', {
      hint: 'use ListenStream= with an address and a port in the socket unit',
    });
  }
  return { address: bound.address, port: bound.port, kind: addressKind(bound.address) };
}

const ABSENT = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EPROTONOSUPPORT']);

function hintFor(code: string, target: ListenTarget): string | undefined {
  if (!('address' in target) || addressKind(target.address) !== 'ec2') return HINTS[code];
  return code === 'EADDRNOTAVAIL'
    ? `give it to this machine first: ip addr add ${target.address}/${target.address.includes(':') ? 128 : 32} dev lo`
    : EC2_HINTS[code];
}

/** Port and address are not to be chosen there. */
const EC2_HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else listens there, or at port 80 of all addresses: stop it, or redirect that port to --port',
  EACCES: 'port 80 needs CAP_NET_BIND_SERVICE, or a socket that systemd opens: see docs/server.md',
};

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else listens there: choose another with --port, or 0 for any free one',
  EACCES: 'ports below 1024 need a privilege: choose another with --port',
  EADDRNOTAVAIL: 'the address is not one of this machine: add it to an interface first',
};
