/** Five identities, of one authority: in plain files, with an encrypted key, in PKCS#12, with a key in a token, with one in a TPM. */
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificatePem, generateKeys, issueLeaf, leafExtensions, privateKeyPem } from '../../certs-dev/authority.ts';
import { writePkcs12 } from '../../src/renewal/pkcs12.ts';
import { flagsOf } from '../clients/serve-process.ts';
import { type TestCa, NAMES } from '../renewal/support/ca.ts';
import { PKI } from '../support/cli.ts';
import { type Pair, certificatePath, keyPath } from '../support/rotations.ts';
import { PIN, SOFTHSM_MODULE, SoftHsm } from '../support/softhsm.ts';
import { madeKeys } from '../support/tpm/keys.ts';
import { keyNamed } from '../support/tpm/open.ts';
import { Simulator } from '../support/tpm/simulator.ts';

export const KINDS = ['files', 'encrypted', 'pkcs12', 'token', 'tpm'] as const;
export type Kind = (typeof KINDS)[number];

/** What a certificate can be replaced by; the key is that of before where it stays in a device. */
export type Material = { readonly pair: Pair; readonly container?: Uint8Array | undefined };

export interface SoakIdentity {
  readonly kind: Kind;
  /** A folder of its own, with `tls.crt` and `tls.key`, or `tls.p12`. */
  readonly folder: string;
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What it is rotated through. */
  readonly materials: readonly [Material, ...Material[]];
  /** The device, where it can be made to stall. */
  readonly tpm?: Simulator | undefined;
  close(): Promise<void>;
}

const PASSWORD = 'of the soak, 1234';
const TOKEN = 'soak';
const TPM_KEY = 'h-ecc256-noda';
const DAY_MS = 86_400_000;
/** So many certificates each; rotations begin again with the first. */
const MATERIALS = 6;

type Maker = (folder: string, ca: TestCa) => Promise<Omit<SoakIdentity, 'kind' | 'folder'>>;

const MAKERS: Readonly<Record<Kind, Maker>> = {
  async files(folder, ca) {
    const materials = await several(ca, 'files');
    write(folder, materials[0]);
    return { materials, flags: inFiles(folder), env: {}, close: nothing };
  },
  async encrypted(folder, ca) {
    const encrypt = (key: string): string =>
      createPrivateKey(key)
        .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSWORD })
        .toString();
    const materials = await several(ca, 'encrypted', undefined, encrypt);
    write(folder, materials[0]);
    const env = { ROLES_ANYWHERE_PKCS8_PASSWORD: PASSWORD };
    return { materials, flags: inFiles(folder), env, close: nothing };
  },
  async pkcs12(folder, ca) {
    const materials = await several(ca, 'pkcs12');
    const file = containerPath(folder);
    writeFileSync(file, materials[0].container ?? '', { mode: 0o600 });
    const env = { ROLES_ANYWHERE_PKCS12_PASSWORD: PASSWORD };
    return { materials, flags: flagsOf({ certificate: file }), env, close: nothing };
  },
  async token(folder, ca) {
    const hsm = new SoftHsm();
    await hsm.token(TOKEN);
    await hsm.importKey(TOKEN, `${PKI}ec-p256.key.pem`, 'soak', '01');
    const materials = await several(ca, 'token', readFileSync(`${PKI}ec-p256.crt.pem`, 'utf8'));
    write(folder, materials[0]);
    const uri = `pkcs11:token=${TOKEN};object=soak;type=private?pin-value=${PIN}`;
    const flags = inFiles(folder, uri).concat(flagsOf({ 'pkcs11-lib': SOFTHSM_MODULE }));
    return { materials, flags, env: hsm.env, close: () => Promise.resolve(hsm.remove()) };
  },
  async tpm(folder, ca) {
    const { directory, keys } = await madeKeys();
    const { key } = keyNamed(keys, TPM_KEY);
    const tpm = await new Simulator('unix', directory).start();
    const materials = await several(ca, 'tpm', readFileSync(join(directory, `${TPM_KEY}.pem`), 'utf8'));
    write(folder, materials[0]);
    const flags = inFiles(folder, key).concat(flagsOf({ 'tpm-device': tpm.tcti }));
    return { materials, flags, env: tpm.env, tpm, close: () => tpm.remove() };
  },
};

export async function makeIdentity(kind: Kind, ca: TestCa, base: string): Promise<SoakIdentity> {
  const folder = join(base, kind);
  mkdirSync(folder, { mode: 0o700 });
  return { kind, folder, ...(await MAKERS[kind](folder, ca)) };
}

function inFiles(folder: string, key = keyPath(folder)): string[] {
  return flagsOf({ certificate: certificatePath(folder), 'private-key': key });
}

const nothing = (): Promise<void> => Promise.resolve();

export const containerPath = (folder: string): string => join(folder, 'tls.p12');

function write(folder: string, { pair }: Material): void {
  writeFileSync(certificatePath(folder), pair.certificate);
  if (pair.key !== '') writeFileSync(keyPath(folder), pair.key, { mode: 0o600 });
}

/**
 * @param of a certificate with the public key of all of them, whose private key is elsewhere; by default each has its own
 */
async function several(
  ca: TestCa,
  name: string,
  of?: string,
  encrypt: (key: string) => string = (key) => key,
): Promise<[Material, ...Material[]]> {
  const all = await Promise.all(
    Array.from({ length: MATERIALS }, async (_, index): Promise<Material> => {
      const keys = await generateKeys('ec-p256');
      const publicKey = of === undefined ? keys.publicKey : await publicKeyOf(of);
      const leaf = await issueLeaf({
        subject: `CN=${name},O=Example`,
        issuer: ca.intermediate,
        publicKey,
        // Whichever way the clocks are stepped.
        notBefore: new Date(Date.now() - DAY_MS),
        // A renewal must not end sooner.
        notAfter: new Date(Date.now() + 2 * DAY_MS),
        extensions: leafExtensions(NAMES),
      });
      const chain = [leaf, ca.intermediate.certificate];
      const key = of === undefined ? privateKeyPem(keys) : '';
      const pair = {
        serialNumber: String(index),
        certificate: chain.map((one) => certificatePem(one)).join(''),
        key: key === '' ? key : encrypt(key),
      };
      if (name !== 'pkcs12') return { pair };
      const pkcs8 = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
      const ders = chain.map(({ rawData }) => new Uint8Array(rawData));
      return { pair, container: await writePkcs12(pkcs8, ders, Buffer.from(PASSWORD)) };
    }),
  );
  const [first, ...others] = all;
  if (first === undefined) throw new Error('no certificates');
  return [first, ...others];
}

async function publicKeyOf(certificate: string): Promise<webcrypto.CryptoKey> {
  const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return await webcrypto.subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']);
}
