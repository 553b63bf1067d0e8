import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { runProgram } from '../support/cli.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PARSER = 'undici/lib/llhttp/llhttp_simd-wasm.js';

/** YAML as people write it: comments, anchors, merging, blocks, folding, flow, quotes, tags, numbers of every form. */
const WORLD = `# a world
base: &base { region: eu-west-1, "quoted": 'it''s', list: [1, 0x1f, 1e3, -.inf, ~, true, on] }
again: *base
merged:
  <<: *base
  text: |
    one
      two
  folded: >-
    a
    b
- : dash
2025-01-31: !!str 12
`.replace('- : dash\n', '"": dash\n');

/** What is asked of each stand-in, in the bundle. */
const PROGRAM = `
import { createHash, webcrypto } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import parser from '${PARSER}';
import constants from 'undici/lib/llhttp/constants.js';
import { parse, stringify } from 'yaml';

const failure = (attempt) => { try { return { value: attempt() }; } catch ({ message }) { return { message }; } };
export async function answers() {
  x509.cryptoProvider.set(webcrypto);
  const algorithms = [
    { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
    { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
    { name: 'Ed25519' },
  ];
  const verified = [];
  for (const signingAlgorithm of algorithms) {
    const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({ name: 'CN=a', keys, signingAlgorithm });
    const read = new x509.X509Certificate(certificate.toString('pem'));
    const request = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=b', keys, signingAlgorithm,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'host.example' }])],
    });
    const again = new x509.Pkcs10CertificateRequest(request.rawData);
    const names = again.getExtension('2.5.29.17').names.toJSON();
    const crl = await x509.X509CrlGenerator.create({ issuer: 'CN=a', signingAlgorithm, signingKey: keys.privateKey,
      entries: [{ serialNumber: '05', revocationDate: new Date(0) }] });
    verified.push([await read.verify(), await again.verify(), names, await new x509.X509Crl(crl.rawData).verify({ publicKey: read.publicKey })]);
  }
  return {
    verified,
    bag: failure(() => new x509.X509Certificates().export('raw')),
    parser: createHash('sha256').update(parser).digest('hex'),
    same: Object.is(parser, parser),
    constants,
    world: parse(${JSON.stringify(WORLD)}),
    written: stringify(parse(${JSON.stringify(WORLD)}), { lineWidth: 0, version: '1.1' }),
    twice: failure(() => parse('a: 1\\na: 2\\n')),
  };
}
`;

interface Answers {
  readonly [name: string]: unknown;
}

let root: string;
let answers: Answers;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'roles-anywhere-stand-ins-'));
  mkdirSync(join(root, 'src'));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(
    join(root, 'src/cli.ts'),
    `void import('./all.mjs').then(({ answers }) => answers()).then((said) => console.log(JSON.stringify(said)));`,
  );
  writeFileSync(join(root, 'src/all.mjs'), PROGRAM);
  const script = `import { bundleProgram } from ${JSON.stringify(join(ROOT, 'scripts/build/bundles.mjs'))};
    await bundleProgram(${JSON.stringify(root)}, ${JSON.stringify(join(root, 'dist'))}, '1.2.3', {});`;
  const built = await runProgram(process.execPath, ['--input-type=module', '-e', script]);
  if (built.status !== 0) throw new Error(built.stderr);
  const { status, stdout, stderr } = await runProgram(process.execPath, [join(root, 'dist/main.cjs')]);
  if (status !== 0 || stderr !== '') throw new Error(stderr);
  answers = JSON.parse(stdout) as Answers;
}, 60_000);
afterAll(() => rmSync(root, { recursive: true }));

describe('what stands in for parts of packages in the bundle', () => {
  it('lets @peculiar/x509 write and verify certificates, requests with extensions and revocation lists', () => {
    const names = [{ type: 'dns', value: 'host.example' }];
    expect(answers['verified']).toEqual(Array.from({ length: 3 }, () => [true, true, names, true]));
  });

  it('says that bags of certificates are not there', () => {
    expect(answers['bag']).toEqual({ message: 'PKCS#7 is not in this bundle' });
  });

  it('gives undici the parser and the constants that it came with', () => {
    const require = createRequire(join(ROOT, 'package.json'));
    const bytes = require(PARSER) as Uint8Array;
    expect(answers['parser']).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(answers['same']).toBe(true);
    const { ERROR, TYPE } = require('undici/lib/llhttp/constants.js') as Answers;
    expect(answers['constants']).toEqual({ ERROR, TYPE });
  });

  it('reads and writes YAML as the whole package does', () => {
    expect(answers['world']).toEqual(JSON.parse(JSON.stringify(parse(WORLD))));
    expect(answers['written']).toBe(stringify(parse(WORLD), { lineWidth: 0, version: '1.1' }));
    const same = /^Map keys must be unique at line 2, column 1:/;
    expect(() => parse('a: 1\na: 2\n') as unknown).toThrow(same);
    expect(answers['twice']).toEqual({ message: expect.stringMatching(same) as string });
  });
});
