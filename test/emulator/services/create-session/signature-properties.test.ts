import { randomBytes } from 'node:crypto';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { authenticate } from '../../../../src/emulator/callers/authenticate.ts';
import type { EmulatorContext } from '../../../../src/emulator/services/context.ts';
import { readCertificates, verifyRequest } from '../../../../src/emulator/services/create-session/signature.ts';
import type { ReceivedRequest } from '../../../../src/emulator/wire/received.ts';
import { Refusal } from '../../../../src/emulator/wire/refusal.ts';
import { createSessionTokens } from '../../../../src/emulator/callers/sessions.ts';
import { createState } from '../../../../src/emulator/state/state.ts';
import { noThrottle } from '../../../../src/emulator/services/throttle.ts';
import { createWorld } from '../../../../src/emulator/world/world.ts';
import { ADMIN } from '../control/drivers.ts';
import { draft, signed } from '../../support/signed-request.ts';
import { type Client, NOW, certificatePem, makeAuthority, makeClient } from '../../support/world.ts';

const RUNS = 150;

let context: EmulatorContext;
const clients: Client[] = [];
beforeAll(async () => {
  const root = await makeAuthority('root');
  for (const kind of ['ec-p256', 'rsa-2048'] as const) clients.push(await makeClient(root, { kind }));
  const state = createState();
  const world = createWorld({ trustAnchors: [{ certificates: certificatePem(root.certificate) }] }, NOW);
  state.apply({ op: 'load', world });
  context = {
    state,
    region: 'us-east-1',
    now: () => NOW,
    tokens: createSessionTokens(randomBytes(32)),
    throttle: noThrottle,
    onUnknownMember: () => undefined,
  };
});

// What a client may send, in the forms that its library gives it.
const text = fc.string({ unit: 'binary', maxLength: 12 });
const segment = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((part) => !/^\.\.?$/.test(part));
const path = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .map((parts) => `/${parts.map(encodeURIComponent).join('/')}`);
// The SDK's signer loses this one: it keeps the parameters as members of a plain object.
const parameter = text.filter((name) => name !== '__proto__');
const query = fc.dictionary(parameter, fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 })), { maxKeys: 4 });
const headers = fc.dictionary(
  fc.stringMatching(/^x-test-[a-z0-9]{1,8}$/),
  fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/),
  { maxKeys: 3 },
);
const body = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
const bit = fc.record({ at: fc.nat(), bit: fc.nat(7) });

/** The signed parts of a request, one after the other: a flip in any of them counts. */
function flip(request: ReceivedRequest, { at, bit: index }: { at: number; bit: number }): ReceivedRequest | undefined {
  const { method, headers: sent } = request;
  const signedNames = /SignedHeaders=([^,]+)/.exec(sent.find(([name]) => name === 'authorization')?.[1] ?? '')?.[1];
  const counts = sent.map(([name]) => name === 'authorization' || (signedNames ?? '').split(';').includes(name));
  const parts = [method, request.path, request.query, ...sent.map(([, value], which) => (counts[which] ? value : ''))];
  const buffers = [...parts.map((part) => Buffer.from(part, 'latin1')), Buffer.from(request.body)];
  const length = buffers.reduce((sum, { length: own }) => sum + own, 0);
  let place = at % length;
  for (const [which, buffer] of buffers.entries()) {
    if (place >= buffer.length) {
      place -= buffer.length;
      continue;
    }
    const before = buffer.toString('latin1');
    buffer[place] = (buffer[place] ?? 0) ^ (1 << index);
    // `%2f` and `%2F` in a query are the same byte: the request means what it meant.
    if (which === 2 && decoded(before) === decoded(buffer.toString('latin1'))) return undefined;
    break;
  }
  const [newMethod = '', newPath = '', newQuery = '', ...values] = buffers.map((buffer) => buffer.toString('latin1'));
  return {
    method: newMethod,
    path: newPath,
    query: newQuery,
    ...WIRE,
    headers: sent.map(([name, value], which) => [name, counts[which] ? (values[which] ?? '') : value]),
    body: buffers.at(-1) ?? Buffer.alloc(0),
  };
}

/** What no signature covers. */
const WIRE = { isSecure: false, sourceIp: '127.0.0.1' };

function decoded(encoded: string): string {
  return encoded.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => `%${hex.toUpperCase()}`);
}

function verify(received: ReceivedRequest): void {
  verifyRequest(received, readCertificates(received).leaf, 'us-east-1', NOW);
}

/** A refusal is an answer; anything else that is thrown is a defect. */
function isAccepted(check: () => unknown): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

describe('any request that is signed', () => {
  it('by the SDK’s signer verifies, and does not with one bit flipped', async () => {
    const signer = new SignatureV4({
      service: 'rolesanywhere',
      region: 'us-east-1',
      credentials: ADMIN,
      sha256: Sha256,
    });
    const methods = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE');
    await fc.assert(
      fc.asyncProperty(
        fc.record({ method: methods, path, query, headers, body }),
        fc.array(bit, { minLength: 3, maxLength: 3 }),
        async (unsigned, flips) => {
          const host = 'localhost:1234';
          const message = {
            ...unsigned,
            protocol: 'http:',
            hostname: 'localhost',
            headers: { host, ...unsigned.headers },
          };
          const sent = await signer.sign(message, { signingDate: NOW });
          const request: ReceivedRequest = {
            ...WIRE,
            method: unsigned.method,
            path: unsigned.path,
            query: Object.entries(unsigned.query)
              .flatMap(([name, values]) => [values].flat().map((value) => `${encode(name)}=${encode(value)}`))
              .join('&'),
            headers: Object.entries(sent.headers),
            body: unsigned.body,
          };
          expect(authenticate(request, 'rolesanywhere', context, 'us-east-1').arn).toMatch(/user\/admin$/);
          const bent = flips.flatMap((one) => flip(request, one) ?? []);
          expect(bent.filter((one) => isAccepted(() => authenticate(one, 'rolesanywhere', context)))).toEqual([]);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it.each([0, 1])('with the key of a certificate (%i) verifies, and does not with one bit flipped', (index) => {
    const client = clients[index]!;
    fc.assert(
      fc.property(headers, fc.json(), fc.array(bit, { minLength: 3, maxLength: 3 }), (extra, json, flips) => {
        const unsigned = draft(client, 'http://localhost:1234', { now: NOW });
        unsigned.body = json;
        unsigned.headers.push(
          ...Object.entries(extra).map(([name, value]): [string, string] => [name, value.replaceAll(/ +/g, ' ')]),
        );
        unsigned.headers.sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
        unsigned.signedHeaders = unsigned.headers.map(([name]) => name.toLowerCase());
        const message = signed(unsigned, client);
        const request: ReceivedRequest = {
          ...WIRE,
          ...message,
          headers: message.headers.map(([name, value]) => [name.toLowerCase(), value]),
          body: Buffer.from(message.body),
        };
        expect(isAccepted(() => verify(request))).toBe(true);
        const bent = flips.flatMap((one) => flip(request, one) ?? []);
        expect(bent.filter((one) => isAccepted(() => verify(one)))).toEqual([]);
      }),
      { numRuns: RUNS / 2 },
    );
  });
});

/** RFC 3986, as the SDK's own escapes. */
function encode(value: string): string {
  return encodeURIComponent(value).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
