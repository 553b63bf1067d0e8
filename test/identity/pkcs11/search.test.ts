/** Which certificate and which key is taken, of tokens that a test plays. */
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Authority, DAY_MS, generateKeys, issueAuthority, issueLeaf } from '../../../certs-dev/authority.ts';
import { openChooser } from '../../../src/identity/choice.ts';
import { CryptokiError } from '../../../src/identity/pkcs11/cryptoki.ts';
import type { CertificateFacts, KeyFacts, ObjectFilter, Port, TokenFacts } from '../../../src/identity/pkcs11/port.ts';
import { Search, type SearchOptions } from '../../../src/identity/pkcs11/search.ts';
import { parsePkcs11Uri } from '../../../src/identity/pkcs11/uri.ts';
import { refusal } from '../../support/refusal.ts';

const LOGIN_REQUIRED = 0x4;
const [CKK_RSA, CKK_EC] = [0, 3];
const NOW = Date.now();
const NO_ID = new Uint8Array();
const CERTIFICATE = '--certificate';
const KEY = '--private-key';

interface Token {
  readonly flags?: number;
  readonly certificates?: readonly CertificateFacts[];
  readonly keys?: readonly KeyFacts[];
  /** What is seen after a login alone. */
  readonly hidden?: { readonly certificates?: readonly CertificateFacts[]; readonly keys?: readonly KeyFacts[] };
  /** Thrown at every search. */
  readonly sick?: Error;
}

const has = ({ label, id }: ObjectFilter, object: { label: string; id: Uint8Array }): boolean =>
  (label === undefined || label === object.label) && (id === undefined || Buffer.compare(id, object.id) === 0);

/** A search in tokens with the labels t0, t1 ..., and the slots 0, 1 ... */
async function search(tokens: readonly Token[], options?: SearchOptions) {
  const facts = tokens.map(({ flags = 0 }, index): TokenFacts => ({
    label: `t${index}`,
    manufacturer: 'm',
    model: 'o',
    serial: '1',
    flags,
    slot: BigInt(index),
    slotInfo: { description: '', manufacturer: '' },
    library: { manufacturer: '', description: '', version: { major: 1, minor: 0 } },
  }));
  const logins: string[] = [];
  const asked: string[] = [];
  const port: Port = {
    ask: async (operation, ask) => {
      if (operation === 'tokens') return facts;
      const { slot, filter } = ask as { slot: bigint; filter: ObjectFilter };
      const { sick, hidden = {}, ...seen } = tokens[Number(slot)] ?? {};
      if (sick !== undefined) throw sick;
      if (operation !== 'keys' && operation !== 'certificates') throw new Error(`${operation} is not asked for`);
      const kind: 'keys' | 'certificates' = operation;
      asked.push(kind);
      const all = [...(seen[kind] ?? []), ...((logins.includes(`t${slot}`) && hidden[kind]) || [])];
      return all.filter((object) => has(filter, object)) as never;
    },
    close: async () => undefined,
  };
  const logIn = async ({ label }: TokenFacts): Promise<void> => void logins.push(label);
  return { found: await Search.start(port, logIn, options), logins, asked, facts };
}

const uri = (text = '') => parsePkcs11Uri(`pkcs11:${text}`).uri;

let ca: Authority;
let otherCa: Authority;
let keys: Awaited<ReturnType<typeof generateKeys>>;
let otherKeys: Awaited<ReturnType<typeof generateKeys>>;
beforeAll(async () => {
  [keys, otherKeys] = await Promise.all([generateKeys('ec-p256'), generateKeys('ec-p256')]);
  ca = await issueAuthority({ subject: 'CN=ca', keys: await generateKeys('ec-p256') });
  otherCa = await issueAuthority({ subject: 'CN=other ca', keys: await generateKeys('ec-p256') });
});

interface Wanted {
  readonly subject?: string;
  readonly days?: number;
  readonly from?: number;
  readonly own?: boolean;
  readonly issuer?: Authority;
  readonly label?: string;
  readonly id?: Uint8Array;
}

