/**
 * Runs under Node for Windows, bundled by the test: puts a certificate with its key into a store, and signs by CNG. What a
 * command gives it writes to standard output as JSON.
 */
import { readFileSync } from 'node:fs';
import type { JsonWebKey } from 'node:crypto';
import { loadIdentity } from '../../../src/identity/load.ts';
import { windowsBindings } from '../../../src/identity/os-store/windows-bindings.ts';
import { windowsStore } from '../../../src/identity/os-store/windows.ts';
import { loadBinding } from '../../../src/identity/pkcs11/binding.ts';

/** What the test asks for, in a file that the first argument names. */
export type WineJob =
  | {
      readonly job: 'import';
      readonly store: string;
      readonly container: string;
      /** PROV_RSA_FULL, which knows no SHA-256, or PROV_RSA_AES. */
      readonly type: 1 | 24;
      readonly certificate: string;
      readonly key: JsonWebKey;
    }
  /** Adds a certificate without a key. */
  | { readonly job: 'add'; readonly store: string; readonly certificate: string }
  | { readonly job: 'cng'; readonly store: string; readonly key: JsonWebKey; readonly message: string };

const koffi = loadBinding();
const [crypt32, advapi32, ncrypt, kernel32] = ['crypt32', 'advapi32', 'ncrypt', 'kernel32'].map((name) =>
  koffi.load(`${name}.dll`),
);

function call(
  library: typeof crypt32,
  name: string,
  kinds: string,
  ...args: (number | bigint | Uint8Array | null)[]
): bigint {
  const types = { h: 'uintptr_t', d: 'uint32_t', b: 'void *' };
  if (library === undefined) throw new Error('a library is missing');
  const f = library.func(
    name,
    'uintptr_t',
    kinds.split('').map((kind) => types[kind as keyof typeof types]),
  );
  return BigInt(f(...args)) & 0xffff_ffff_ffff_ffffn;
}

/** Calls a function whose BOOL must be true. */
function must(...args: Parameters<typeof call>): void {
  if ((call(...args) & 0xffff_ffffn) !== 0n) return;
  throw new Error(`${args[1]}: 0x${(call(kernel32, 'GetLastError', '') & 0xffff_ffffn).toString(16)}`);
}

function wide(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(`${text}\0`, 'utf16le'));
}

const big = (text = ''): Buffer => Buffer.from(text, 'base64url');

/** Little-endian, of a fixed length. */
function little(text: string | undefined, bytes: number): Buffer {
  const value = big(text).toReversed();
  return Buffer.concat([value, Buffer.alloc(bytes - value.length)]);
}

function words(...values: readonly number[]): Buffer {
  return Buffer.concat(
    values.map((value) => {
      const word = Buffer.alloc(4);
      word.writeUInt32LE(value);
      return word;
    }),
  );
}

/** PRIVATEKEYBLOB of an RSA key for AT_SIGNATURE. */
function capiBlob(key: JsonWebKey): Uint8Array {
  const bytes = big(key.n).length;
  const half = bytes / 2;
  const head = [Buffer.from([7, 2, 0, 0]), words(0x2400, 0x3241_5352, bytes * 8, 0x1_0001)];
  const parts = [key.p, key.q, key.dp, key.dq, key.qi].map((part) => little(part, half));
  return Uint8Array.from(Buffer.concat([...head, little(key.n, bytes), ...parts, little(key.d, bytes)]));
}

/** BCRYPT_RSAPRIVATE_BLOB. */
function cngBlob(key: JsonWebKey): Uint8Array {
  const [e, n, p, q] = [big(key.e), big(key.n), big(key.p), big(key.q)];
  return Uint8Array.from(
    Buffer.concat([words(0x3241_5352, n.length * 8, e.length, n.length, p.length, q.length), e, n, p, q]),
  );
}

const CERT_SYSTEM_STORE_CURRENT_USER = 0x1_0000;

/** Opens or makes a store, adds to it, and has it written. */
function addTo(store: string, certificate: string, finish: (context: bigint) => void): void {
  const handle = call(crypt32, 'CertOpenStore', 'hdhdb', 10, 0, 0n, CERT_SYSTEM_STORE_CURRENT_USER, wide(store));
  if (handle === 0n) throw new Error('CertOpenStore');
  const der = Uint8Array.from(Buffer.from(certificate, 'base64'));
  const context = new Uint8Array(8);
  must(crypt32, 'CertAddEncodedCertificateToStore', 'hdbddb', handle, 1, der, der.length, 4, context);
  const added = new DataView(context.buffer).getBigUint64(0, true);
  finish(added);
  call(crypt32, 'CertFreeCertificateContext', 'h', added);
  must(crypt32, 'CertControlStore', 'hddb', handle, 0, 3, null); // CERT_STORE_CTRL_COMMIT
  must(crypt32, 'CertCloseStore', 'hd', handle, 0);
}

