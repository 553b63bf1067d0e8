/** A TPM with signing keys of every form, each with a certificate: made once by tpm2-tools and tpm2-openssl, then copied. */
import { createHash, webcrypto } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type Authority,
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
} from '../../../certs-dev/authority.ts';
import { integer, octets, oid, sequence, tlv } from '../der.ts';
import { Simulator } from './simulator.ts';

export const KEY_PASSWORD = 'key-password-1234';
export const PARENT_PASSWORD = 'parent-password-5678';

/** A key of the TPM that {@link madeKeys} makes. */
export interface MadeKey {
  readonly name: string;
  /** A handle, or a file's name in the folder. */
  readonly key: string;
  readonly password?: string | undefined;
  readonly parentPassword?: string | undefined;
  /** Whether nothing says that it has no password: --no-tpm-key-password has to. */
  readonly silent?: boolean | undefined;
}

const SIGNING = 'sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth';
const STORAGE = 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth';
export const STORAGE_KEY = '0x81000001';
const LOCKED_STORAGE_KEY = '0x81000002';
/** Where the certificate of h-ecc256 is. */
export const NV_INDEX = '0x1500001';

const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/tpm/', import.meta.url));
const DAY_MS = 86_400_000;

/**
 * The folder with the keys, made when this machine has none that is new enough. `state` is that of swtpm, `root.pem` the
 * authority's certificate, `NAME.pem` those of the keys, `keys.json` a list of {@link MadeKey}.
 */
export async function madeKeys(): Promise<{ directory: string; keys: readonly MadeKey[] }> {
  const digest = createHash('sha256')
    .update(readFileSync(fileURLToPath(import.meta.url)))
    .digest('hex')
    .slice(0, 16);
  const directory = join(CACHE, digest);
  const lock = `${directory}.lock`;
  mkdirSync(CACHE, { recursive: true });
  for (;;) {
    if (existsSync(join(directory, 'keys.json')) && Date.now() - statSync(directory).mtimeMs < DAY_MS) break;
    try {
      mkdirSync(lock);
    } catch {
      // Another suite makes them. One that was ended in the middle leaves the lock.
      if (Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? 0) > 300_000)
        rmSync(lock, { recursive: true, force: true });
      await sleep(250);
      continue;
    }
    try {
      rmSync(directory, { recursive: true, force: true });
      await makeKeys(directory);
    } finally {
      rmSync(lock, { recursive: true, force: true });
    }
  }
  return { directory, keys: JSON.parse(readFileSync(join(directory, 'keys.json'), 'utf8')) as MadeKey[] };
}

async function makeKeys(directory: string): Promise<void> {
  const tpm = await new Simulator('tcp').start();
  try {
    const made = await new Maker(tpm).makeAll();
    await tpm.stop();
    writeFileSync(join(tpm.directory, 'keys.json'), JSON.stringify(made));
    const fresh = `${directory}.new`;
    rmSync(fresh, { recursive: true, force: true });
    cpSync(tpm.directory, fresh, { recursive: true, filter: (path) => !/\.(?:sock|ctx|ctrl)$/.test(path) });
    renameSync(fresh, directory);
  } finally {
    await tpm.remove();
  }
}

/** An authority of one's own, and certificates for keys that only a TPM has. */
export class Issuer {
  readonly authority: Authority;

  private constructor(authority: Authority) {
    this.authority = authority;
  }

  static async make(): Promise<Issuer> {
    return new Issuer(await issueAuthority({ subject: 'CN=TPM Test Root', keys: await generateKeys('ec-p256') }));
  }

  get root(): string {
    return certificatePem(this.authority.certificate);
  }