let serial = 1;
async function issue({ subject = 'CN=web', days = 30, from = -60, own = true, issuer = ca, ...object }: Wanted = {}) {
  const leaf = await issueLeaf({
    subject,
    serialNumber: (serial++).toString(16).padStart(4, '0'),
    issuer,
    publicKey: (own ? keys : otherKeys).publicKey,
    notBefore: new Date(NOW + from * DAY_MS),
    notAfter: new Date(NOW + days * DAY_MS),
  });
  return { label: 'c', id: NO_ID, der: new Uint8Array(leaf.rawData), ...object } satisfies CertificateFacts;
}

const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const another = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

function key(publicKey: KeyObject | undefined, facts: Partial<KeyFacts> = {}): KeyFacts {
  const { x = '', y = '' } = publicKey?.export({ format: 'jwk' }) ?? {};
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  const parameters = Buffer.from('06082a8648ce3d030107', 'hex');
  const publicPart = publicKey === undefined ? {} : { point, parameters };
  return { handle: 1n, label: 'k', id: NO_ID, type: CKK_EC, alwaysAuthenticate: false, publicPart, ...facts };
}

const hintOf = async (count: number): Promise<string> => {
  const { found } = await search(Array.from({ length: count }, () => ({})));
  return (await refusal(() => found.certificates(uri('token=x'), CERTIFICATE))).hint ?? '';
};

describe('the token', () => {
  it('is named where no other matches, or said to be none', async () => {
    const { found } = await search([{}, {}]);
    const error = await refusal(() => found.certificates(uri('token=x'), CERTIFICATE));
    expect(error).toMatchObject({
      code: 'ERR_TOKEN_NOT_FOUND',
      message: 'no token matches the URI of --certificate',
      hint: expect.stringMatching(/^the module shows pkcs11:.*token=t0 , pkcs11:.*token=t1$/) as string,
    });
    const { found: none } = await search([]);
    const empty = await refusal(() => none.certificates(uri(), CERTIFICATE));
    expect(empty.message).toBe('no token matches the URI of --certificate: the module shows none');
    expect(empty.hint).toContain('plug the token in');
  });

  it('is one of ten that are named, where there are more', async () => {
    expect((await hintOf(10)).endsWith('token=t9')).toBe(true);
    expect((await hintOf(11)).endsWith('token=t9 , and 1 more')).toBe(true);
    expect((await hintOf(12)).endsWith('token=t9 , and 2 more')).toBe(true);
  });
});

