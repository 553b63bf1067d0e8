/**
 * What each command is expected to do when something goes wrong, written down before it was tried. The tests in this
 * folder hold the program to it, and docs/reliability.md shows it.
 */
import type { ErrorCode } from '../../src/platform/errors.ts';

export const COMMANDS = [
  'credential-process',
  'serve',
  'update',
  'cache',
  'exec',
  'renew',
  'assume-role',
  'web-identity',
  'export',
  'whoami',
  'library',
  'console',
  'init',
  'emulator',
] as const;

/**
 * `cache` is `credential-process --cache` with a set in hand that is due; `library` is `fromRolesAnywhere`; `console` is what
 * the page of `serve --console` is answered when it asks for credentials; `emulator` has a state directory.
 */
export type Command = (typeof COMMANDS)[number];

/**
 * - `right`: status 0, and a valid set of the role that was asked for; of `renew`, a new pair of certificate and key that
 *   belong together; of `whoami`, that role; of `init`, the config file with the new profile and all that it had; of
 *   `emulator`, a change that it has answered, and that is there after a restart.
 * - `right, warned`: the same, with a warning.
 * - `kept CODE`: the set in hand, which is valid, is given out, and a warning or the log says why (that code, where it has
 *   one).
 * - a code: nothing is printed, written or started, what was there is as it was, and the error has that code.
 * - `right or none`: either `right`, or nothing at all on standard output and nothing changed, with a status that is not 0.
 * - `-`: the command does not do what the fault is about.
 */
export type Outcome = 'right' | 'right, warned' | 'right or none' | 'kept' | `kept ${ErrorCode}` | ErrorCode | '-';

/** The kinds of faults, each with the test that makes them. */
export const KINDS = {
  network: { title: 'Between client and service', test: 'test/faults/network.heavy.test.ts' },
  machine: { title: 'Of the machine', test: 'test/faults/machine.heavy.test.ts' },
  files: { title: 'Amid the work with files', test: 'test/faults/files.heavy.test.ts' },
} as const;

export type Kind = keyof typeof KINDS;

export interface Row {
  readonly kind: Kind;
  /** In words, for the page and for the name of the test. */
  readonly fault: string;
  readonly expected: Readonly<Record<Command, Outcome>>;
}

/** The same for every command that asks, where those with a set in hand give that out. */
function failing(code: ErrorCode, others: Partial<Record<Command, Outcome>> = {}): Row['expected'] {
  return {
    'credential-process': code,
    serve: `kept ${code}`,
    update: code,
    cache: 'kept',
    exec: code,
    renew: code,
    'assume-role': code,
    'web-identity': code,
    export: code,
    whoami: code,
    library: code,
    console: code,
    // The line that it tries, as cron would run it, says the code itself.
    init: 'ERR_SOURCE_CREDENTIALS',
    // It asks nobody.
    emulator: '-',
    ...others,
  };
}

function everywhere(outcome: Outcome, others: Partial<Record<Command, Outcome>> = {}): Row['expected'] {
  return {
    'credential-process': outcome,
    serve: outcome,
    update: outcome,
    cache: outcome,
    exec: outcome,
    renew: outcome,
    'assume-role': outcome,
    'web-identity': outcome,
    export: outcome,
    whoami: outcome,
    library: outcome,
    console: outcome,
    init: outcome,
    emulator: outcome,
    ...others,
  };
}

/** The faults of the network, by the name that the test knows them by. */
export const NETWORK = {
  late: 'every piece is 50 ms late',
  bytewise: 'answers come byte by byte',
  slow: 'throttled to 8 KB/s',
  refused: 'nobody listens',
  'end-0': 'ended before the first byte',
  'reset-0': 'reset before the first byte',
  'end-handshake': 'ended amid the handshake',
  'reset-handshake': 'reset amid the handshake',
  'end-answer': 'ended amid the answer',
  'reset-answer': 'reset amid the answer',
  'stall-0': 'stalls before the first byte',
  'stall-handshake': 'stalls amid the handshake',
  'stall-answer': 'stalls amid the answer',
  'corrupt-handshake': 'a bit of the handshake is turned over',
  'corrupt-answer': 'a bit of the answer is turned over',
  reorder: 'two pieces change places',
  expired: "the server's certificate has ended",
  'other-name': "the server's certificate is for another name",
  'other-authority': "the server's certificate is of an unknown authority",
  'reset-once': 'the first connection is reset amid the answer, the next is good',
} as const;

export type NetworkFault = keyof typeof NETWORK;

/** The emulator is the service. */
const NO_EMULATOR = { emulator: '-' } as const;

const NETWORK_EXPECTED: Readonly<Record<NetworkFault, Row['expected']>> = {
  late: everywhere('right', NO_EMULATOR),
  bytewise: everywhere('right', NO_EMULATOR),
  slow: everywhere('right', NO_EMULATOR),
  refused: failing('ERR_CONNECT'),
  'end-0': failing('ERR_CONNECT'),
  'reset-0': failing('ERR_CONNECT'),
  'end-handshake': failing('ERR_CONNECT'),
  'reset-handshake': failing('ERR_CONNECT'),
  'end-answer': failing('ERR_CONNECT'),
  'reset-answer': failing('ERR_CONNECT'),
  'stall-0': failing('ERR_TIMEOUT'),
  'stall-handshake': failing('ERR_TIMEOUT'),
  'stall-answer': failing('ERR_TIMEOUT'),
  'corrupt-handshake': failing('ERR_TLS'),
  'corrupt-answer': failing('ERR_TLS'),
  reorder: failing('ERR_TLS'),
  expired: failing('ERR_TLS_VALIDITY'),
  'other-name': failing('ERR_TLS_NAME'),
  'other-authority': failing('ERR_TLS_AUTHORITY'),
  'reset-once': everywhere('right', { ...NO_EMULATOR, renew: 'ERR_CONNECT' }),
};