  /** @param publicKey PEM of a SubjectPublicKeyInfo */
  async certificate(publicKey: string, subject: string): Promise<string> {
    const der = Buffer.from(publicKey.replaceAll(/-----.*?-----|\s/g, ''), 'base64');
    // What the key is for does not matter here: its bytes go into the certificate.
    const algorithms = [
      { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
      ...['P-256', 'P-384', 'P-521'].map((namedCurve) => ({ name: 'ECDSA', namedCurve })),
    ];
    for (const algorithm of algorithms) {
      const key = await webcrypto.subtle.importKey('spki', der, algorithm, true, ['verify']).catch(() => undefined);
      if (key === undefined) continue;
      return certificatePem(await issueLeaf({ subject: `CN=${subject}`, issuer: this.authority, publicKey: key }));
    }
    throw new Error(`no key that goes into a certificate: ${publicKey}`);
  }
}

class Maker {
  readonly #tpm: Simulator;
  readonly #keys: MadeKey[] = [];

  constructor(tpm: Simulator) {
    this.#tpm = tpm;
  }

  async makeAll(): Promise<readonly MadeKey[]> {
    const issuer = await Issuer.make();
    writeFileSync(this.#path('root.pem'), issuer.root);
    // Tests may make it small; here it is roomy, and soon forgotten.
    await this.#run('tpm2_dictionarylockout', '-Q', '-s', '-n', '32', '-t', '1', '-l', '1');
    await this.#parents();
    await this.#persistent();
    await this.#byOpenssl();
    await this.#byTools();
    for (const { name, key } of this.#keys) {
      const publicKey = await this.#publicKey(name, key);
      writeFileSync(this.#path(`${name}.pem`), await issuer.certificate(publicKey, name));
    }
    await this.#certificateInNv();
    return this.#keys;
  }

  async #parents(): Promise<void> {
    await this.#run('tpm2_createprimary', '-Q', '-C', 'o', '-G', 'rsa', '-c', 'srk.ctx');
    await this.#persist('srk.ctx', STORAGE_KEY);
    const locked = ['-G', 'ecc256:aes128cfb', '-a', STORAGE, '-p', PARENT_PASSWORD];
    await this.#run('tpm2_createprimary', '-Q', '-C', 'o', ...locked, '-c', 'locked.ctx');
    await this.#persist('locked.ctx', LOCKED_STORAGE_KEY);
    for (const [kind, file] of [
      ['ecc256:aes128cfb', 'owner.ctx'],
      ['rsa2048:aes128cfb', 'owner-rsa.ctx'],
    ] as const) {
      await this.#run('tpm2_createprimary', '-Q', '-C', 'o', '-G', kind, '-a', `${STORAGE}|noda`, '-c', file);
      await this.#run('tpm2_flushcontext', '-t');
    }
  }

  async #persistent(): Promise<void> {
    const kinds = ['rsa2048', 'ecc256', 'ecc384', 'rsa3072', 'ecc521'];
    for (const [index, kind] of kinds.entries()) {
      await this.#handle(`h-${kind}`, 0x81010001 + index, kind, { silent: true });
      if (index < 3) await this.#handle(`h-${kind}-pw`, 0x81010011 + index, kind, { password: KEY_PASSWORD });
    }
    await this.#handle('h-ecc256-noda', 0x81010020, 'ecc256', { attributes: `${SIGNING}|noda` });
    await this.#handle('h-ecc256-pw-noda', 0x81010021, 'ecc256', {
      password: KEY_PASSWORD,
      attributes: `${SIGNING}|noda`,
    });
    await this.#handle('h-rsa-decrypt', 0x81010031, 'rsa2048', { attributes: SIGNING.replace('sign', 'decrypt') });
    await this.#handle('h-ecc-restricted', 0x81010032, 'ecc256:ecdsa-sha256:null', {
      attributes: `${SIGNING}|restricted`,
      silent: true,
    });
    await this.#handle('h-rsa-pss', 0x81010033, 'rsa2048:rsapss-sha256:null', { silent: true });
    await this.#handle('h-ecc-sha384', 0x81010034, 'ecc256:ecdsa-sha384:null', { silent: true });
    await this.#run('tpm2_createpolicy', '-Q', '--policy-pcr', '-l', 'sha256:0', '-L', 'pcr.policy');
    await this.#handle('h-ecc-policy', 0x81010035, 'ecc256', {
      attributes: SIGNING.replace('|userwithauth', ''),
      more: ['-L', 'pcr.policy'],
    });
    await this.#handle('h-rsa-sha384', 0x81010036, 'rsa2048:rsassa-sha384:null', { silent: true });
    await this.#handle('h-ecc384-sha512', 0x81010037, 'ecc384:ecdsa-sha512:null', { silent: true });
    await this.#handle('h-rsa-restricted', 0x81010038, 'rsa2048:rsassa-sha256:null', {
      attributes: `${SIGNING}|restricted`,
      silent: true,
    });
  }

  async #byOpenssl(): Promise<void> {
    const kinds = [
      ['rsa2048', 'RSA', 'bits:2048'],
      ['p256', 'EC', 'group:P-256'],
      ['p384', 'EC', 'group:P-384'],
    ] as const;
    for (const parent of ['owner', STORAGE_KEY])
      for (const password of [undefined, KEY_PASSWORD])
        for (const [kind, algorithm, option] of kinds) {
          const name = `o-${parent === 'owner' ? 'owner' : 'parent'}-${kind}${password === undefined ? '' : '-pw'}`;
          await this.#openssl(name, algorithm, [
            option,
            ...(parent === 'owner' ? [] : [`parent:${parent}`]),
            ...(password === undefined ? [] : [`user-auth:${password}`]),
          ]);
          this.#keys.push({ name, key: `${name}.key`, password });
        }
    for (const password of [undefined, KEY_PASSWORD]) {
      const name = `o-parentpw-p256${password === undefined ? '' : '-pw'}`;
      await this.#openssl(name, 'EC', [
        'group:P-256',
        `parent:${LOCKED_STORAGE_KEY}`,
        `parent-auth:${PARENT_PASSWORD}`,
        ...(password === undefined ? [] : [`user-auth:${password}`]),
      ]);
      this.#keys.push({ name, key: `${name}.key`, password, parentPassword: PARENT_PASSWORD });
    }
  }

  /** tpm2_encodeobject of tpm2-tools 5.4 writes emptyAuth the wrong way round: t-enc-* as it writes, t-parent-* as it should. */
  async #byTools(): Promise<void> {
    for (const kind of ['rsa2048', 'ecc256', 'ecc384'])
      for (const password of [undefined, KEY_PASSWORD]) {
        const suffix = `${kind}${password === undefined ? '' : '-pw'}`;
        const own = password === undefined ? [] : ['-p', password];
        await this.#create(`t-enc-${suffix}`, STORAGE_KEY, kind, own);
        await this.#encode(`t-enc-${suffix}`, STORAGE_KEY, password === undefined ? [] : ['-p']);
        this.#keys.push({
          name: `t-enc-${suffix}`,
          key: `t-enc-${suffix}.key`,
          password,
          silent: password === undefined,
        });
        cpSync(this.#path(`t-enc-${suffix}.pub`), this.#path(`t-parent-${suffix}.pub`));
        this.#byHand(`t-parent-${suffix}`, `t-enc-${suffix}`, STORAGE_KEY, { emptyAuth: password === undefined });
        this.#keys.push({ name: `t-parent-${suffix}`, key: `t-parent-${suffix}.key`, password });
        await this.#create(`t-owner-${suffix}`, 'owner.ctx', kind, own);
        this.#byHand(`t-owner-${suffix}`, `t-owner-${suffix}`, '0x40000001', { emptyAuth: password === undefined });
        this.#keys.push({ name: `t-owner-${suffix}`, key: `t-owner-${suffix}.key`, password });
      }
    const name = 't-owner-rsaparent-ecc256';
    await this.#create(name, 'owner-rsa.ctx', 'ecc256', []);
    this.#byHand(name, name, '0x40000001', { emptyAuth: true, description: 'a description', rsaParent: true });
    this.#keys.push({ name, key: `${name}.key` });
    const locked = ['-P', PARENT_PASSWORD];
    await this.#create('t-parentpw-ecc256', LOCKED_STORAGE_KEY, 'ecc256', locked);
    await this.#encode('t-parentpw-ecc256', LOCKED_STORAGE_KEY, locked);
    this.#keys.push({
      name: 't-parentpw-ecc256',
      key: 't-parentpw-ecc256.key',
      parentPassword: PARENT_PASSWORD,
      silent: true,
    });
  }

  async #certificateInNv(): Promise<void> {
    const pem = readFileSync(this.#path('h-ecc256.pem'), 'utf8');
    writeFileSync(this.#path('nv.der'), Buffer.from(pem.replaceAll(/-----.*?-----|\s/g, ''), 'base64'));
    // Larger than the certificate, as indices made in a factory are.
    const attributes = 'ownerread|ownerwrite|authread|authwrite';
    await this.#run('tpm2_nvdefine', '-Q', NV_INDEX, '-C', 'o', '-s', '1600', '-a', attributes);
    await this.#run('tpm2_nvwrite', '-Q', NV_INDEX, '-C', 'o', '-i', 'nv.der');
    await this.#run('tpm2_nvwrite', '-Q', NV_INDEX, '-C', 'o', '--offset', '1599', '-i', this.#zero());
  }

  #zero(): string {
    writeFileSync(this.#path('zero'), Buffer.alloc(1));
    return 'zero';
  }

  async #handle(
    name: string,
    handle: number,
    kind: string,
    options: { password?: string; attributes?: string; silent?: boolean; more?: readonly string[] },
  ): Promise<void> {
    const { password, attributes = SIGNING, silent = false, more = [] } = options;
    const own = password === undefined ? [] : ['-p', password];
    await this.#create(name, STORAGE_KEY, kind, [...own, ...more], attributes, `${name}.ctx`);
    const hex = `0x${handle.toString(16)}`;
    await this.#persist(`${name}.ctx`, hex);
    this.#keys.push({ name, key: `handle:${hex}`, password, silent });
  }

  async #create(
    name: string,
    parent: string,
    kind: string,
    more: readonly string[],
    attributes = SIGNING,
    context?: string,
  ): Promise<void> {
    const files = ['-u', `${name}.pub`, '-r', `${name}.priv`, ...(context === undefined ? [] : ['-c', context])];
    await this.#run('tpm2_create', '-Q', '-C', parent, '-G', kind, '-a', attributes, ...more, ...files);
    await this.#run('tpm2_flushcontext', '-t');
  }

  async #persist(context: string, handle: string): Promise<void> {
    await this.#run('tpm2_flushcontext', '-t');
    await this.#run('tpm2_evictcontrol', '-Q', '-C', 'o', '-c', context, handle);
    await this.#run('tpm2_flushcontext', '-t');
  }

  async #encode(name: string, parent: string, more: readonly string[]): Promise<void> {
    const files = ['-u', `${name}.pub`, '-r', `${name}.priv`, '-o', `${name}.key`];
    await this.#run('tpm2_encodeobject', '-C', parent, ...more, ...files);
    await this.#tpm.flush();
  }

  async #openssl(name: string, algorithm: string, options: readonly string[]): Promise<void> {
    const flags = options.flatMap((option) => ['-pkeyopt', option]);
    await this.#run(
      'openssl',
      'genpkey',
      '-provider',
      'tpm2',
      '-algorithm',
      algorithm,
      ...flags,
      '-out',
      `${name}.key`,
    );
  }

  #byHand(
    name: string,
    from: string,
    parent: string,
    options: Omit<KeyFileParts, 'parent' | 'publicPart' | 'privatePart'>,
  ): void {
    writeFileSync(
      this.#path(`${name}.key`),
      keyFilePem({
        parent: Number(parent),
        publicPart: readFileSync(this.#path(`${from}.pub`)),
        privatePart: readFileSync(this.#path(`${from}.priv`)),
        ...options,
      }),
    );
  }

  /** By another's eyes: what this project reads of a key is compared with this. */
  async #publicKey(name: string, key: string): Promise<string> {
    if (key.endsWith('.key') && !existsSync(this.#path(`${name}.pub`))) {
      const [, publicPart] = partsOf(readFileSync(this.#path(key), 'utf8'));
      writeFileSync(this.#path(`${name}.pub`), publicPart);
    }
    return await this.#run('tpm2_print', '-t', 'TPM2B_PUBLIC', '-f', 'pem', `${name}.pub`);
  }

  #path(name: string): string {
    return join(this.#tpm.directory, name);
  }

  async #run(command: string, ...args: readonly string[]): Promise<string> {
    return await this.#tpm.tool(command, ...args);
  }
}

/** What a TSS2 PRIVATE KEY is made of. */
export interface KeyFileParts {
  type?: string;
  emptyAuth?: boolean | number;
  policy?: readonly { command: number; parameters: Uint8Array }[];
  secret?: Uint8Array;
  description?: string;
  rsaParent?: boolean;
  parent: number;
  publicPart: Uint8Array;
  privatePart: Uint8Array;
}

function boolean(value: boolean | number): Buffer {
  return tlv(0x01, [typeof value === 'number' ? value : value ? 0xff : 0]);
}

/** DER of a key file, right or wrong. */
export function keyFileDer(parts: KeyFileParts): Buffer {
  const { type = '2.23.133.10.1.3', emptyAuth, policy, secret, description, rsaParent } = parts;
  return sequence(
    oid(type),
    ...(emptyAuth === undefined ? [] : [tlv(0xa0, boolean(emptyAuth))]),
    ...(policy === undefined
      ? []
      : [
          tlv(
            0xa1,
            sequence(
              ...policy.map(({ command, parameters }) =>
                sequence(tlv(0xa0, integer(command)), tlv(0xa1, octets(parameters))),
              ),
            ),
          ),
        ]),
    ...(secret === undefined ? [] : [tlv(0xa2, octets(secret))]),
    ...(description === undefined ? [] : [tlv(0xa4, tlv(0x0c, Buffer.from(description)))]),
    ...(rsaParent === undefined ? [] : [tlv(0xa5, boolean(rsaParent))]),
    integer(parts.parent),
    octets(parts.publicPart),
    octets(parts.privatePart),
  );
}

function pemOf(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

export function keyFilePem(parts: KeyFileParts): string {
  return pemOf('TSS2 PRIVATE KEY', keyFileDer(parts));
}

/** The DER of a PEM file with one block. */
export function derOf(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----.*?-----|\s/g, ''), 'base64');
}

/** Its last three fields: the parent's DER, and the two octet strings. */
export function partsOf(pem: string): [parent: Buffer, publicPart: Buffer, privatePart: Buffer] {
  const der = derOf(pem);
  const found: Buffer[] = [];
  let parent: Buffer = Buffer.alloc(0);
  const at = { offset: 0 };
  const header = (): { tag: number; length: number } => {
    const tag = der[at.offset++] ?? 0;
    let length = der[at.offset++] ?? 0;
    if (length >= 0x80) {
      const count = length & 0x7f;
      length = der.readUIntBE(at.offset, count);
      at.offset += count;
    }
    return { tag, length };
  };
  header();
  while (at.offset < der.length) {
    const { tag, length } = header();
    const content = der.subarray(at.offset, at.offset + length);
    if (tag === 0x04) found.push(content);
    if (tag === 0x02) parent = content;
    at.offset += length;
  }
  const [publicPart, privatePart] = found;
  if (publicPart === undefined || privatePart === undefined) throw new Error('no parts');
  return [parent, publicPart, privatePart];
}