describe('certificates', () => {
  it('are those that can be seen without a login, of all tokens', async () => {
    const [a, b] = [await issue(), await issue()];
    const { found, logins, facts } = await search([
      { flags: LOGIN_REQUIRED, certificates: [a] },
      { flags: LOGIN_REQUIRED, certificates: [b], hidden: { certificates: [a] } },
    ]);
    expect(await found.certificates(uri(), CERTIFICATE)).toEqual([
      { token: facts[0], facts: a },
      { token: facts[1], facts: b },
    ]);
    expect(await found.certificates(uri('token=t1'), CERTIFICATE)).toHaveLength(1);
    expect(logins).toEqual([]);
  });

  it.each([
    ['a token that wants one', LOGIN_REQUIRED, undefined, ['t0']],
    ['one that hides things, with a PIN for it', 0, true, ['t0']],
    ['one that hides things, with a PIN for another', 0, false, []],
    ['one that hides things, without a PIN', 0, undefined, []],
  ])('are looked for behind a login where none is seen: of %s', async (_what, flags, pin, expected) => {
    const hidden = { certificates: [await issue()] };
    const options = pin === undefined ? {} : { hasPin: ({ label }: TokenFacts) => pin && label === 't0' };
    const { found, logins } = await search([{ flags, hidden }], options);
    expect(await found.certificates(uri(), CERTIFICATE)).toHaveLength(expected.length);
    expect(logins).toEqual(expected);
    await found.certificates(uri('object=none'), CERTIFICATE);
    expect(logins).toEqual(expected);
  });

  it('are not looked for behind a login where two tokens can be meant', async () => {
    const token = { flags: LOGIN_REQUIRED, hidden: { certificates: [await issue()] } };
    const { found, logins } = await search([token, token], { hasPin: () => true });
    expect(await found.certificates(uri(), CERTIFICATE)).toEqual([]);
    expect(logins).toEqual([]);
    const error = await refusal(() => found.certificate(uri(), CERTIFICATE));
    expect(error).toMatchObject({
      code: 'ERR_OBJECT_NOT_FOUND',
      message: 'no certificate in the token matches the URI of --certificate',
      hint: expect.stringMatching(/^searched without a login; .*token=t0 , .*token=t1$/) as string,
    });
  });

  it('that are not there are said to be searched for', async () => {
    for (const tokens of [[{ flags: LOGIN_REQUIRED }], [{}, {}], [{}, {}].slice(1)]) {
      const { found } = await search(tokens);
      const { hint } = await refusal(() => found.certificate(uri(), CERTIFICATE));
      expect(hint).toMatch(/^searched pkcs11:.*; check object and id: /);
    }
    const { found } = await search([{ flags: LOGIN_REQUIRED }, {}]);
    const both = await refusal(() => found.certificate(uri(), CERTIFICATE));
    expect(both.hint).toMatch(/^searched without a login; /);
    const { hint } = await refusal(() => found.certificate(uri('token=t1'), CERTIFICATE));
    expect(hint).toMatch(/^searched pkcs11:model=o;manufacturer=m;serial=1;token=t1; check/);
  });

  it('of a token that cannot be searched are left out beside others, and it is named', async () => {
    const sick = new CryptokiError('C_FindObjects', 0x30);
    const { found } = await search([{ sick }, { certificates: [await issue()] }]);
    expect(await found.certificates(uri(), CERTIFICATE)).toHaveLength(1);
    await expect(found.certificates(uri('token=t0'), CERTIFICATE)).rejects.toBe(sick);
    const { hint } = await refusal(() => found.certificate(uri('object=x'), CERTIFICATE));
    expect(hint).toMatch(/^pkcs11:.*token=t0 could not be searched \(C_FindObjects: .*\); searched pkcs11:/);
    const other = new Error('lost');
    const { found: failing } = await search([{ sick: other }, {}]);
    await expect(failing.certificates(uri(), CERTIFICATE)).rejects.toBe(other);
  });

  it('are those alone that are chosen, and one that cannot be read is none of them', async () => {
    const chosen = await issue({ subject: 'CN=chosen' });
    const broken = { label: 'c', id: NO_ID, der: new Uint8Array([1]) };
    const certificates = [await issue(), chosen, broken];
    const chooser = openChooser({ selector: 'Key=x509Subject,Value=CN=chosen' });
    const { found } = await search([{ certificates }], { chooser });
    expect((await found.certificates(uri(), CERTIFICATE)).map(({ facts }) => facts)).toEqual([chosen]);
    const { found: all, facts } = await search([{ certificates }]);
    expect(await all.certificates(uri(), CERTIFICATE)).toHaveLength(3);
    expect(await all.allCertificates(facts[0] as TokenFacts)).toEqual(certificates);
  });
});

const taken = async (...certificates: readonly CertificateFacts[]): Promise<CertificateFacts> => {
  const { found } = await search([{ certificates }], { now: () => NOW });
  return (await found.certificate(uri(), CERTIFICATE)).facts;
};