/** The faults of the machine. */
export const MACHINE = {
  'disk-full': 'the disk is full',
  'read-only': 'the file system is read-only',
  descriptors: 'no descriptors left (the limit goes down one by one)',
  memory: 'no memory left (the limit goes down step by step)',
  'clock-ahead': "the machine's clock is 1 h ahead",
  'clock-behind': "the machine's clock is 1 h behind",
  'clock-jumps': 'the clock jumps 2 h ahead, and back, meanwhile',
  'no-ipv6': 'no IPv6, not even ::1',
  'no-dns': 'no name is resolved',
} as const;

export type MachineFault = keyof typeof MACHINE;

/** Those that say nothing of a clock that is wrong; what `init` tries has the environment of cron, and so the right one. */
const QUIET = { serve: 'right', renew: 'right', library: 'right', console: 'right', init: '-' } as const;

const MACHINE_EXPECTED: Readonly<Record<MachineFault, Row['expected']>> = {
  'disk-full': everywhere('right', {
    serve: 'ERR_TOKEN_FILE',
    update: 'ERR_CREDENTIALS_FILE',
    cache: 'right, warned',
    renew: 'ERR_RENEWAL_WRITE',
    console: 'ERR_TOKEN_FILE',
    init: 'ERR_CONFIG_FILE',
    emulator: 'ERR_STATE',
  }),
  'read-only': everywhere('right', {
    serve: 'ERR_TOKEN_FILE',
    update: 'ERR_CREDENTIALS_FILE',
    cache: 'right, warned',
    renew: 'ERR_RENEWAL_WRITE',
    console: 'ERR_TOKEN_FILE',
    init: 'ERR_CONFIG_FILE',
    emulator: 'ERR_STATE',
  }),
  descriptors: everywhere('right or none'),
  memory: everywhere('right or none'),
  'clock-ahead': everywhere('right, warned', { ...QUIET, ...NO_EMULATOR }),
  'clock-behind': everywhere('right, warned', { ...QUIET, ...NO_EMULATOR }),
  'clock-jumps': everywhere('-', { serve: 'right' }),
  'no-ipv6': everywhere('right', NO_EMULATOR),
  'no-dns': failing('ERR_DNS'),
};

/** The faults amid the work with files. */
export const FILES = {
  killed: 'SIGKILL before and after every call that changes a file',
  'no-room': 'every call that changes a file fails in turn: ENOSPC',
  'io-error': 'every call that changes a file fails in turn: EIO',
  replaced: 'certificate and key, or the kept state, are replaced at every call that reads them',
  cut: 'certificate and key, or the kept state, are cut short at every call that reads them',
} as const;

export type FilesFault = keyof typeof FILES;

const WRITERS = everywhere('-', {
  update: 'right or none',
  cache: 'right or none',
  renew: 'right or none',
  init: 'right or none',
  emulator: 'right or none',
});
/** The page of `serve --console` has what `serve` has read; the line that `init` tries has the environment of cron. */
const NO_READERS = { 'assume-role': '-', 'web-identity': '-', renew: '-', console: '-', init: '-' } as const;
const READERS = everywhere('right or none', NO_READERS);

const FILES_EXPECTED: Readonly<Record<FilesFault, Row['expected']>> = {
  killed: { ...WRITERS, serve: 'right or none' },
  'no-room': WRITERS,
  'io-error': WRITERS,
  // It reads both again, once, when they do not belong together.
  replaced: everywhere('right', { ...NO_READERS, serve: 'right or none', emulator: 'right or none' }),
  cut: READERS,
};

function rows<F extends string>(
  kind: Kind,
  words: Readonly<Record<F, string>>,
  expected: Readonly<Record<F, Row['expected']>>,
): Row[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys are those of the type
  return (Object.keys(words) as F[]).map((name) => ({ kind, fault: words[name], expected: expected[name] }));
}

/** What is expected of a command. */
export function expectedOf(kind: 'network', fault: NetworkFault, command: Command): Outcome;
export function expectedOf(kind: 'machine', fault: MachineFault, command: Command): Outcome;
export function expectedOf(kind: 'files', fault: FilesFault, command: Command): Outcome;
export function expectedOf(kind: Kind, fault: string, command: Command): Outcome {
  const tables: Readonly<Record<Kind, Readonly<Record<string, Row['expected']>>>> = {
    network: NETWORK_EXPECTED,
    machine: MACHINE_EXPECTED,
    files: FILES_EXPECTED,
  };
  const row = tables[kind][fault];
  if (row === undefined) throw new Error(`no fault ${fault}`);
  return row[command];
}

/** The whole matrix, in the order of the page. */
export const MATRIX: readonly Row[] = [
  ...rows('network', NETWORK, NETWORK_EXPECTED),
  ...rows('machine', MACHINE, MACHINE_EXPECTED),
  ...rows('files', FILES, FILES_EXPECTED),
];