const PROVIDERS = {
  1: 'Microsoft Enhanced Cryptographic Provider v1.0',
  24: 'Microsoft Enhanced RSA and AES Cryptographic Provider',
} as const;

function importKey({ store, container, type, certificate, key }: WineJob & { readonly job: 'import' }): void {
  const [provider, imported] = [new Uint8Array(8), new Uint8Array(8)];
  const [name, home] = [wide(container), wide(PROVIDERS[type])];
  must(advapi32, 'CryptAcquireContextW', 'bbbdd', provider, name, home, type, 8); // CRYPT_NEWKEYSET
  const handle = new DataView(provider.buffer).getBigUint64(0, true);
  const blob = capiBlob(key);
  // Without CRYPT_EXPORTABLE.
  must(advapi32, 'CryptImportKey', 'hbdhdb', handle, blob, blob.length, 0n, 0, imported);
  must(advapi32, 'CryptDestroyKey', 'h', new DataView(imported.buffer).getBigUint64(0, true));
  must(advapi32, 'CryptReleaseContext', 'hd', handle, 0);
  addTo(store, certificate, (context) => {
    const information = new Uint8Array(48); // CRYPT_KEY_PROV_INFO
    const view = new DataView(information.buffer);
    view.setBigUint64(0, koffi.address(name), true);
    view.setBigUint64(8, koffi.address(home), true);
    view.setUint32(16, type, true);
    view.setUint32(40, 2, true); // AT_SIGNATURE
    must(crypt32, 'CertSetCertificateContextProperty', 'hddb', context, 2, 0, information);
  });
}

/** Signs with all of the program's code but the call that finds the key: here it is imported. */
async function signByCng({ store, key, message }: WineJob & { readonly job: 'cng' }): Promise<object> {
  const windows = windowsBindings(koffi);
  const freed: bigint[] = [];
  const acquired: bigint[] = [];
  const replaced = {
    ...windows,
    CryptAcquireCertificatePrivateKey() {
      const [provider, handle] = [new Uint8Array(8), new Uint8Array(8)];
      const blob = cngBlob(key);
      const opened = call(
        ncrypt,
        'NCryptOpenStorageProvider',
        'bbd',
        provider,
        wide('Microsoft Software Key Storage Provider'),
        0,
      );
      const home = new DataView(provider.buffer).getBigUint64(0, true);
      const status = call(
        ncrypt,
        'NCryptImportKey',
        'hhbbbbdd',
        home,
        0n,
        wide('RSAPRIVATEBLOB'),
        null,
        handle,
        blob,
        blob.length,
        0,
      );
      if (((opened | status) & 0xffff_ffffn) !== 0n) throw new Error(`NCryptImportKey: 0x${status.toString(16)}`);
      windows.NCryptFreeObject(home);
      const imported = new DataView(handle.buffer).getBigUint64(0, true);
      acquired.push(imported);
      return { handle: imported, keySpec: 0xffff_ffff, isOwn: true };
    },
    NCryptFreeObject(handle: bigint) {
      freed.push(handle);
      windows.NCryptFreeObject(handle);
    },
  };
  const identity = await loadIdentity(
    { choice: { latest: true }, store: { storeName: store } },
    { openStore: async (settings) => windowsStore(replaced, settings) },
  );
  const signatures: Record<string, string> = {};
  for (const digest of ['SHA256', 'SHA384', 'SHA512'] as const)
    signatures[digest] = Buffer.from(await identity.signer.sign(Buffer.from(message), digest)).toString('base64');
  await identity.close();
  return { signatures, allFreed: acquired.length === 3 && acquired.every((handle) => freed.includes(handle)) };
}

/** Does all; gives what the last one gave. */
async function run(jobs: readonly WineJob[]): Promise<object> {
  let given = {};
  for (const job of jobs) {
    if (job.job === 'cng') given = await signByCng(job);
    else if (job.job === 'import') importKey(job);
    else addTo(job.store, job.certificate, () => {});
  }
  return given;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the test wrote it
const jobs = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as WineJob[];
run(jobs).then(
  (given) => process.stdout.write(JSON.stringify(given)),
  (error: unknown) => {
    process.stderr.write(String(error));
    process.exitCode = 1;
  },
);