describe('the certificate', () => {
  it('is the one that there is, whether it can be read and is valid or not', async () => {
    const broken = { label: 'c', id: NO_ID, der: new Uint8Array([1]) };
    for (const only of [await issue(), await issue({ days: -1 }), broken]) expect(await taken(only)).toBe(only);
  });

  it('is the last of those that it was renewed from, wherever it is among them', async () => {
    const [short, long, middle] = [await issue({ days: 10 }), await issue({ days: 90 }), await issue({ days: 30 })];
    for (const order of [
      [short, long, middle],
      [long, middle, short],
      [middle, short, long],
    ])
      expect(await taken(...order)).toBe(long);
    expect(await taken(short, short)).toBe(short);
  });

  it('is one that is valid, before one that ends later, and the last where none is', async () => {
    const [valid, expired, future] = [
      await issue({ days: 10 }),
      await issue({ days: -1 }),
      await issue({ days: 90, from: 5 }),
    ];
    expect(await taken(expired, future, valid)).toBe(valid);
    expect(await taken(expired, await issue({ days: -9 }))).toBe(expired);
    // Of another key, if that alone is valid.
    expect(await taken(await issue({ days: -1, own: false }), valid)).toBe(valid);
    expect(await taken(valid, await issue({ days: -1, own: false }))).toBe(valid);
  });

  it.each<[string, Wanted]>([
    ['subject', { subject: 'CN=other' }],
    ['key', { own: false }],
  ])('is none of two of another %s', async (_what, wanted) => {
    const [one, other] = [await issue(), await issue({ days: 60, ...wanted })];
    for (const order of [
      [one, other],
      [other, one],
    ])
      expect(await refusal(() => taken(...order))).toMatchObject({
        code: 'ERR_OBJECT_AMBIGUOUS',
        message: '2 certificates match the URI of --certificate',
        hint: expect.stringMatching(/^name one of them: pkcs11:.*object=c;type=cert , pkcs11:/) as string,
      });
  });

  it('is none of two of another issuer, of another token, or of which one cannot be read', async () => {
    const [one, other] = [await issue(), await issue({ issuer: otherCa })];
    const broken = { ...one, der: new Uint8Array([1]) };
    for (const pairOf of [
      [one, other],
      [one, broken],
      [broken, one],
      [broken, broken],
    ])
      expect(await refusal(() => taken(...pairOf))).toMatchObject({ code: 'ERR_OBJECT_AMBIGUOUS' });
    const { found } = await search([{ certificates: [one] }, { certificates: [await issue({ days: 60 })] }]);
    expect(await refusal(() => found.certificate(uri(), CERTIFICATE))).toMatchObject({ code: 'ERR_OBJECT_AMBIGUOUS' });
  });

  it('is judged by the clock where no time is given', async () => {
    const { found } = await search([
      { certificates: [await issue({ days: -1 }), await issue({ days: 1, own: false })] },
    ]);
    expect((await found.certificate(uri(), CERTIFICATE)).facts.label).toBe('c');
  });

  it('is what a selector chooses, by whatever token', async () => {
    const [one, other] = [await issue({ days: 10 }), await issue({ days: 60, own: false })];
    const tokens = [{ certificates: [one] }, { certificates: [other] }];
    const latest = openChooser({ latest: true });
    const { found } = await search(tokens, { chooser: latest, now: () => NOW });
    expect((await found.certificate(uri(), CERTIFICATE)).facts).toBe(other);
    const { found: later } = await search(tokens, { chooser: latest, now: () => NOW + 70 * DAY_MS });
    expect((await later.certificate(uri(), CERTIFICATE)).facts).toBe(other);
    const { found: several } = await search(tokens, {
      chooser: openChooser({ selector: 'Key=x509Subject,Value=CN=web' }),
      now: () => NOW,
    });
    expect(await refusal(() => several.certificate(uri(), CERTIFICATE))).toMatchObject({
      code: 'ERR_CERTIFICATE_AMBIGUOUS',
      hint: expect.stringContaining('token=t0;object=c;type=cert') as string,
      message: '2 certificates in the tokens that --certificate names match --cert-selector',
    });
    const { found: none } = await search(tokens, { chooser: openChooser({ selector: 'Key=x509Serial,Value=ffff' }) });
    expect(await refusal(() => none.certificate(uri(), CERTIFICATE))).toMatchObject({
      code: 'ERR_CERTIFICATE_NOT_FOUND',
      hint: 'read-certificate-data --certificate pkcs11: lists what can be seen without a login',
    });
  });
});

