/**
 * What a key in a TPM costs: the one-shot with keys in swtpm over the one-shot with a PEM file, over HTTP, and a signature
 * alone in a process that is already running.
 *
 * Usage: node scripts/run-ts.mjs bench/tpm.ts [RUNS]
 */
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startEmulator } from '../src/emulator/emulator.ts';
import { createKeySigner } from '../src/identity/key-signer.ts';
import { madeKeys } from '../test/support/tpm/keys.ts';
import { keyNamed, openMade } from '../test/support/tpm/open.ts';
import { Simulator } from '../test/support/tpm/simulator.ts';
import { startAnsweringServer } from './answering-server.ts';
import { type Variant, measure, show } from './measure.ts';

const NAMES = [
  ['h-ecc256-noda', 'by its handle'],
  ['h-ecc256-pw', 'by its handle, password'],
  ['o-parent-p256', 'file, persistent parent'],
  ['o-owner-p256', 'file, owner hierarchy'],
  ['o-owner-p256-pw', 'file, owner hierarchy, password'],
  ['o-owner-rsa2048', 'RSA 2048, file, owner hierarchy'],
] as const;
const SIGNATURES = 200;

process.chdir(dirname(dirname(process.argv[1] ?? '')));
const runs = Number(process.argv[2] ?? 40);
const { directory, keys } = await madeKeys();
const tls = {
  cert: readFileSync('certs-dev/out/tls-server.crt.pem'),
  key: readFileSync('certs-dev/out/tls-server.key.pem'),
};
const certificates = ['certs-dev/out/root.pem', join(directory, 'root.pem')].map((file) => readFileSync(file, 'utf8'));
const emulator = await startEmulator({ trustAnchors: certificates.map((text) => ({ certificates: text })) });
const server = await startAnsweringServer({ cert: tls.cert.toString(), key: tls.key.toString() });
const tpm = await new Simulator('unix', directory).start();
const folder = mkdtempSync(join(tmpdir(), 'bench-tpm-'));
try {
  writeFileSync(join(folder, 'env'), `ROLES_ANYWHERE_STATE_DIR=${join(folder, 'state')}\n`);
  await measure(process.execPath, variants(emulator.url), 1);
  const { node, variants: results } = await measure(process.execPath, variants(server.url), runs);
  console.log(`node ${node}, ${runs} runs each, in random order`);
  for (const { name, wallMs, over } of results)
    console.log([`${name}: ${wallMs.median.toFixed(1)} ms`, ...Object.values(over).map((one) => show(one))].join(', '));
  await signatures();
} finally {
  await emulator.close();
  server.close();
  await tpm.remove();
  rmSync(folder, { recursive: true });
}

function variants(url: string): Variant[] {
  const { trustAnchorArns, profileArns, roleArns } = emulator;
  const oneShot = (anchor: number, ...identity: string[]): string[] =>
    [
      [`--env-file=${join(folder, 'env')}`, 'dist/cli.cjs', 'credential-process', ...identity],
      ['--trust-anchor-arn', trustAnchorArns[anchor]!, '--profile-arn', profileArns[0]!, '--role-arn', roleArns[0]!],
      ['--endpoint', url],
    ].flat();
  return [
    {
      name: 'PEM file, EC P-256',
      args: oneShot(
        0,
        '--certificate',
        'certs-dev/out/ec-p256.crt.pem',
        '--private-key',
        'certs-dev/out/ec-p256.key.pem',
        '--intermediates',
        'certs-dev/out/intermediate.pem',
      ),
    },
    ...NAMES.map(([name, what]): Variant => {
      const { key, password } = keyNamed(keys, name);
      const file = join(folder, `${name}.password`);
      if (password !== undefined) writeFileSync(file, password);
      return {
        name: `TPM, ${what}`,
        args: oneShot(
          1,
          '--certificate',
          join(directory, `${name}.pem`),
          '--tpm-device',
          tpm.socket,
          '--private-key',
          key.startsWith('handle:') ? key : join(directory, key),
          ...(password === undefined ? [] : ['--tpm-key-password-file', file]),
        ),
      };
    }),
  ];
}

/** In a process that has signed before. */
async function signatures(): Promise<void> {
  const file = 'certs-dev/out/ec-p256.key.pem';
  const key = createPrivateKey(readFileSync(file));
  const own = createKeySigner(key, 'EC', createPublicKey(key), file);
  console.log(`a signature, median of ${SIGNATURES}`);
  console.log(`PEM file, EC P-256: ${(await median((message) => own.sign(message))).toFixed(2)} ms`);
  for (const [name, what] of NAMES) {
    const { signer } = await openMade(tpm, directory, keyNamed(keys, name), { device: tpm.socket });
    console.log(`TPM, ${what}: ${(await median((message) => signer.sign(message))).toFixed(2)} ms`);
  }
}

/** Milliseconds. */
async function median(sign: (message: Uint8Array) => Promise<Uint8Array>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < SIGNATURES; round++) {
    const message = randomBytes(150);
    const started = performance.now();
    await sign(message);
    times.push(performance.now() - started);
  }
  return times.toSorted((a, b) => a - b)[SIGNATURES / 2] ?? 0;
}