describe('the key of a certificate', () => {
  const ID = new Uint8Array([7]);
  const { publicKey } = pair;
  const found = async (given: readonly KeyFacts[], id?: Uint8Array): Promise<KeyFacts> => {
    const { found: one } = await search([{ keys: given }]);
    return (await one.key(uri(), KEY, publicKey, id)).facts;
  };

  it('is the one that fits, whichever others there are', async () => {
    const own = key(publicKey);
    for (const given of [
      [own],
      [key(another.publicKey), own],
      [own, key(undefined)],
      [key(undefined, { id: ID }), own],
      [key(undefined, { type: CKK_RSA }), own],
    ])
      expect(await found(given, ID)).toBe(own);
  });

  it('is any of its copies: one that wants no PIN at each signature, if there is one', async () => {
    const [asking, quiet] = [key(publicKey, { alwaysAuthenticate: true }), key(publicKey)];
    expect([await found([asking, quiet]), await found([quiet, asking])]).toEqual([quiet, quiet]);
    expect(await found([asking, key(publicKey, { alwaysAuthenticate: true, label: 'second' })])).toBe(asking);
  });

  it('may be one whose public part is not shown: of several, that with the id of the certificate', async () => {
    const [with_, without] = [key(undefined, { id: ID }), key(undefined, { id: new Uint8Array([8]) })];
    expect(await found([without])).toBe(without);
    expect([await found([with_, without], ID), await found([without, with_], ID)]).toEqual([with_, with_]);
    for (const id of [undefined, NO_ID, new Uint8Array([9])])
      expect(await refusal(() => found([with_, without], id))).toMatchObject({
        code: 'ERR_OBJECT_AMBIGUOUS',
        message: '2 private keys match the URI of --private-key',
        hint: expect.stringMatching(/^name one of them: .*id=%07;object=k;type=private , .*id=%08/) as string,
      });
    expect(await refusal(() => found([with_, key(undefined)], NO_ID))).toMatchObject({ code: 'ERR_OBJECT_AMBIGUOUS' });
    expect(await refusal(() => found([key(undefined), key(undefined)], NO_ID))).toMatchObject({
      code: 'ERR_OBJECT_AMBIGUOUS',
    });
    expect(await refusal(() => found([with_, { ...with_ }], ID))).toMatchObject({ code: 'ERR_OBJECT_AMBIGUOUS' });
  });

  it('is none that belongs to another, or is of a kind that is not used', async () => {
    expect(await refusal(() => found([key(another.publicKey)]))).toMatchObject({
      code: 'ERR_KEY_MISMATCH',
      hint: expect.stringMatching(/^found pkcs11:.*object=k;type=private; name the key/) as string,
    });
    for (const given of [[CKK_RSA], [1, CKK_RSA], [CKK_RSA, 2]])
      expect(await refusal(() => found(given.map((type) => key(undefined, { type }))))).toMatchObject({
        code: 'ERR_KEY_MISMATCH',
      });
    expect(await refusal(() => found([key(another.publicKey), key(undefined, { type: 1 })]))).toMatchObject({
      code: 'ERR_KEY_MISMATCH',
    });
    expect(await refusal(() => found([1, 2].map((type) => key(undefined, { type }))))).toMatchObject({
      code: 'ERR_KEY_UNSUPPORTED',
      message: 'the key that --private-key finds is neither an RSA nor an EC key',
    });
  });

  it.each<[string, number, SearchOptions, string[]]>([
    ['before the search, where the token wants a login', LOGIN_REQUIRED, {}, ['t0']],
    ['where it wants none', 0, {}, []],
    ['where it wants none, and there is a PIN', 0, { hasPin: () => true }, []],
    ['where it wants none, and each login is asked for', 0, { always: true }, ['t0']],
  ])('is looked for with one login at most: %s', async (_what, flags, options, expected) => {
    const { found: one, logins } = await search([{ flags, keys: [key(publicKey)] }], options);
    await one.key(uri(), KEY, publicKey);
    await one.key(uri(), KEY, publicKey);
    expect(logins).toEqual(expected);
  });

  it('is looked for once where the login was made before', async () => {
    const { found: one, asked } = await search([{ flags: LOGIN_REQUIRED }]);
    expect(await refusal(() => one.key(uri(), KEY, publicKey))).toMatchObject({ code: 'ERR_OBJECT_NOT_FOUND' });
    expect(asked).toEqual(['keys']);
  });

  it('is looked for behind a login where it is not seen, and there is a PIN', async () => {
    const token = { hidden: { keys: [key(publicKey)] } };
    const { found: one, logins } = await search([token], { hasPin: () => true });
    expect((await one.key(uri(), KEY, publicKey)).facts).toBe(token.hidden.keys[0]);
    expect(logins).toEqual(['t0']);
    const { found: without } = await search([token]);
    expect(await refusal(() => without.key(uri(), KEY, publicKey))).toMatchObject({
      code: 'ERR_OBJECT_NOT_FOUND',
      message: 'no private key in the token matches the URI of --private-key',
    });
  });

  it('is in the one token that shows it, of those that can be meant', async () => {
    const own = key(publicKey);
    const tokens = [{ flags: LOGIN_REQUIRED }, { flags: LOGIN_REQUIRED, keys: [own] }];
    const { found: one, logins, facts } = await search(tokens);
    expect(await one.key(uri(), KEY, publicKey)).toEqual({ token: facts[1], facts: own });
    expect(logins).toEqual(['t1']);
    for (const several of [
      [{}, {}],
      [{ keys: [own] }, { keys: [own] }],
    ]) {
      const { found: two } = await search(several);
      expect(await refusal(() => two.key(uri(), KEY, publicKey))).toMatchObject({
        code: 'ERR_TOKEN_AMBIGUOUS',
        message: '2 tokens match the URI of --private-key, and a login goes to one only',
        hint: expect.stringMatching(/^name one of them: pkcs11:.*token=t0 , pkcs11:.*token=t1$/) as string,
      });
    }
  });
});

const only = async (...given: readonly KeyFacts[]): Promise<KeyFacts> => {
  const { found } = await search([{ keys: given }]);
  return (await found.onlyKey(uri(), KEY)).facts;
};

describe('the key without a certificate', () => {
  it('is the only one, or one of its copies', async () => {
    const [own, unknown] = [key(pair.publicKey), key(undefined)];
    expect([await only(own), await only(unknown)]).toEqual([own, unknown]);
    const asking = key(pair.publicKey, { alwaysAuthenticate: true });
    expect([await only(asking, own), await only(own, asking)]).toEqual([own, own]);
  });

  it('is none of several that are not known to be the same', async () => {
    const own = key(pair.publicKey);
    const pairs = [
      [own, key(another.publicKey)],
      [own, key(undefined)],
      [key(undefined), own],
      [key(undefined), key(undefined)],
      [own, { ...own }, key(another.publicKey)],
    ];
    for (const given of pairs)
      expect(await refusal(() => only(...given))).toMatchObject({
        code: 'ERR_OBJECT_AMBIGUOUS',
        message: `${given.length} private keys match the URI of --private-key`,
        hint: expect.stringContaining('object=k;type=private , ') as string,
      });
    expect(await refusal(() => only())).toMatchObject({
      code: 'ERR_OBJECT_NOT_FOUND',
      message: 'no private key in the token matches the URI of --private-key',
    });
  });
});

describe('the key of a certificate that was found', () => {
  const ID = new Uint8Array([7]);
  const { publicKey } = pair;
  const keyOf = async (text: string, id: Uint8Array, ...given: readonly KeyFacts[]) => {
    const { found, facts } = await search([{ keys: given }]);
    const certificate = { label: 'c', id, der: new Uint8Array() };
    return (await found.keyOf(uri(text), CERTIFICATE, publicKey, { token: facts[0] as TokenFacts, facts: certificate }))
      .facts;
  };

  it('has the same URI, or the same id where none with that URI fits', async () => {
    const [byUri, byId] = [key(publicKey, { label: 'c' }), key(publicKey, { id: ID })];
    expect(await keyOf('object=c', ID, byId, byUri)).toBe(byUri);
    expect(await keyOf('object=c', ID, byId)).toBe(byId);
    expect(await keyOf('object=c', ID, byId, key(another.publicKey, { label: 'c' }))).toBe(byId);
    const unknown = key(undefined, { label: 'c' });
    expect(await keyOf('object=c', ID, byId, unknown)).toBe(unknown);
  });

  it('is not any key where the certificate has no id', async () => {
    const error = await refusal(() => keyOf('object=c', NO_ID, key(publicKey)));
    expect(error).toMatchObject({ code: 'ERR_OBJECT_NOT_FOUND' });
    expect(await refusal(() => keyOf('object=c', NO_ID, key(publicKey, { id: ID })))).toMatchObject({
      code: 'ERR_OBJECT_NOT_FOUND',
    });
  });

  it('is no other, by either of them', async () => {
    for (const other of [key(another.publicKey, { label: 'c' }), key(another.publicKey, { id: ID })])
      expect(await refusal(() => keyOf('object=c', ID, other))).toMatchObject({ code: 'ERR_KEY_MISMATCH' });
  });
});
