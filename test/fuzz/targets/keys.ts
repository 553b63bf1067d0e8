/** Files of certificates and keys, in every form that they come in. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { binaryLabel } from '../../../src/identity/der-forms.ts';
import { certificateText } from '../../../src/identity/certificate-text.ts';
import { oddities } from '../../../src/identity/checks.ts';
import { StructureError } from '../../../src/identity/containers/asn1.ts';
import { WorkBudget } from '../../../src/identity/containers/budget.ts';
import { readBags, readContainer } from '../../../src/identity/containers/pkcs12-structure.ts';
import { readPkcs12 } from '../../../src/identity/containers/pkcs12.ts';
import { readPkcs7 } from '../../../src/identity/containers/pkcs7.ts';
import { readEncryptedPkcs8 } from '../../../src/identity/containers/pkcs8.ts';
import { WrongPasswordError } from '../../../src/identity/containers/secret.ts';
import { unlockKey } from '../../../src/identity/containers/unlock.ts';
import { certificatesIn, openContainers, readContents, signingKeysIn } from '../../../src/identity/contents.ts';
import { readKeyFile } from '../../../src/identity/tpm/key-file.ts';
import { nameOf } from '../../../src/identity/tpm/public-area.ts';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';
import { readCertificate } from '../../../src/x509/certificate.ts';
import { orderChain } from '../../../src/x509/chain.ts';
import {
  DerError,
  type DerValue,
  readChildren,
  readDer,
  readInteger,
  readObjectIdentifier,
  readTime,
} from '../../../src/x509/der.ts';
import { isEncryptedKey, isPrivateKeyLabel, readPrivateKey } from '../../../src/x509/keys.ts';
import { nameText, readName } from '../../../src/x509/names.ts';
import { type PemBlock, readPem } from '../../../src/x509/pem.ts';
import { brokenRules } from '../../../src/x509/rules.ts';
import { sessionAttributes } from '../../../src/x509/session-attributes.ts';
import { type OpenTarget, check, derOf, files, pemOf } from '../harness/target.ts';

const OUT = 'certs-dev/out';
const FIXTURES = 'test/identity/fixtures';
const PASSWORD = 'development';
const SOURCE = '--private-key key.pem';
const NOW = Date.parse('2026-11-29T00:00:00Z');
/** More would make inputs slow that are no finds. */
const MAX_ITERATIONS = 20_000;

const certificates = (): Buffer[] => [
  ...files(OUT, /\.crt\.der$/),
  ...files(OUT, /\.crt\.pem$/).flatMap((pem) => derOf(pem)),
];

/** Secrets of the seeds, as an error would show them: in base64. */
function keyTexts(pems: readonly Uint8Array[]): string[] {
  return pems.flatMap((pem) =>
    [
      ...Buffer.from(pem)
        .toString('latin1')
        .matchAll(/PRIVATE KEY-----\n([^-]+)/g),
    ].map(([, body = '']) => body.replaceAll('\n', '').slice(60, 120)),
  );
}

/** Whether a budget has more work than a fuzzer should do; the readers refuse far more than that. */
function isCheap(der: Uint8Array): boolean {
  try {
    readPkcs12(der, SOURCE, () => new WorkBudget(SOURCE, MAX_ITERATIONS));
  } catch (error) {
    if (error instanceof RolesAnywhereError && error.code === 'ERR_KDF_TOO_COSTLY') return false;
  }
  return true;
}

/** Whether an encrypted key costs less than that. */
function isCheapKey({ label, der }: PemBlock): boolean {
  if (label !== 'ENCRYPTED PRIVATE KEY') return true;
  const text = Buffer.from(der).toString('latin1');
  // scrypt: its cost is in three numbers, and mutation finds the large ones soon.
  if (text.includes('\u002b\u0006\u0001\u0004\u0001\u00da\u0047\u0004\u000b')) return false;
  try {
    const [, algorithm] = [0, readChildren(readChildren(readDer(der))[0] ?? readDer(der))];
    const parameters = algorithm.flatMap((value) => (value.tag === 0x30 ? flat(value, 6) : []));
    return parameters.every(({ tag, content }) => tag !== 2 || content.length <= 2);
  } catch {
    return true;
  }
}

function flat(value: DerValue, depth: number): DerValue[] {
  if ((value.tag & 0x20) === 0 || depth === 0) return [value];
  return [value, ...readChildren(value).flatMap((child) => flat(child, depth - 1))];
}

const pem: OpenTarget = () => {
  const seeds = [...files(OUT, /^(?:ec-p256|rsa-2048|root|bad-v1).*\.pem$/), ...files(FIXTURES, /\.pem$/)];
  return {
    seeds,
    forms: ['text', 'pem'],
    words: ['-----BEGIN ', '-----END ', '-----\n', 'CERTIFICATE', 'Proc-Type: 4,ENCRYPTED\n', '\ufeff', '\r'],
    maxLength: 8192,
    secrets: keyTexts(seeds),
    run(input) {
      const blocks = readPem(input, SOURCE);
      for (const { label, der } of blocks) {
        check(der.length > 0, 'no block is empty');
        const [again, ...others] = readPem(Buffer.from(pemOf(label, der)), SOURCE);
        check(others.length === 0 && again?.label === label, 'a block that was read and written is one block');
        check(Buffer.compare(again.der, der) === 0, 'a block that was read and written has the same bytes');
      }
    },
  };
};

const der: OpenTarget = () => ({
  seeds: [...certificates().slice(0, 12), ...files(OUT, /\.key\.der$/), ...files(FIXTURES, /\.der$/)],
  forms: ['der'],
  expects: (error) => error instanceof DerError,
  run(input) {
    binaryLabel(input);
    const visit = (value: DerValue, depth: number): void => {
      check(value.der.length >= value.content.length + 2, 'a value is longer than its content');
      for (const read of [readInteger, readObjectIdentifier, readTime]) {
        try {
          read(value);
        } catch (error) {
          if (!(error instanceof DerError)) throw error;
        }
      }
      if ((value.tag & 0x20) === 0 || depth === 0) return;
      const children = readChildren(value);
      const length = children.reduce((sum, child) => sum + child.der.length, 0);
      check(length === value.content.length, 'children fill their parent');
      for (const child of children) visit(child, depth - 1);
    };
    visit(readDer(input), 12);
  },
});

const certificate: OpenTarget = () => ({
  seeds: certificates(),
  forms: ['der'],
  expects: (error) => error instanceof DerError,
  run(input) {
    const read = readCertificate(input, '--certificate leaf.pem');
    compareWithNode(input, read);
    brokenRules(read, NOW);
    oddities(read, [], NOW);
    orderChain(read, [read]);
    certificateText([read], NOW);
    nameText(readName(read.subject));
    sessionAttributes(read);
  },
});

/** What OpenSSL reads too, it must read alike. */
function compareWithNode(input: Uint8Array, read: ReturnType<typeof readCertificate>): void {
  let theirs: X509Certificate;
  try {
    theirs = new X509Certificate(input);
  } catch {
    return;
  }
  const hex = theirs.serialNumber.toLowerCase();
  check(
    BigInt(read.serialNumber) === (hex.startsWith('-') ? -BigInt(`0x${hex.slice(1)}`) : BigInt(`0x${hex || '0'}`)),
    `serial number ${read.serialNumber}, to OpenSSL ${hex}`,
  );
  const [from, to] = [Date.parse(theirs.validFrom), Date.parse(theirs.validTo)];
  if (!Number.isNaN(from))
    check(from === read.notBefore.getTime(), `begins ${read.notBefore.toISOString()}, to OpenSSL ${theirs.validFrom}`);
  if (!Number.isNaN(to))
    check(to === read.notAfter.getTime(), `ends ${read.notAfter.toISOString()}, to OpenSSL ${theirs.validTo}`);
}

const privateKey: OpenTarget = () => {
  const seeds = files(OUT, /^(?:ec-p\d+|rsa-2048|ml-dsa-44)\.(?:key|sec1|seed)\.pem$/);
  return {
    seeds,
    forms: ['pem', 'text'],
    secrets: keyTexts(seeds),
    async run(input) {
      for (const block of readPem(input, SOURCE)) {
        if (!isPrivateKeyLabel(block.label) || isEncryptedKey(block)) continue;
        const copy = Buffer.from(block.der);
        const key = readPrivateKey(block, SOURCE);
        check(
          block.der.every((byte) => byte === 0),
          'the bytes of a key that was read are wiped',
        );
        const type = block.label === 'EC PRIVATE KEY' ? 'sec1' : block.label === 'RSA PRIVATE KEY' ? 'pkcs1' : 'pkcs8';
        check(key.equals(createPrivateKey({ key: copy, format: 'der', type })), 'a key is what OpenSSL reads');
      }
      const material = { flag: '--private-key', source: SOURCE, bytes: input, rereadable: true } as const;
      await signingKeysIn(await readContents(material), { ask: () => Promise.resolve(undefined) });
    },
  };
};

const encryptedKey: OpenTarget = () => {
  const pems = files(OUT, /^(?:ec-p256|rsa-2048|ml-dsa-44)\.encrypted\.pem$/);
  return {
    seeds: pems,
    forms: ['pem', 'text'],
    words: ['DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n', 'Proc-Type: 4,ENCRYPTED\n'],
    secrets: [PASSWORD],
    async run(input) {
      for (const block of readPem(input, SOURCE)) {
        if (!isEncryptedKey(block) || !isCheapKey(block)) continue;
        await unlockKey(block, SOURCE, { passwords: { pkcs8: { password: PASSWORD, from: '--pkcs8-password-file' } } });
      }
    },
  };
};

const encryptedStructure: OpenTarget = () => ({
  seeds: files(OUT, /\.encrypted\.der$/),
  forms: ['der'],
  expects: (error) => error instanceof StructureError,
  run: (input) => void readEncryptedPkcs8(input, SOURCE),
});

const pkcs12: OpenTarget = () => ({
  seeds: [...files(OUT, /^(?:ec-p256|rsa-2048|ml-dsa-44).*\.p12$/), ...files(FIXTURES, /\.p12$/)],
  forms: ['der'],
  secrets: [PASSWORD],
  expects: (error) => error instanceof StructureError || error instanceof WrongPasswordError,
  async run(input) {
    if (isCheap(input)) await readPkcs12(input, SOURCE).open(Buffer.from(PASSWORD));
  },
});

/** Without the MAC, which lets no change through, and as far as no password is needed. */
const pkcs12Structure: OpenTarget = () => ({
  seeds: [...files(OUT, /\.p12$/).slice(0, 12), ...files(FIXTURES, /\.p12$/)],
  forms: ['der'],
  expects: (error) => error instanceof StructureError,
  run(input) {
    const { parts } = readContainer(input, SOURCE);
    for (const { scheme, data } of parts) if (scheme === undefined) readBags(data, SOURCE);
    readBags(input, SOURCE);
  },
});

const pkcs7: OpenTarget = async () => ({
  seeds: await pkcs7Seeds(),
  forms: ['der'],
  expects: (error) => error instanceof StructureError,
  run(input) {
    for (const { label, der: bytes } of readPkcs7(input, SOURCE)) {
      check(label === 'CERTIFICATE' && bytes.length > 0, 'PKCS#7 gives certificates');
    }
  },
});

/** SignedData of certificates alone (RFC 5652, section 5.1), as `openssl crl2pkcs7` writes it. */
async function pkcs7Seeds(): Promise<Uint8Array[]> {
  const { Certificate, ContentInfo, EncapsulatedContentInfo, SignedData } = await import('pkijs');
  const make = (ders: readonly Buffer[]): Uint8Array => {
    const signed = new SignedData({
      version: 1,
      encapContentInfo: new EncapsulatedContentInfo({ eContentType: '1.2.840.113549.1.7.1' }),
      certificates: ders.map((bytes) => Certificate.fromBER(Uint8Array.from(bytes))),
    });
    const content = new ContentInfo({ contentType: '1.2.840.113549.1.7.2', content: signed.toSchema(true) });
    return new Uint8Array(content.toSchema().toBER());
  };
  const ders = files(OUT, /^(?:ec-p256|rsa-2048|intermediate).*(?:crt|intermediate)\.pem$/).flatMap((one) =>
    derOf(one),
  );
  return [make(ders.slice(0, 1)), make(ders)];
}

/** As `--certificate FILE` and `--private-key FILE` take whatever they are given. */
const material: OpenTarget = () => {
  const seeds = files(OUT, /^ec-p256\..*|^rsa-2048\.(?:text|key).*|^ml-dsa-44\.key\.der$/);
  return {
    seeds: [...seeds, ...files(FIXTURES, /./)],
    forms: ['pem', 'text', 'der'],
    words: ['PuTTY-User-Key-File-3: ', '-----BEGIN OPENSSH PRIVATE KEY-----', '{"kty":"EC"}', 'ssh-rsa AAAA'],
    maxLength: 8192,
    secrets: [...keyTexts(seeds), PASSWORD],
    async run(input) {
      const passwords = {
        pkcs8: { password: PASSWORD, from: '--pkcs8-password-file' },
        pkcs12: { password: PASSWORD, from: '--pkcs12-password-file' },
      };
      for (const flag of ['--certificate', '--private-key'] as const) {
        const bytes = input.slice();
        const contents = await readContents({ flag, source: `${flag} FILE`, bytes, rereadable: true });
        const cheap = contents.blocks.every((one) => (one.label === 'PKCS12' ? isCheap(one.der) : isCheapKey(one)));
        if (!cheap) return;
        try {
          const opened = await openContainers(contents, { passwords });
          if (flag === '--certificate') await certificatesIn(opened);
          else if (opened.blocks.every(({ label }) => label !== 'TSS2 PRIVATE KEY'))
            await signingKeysIn(opened, { passwords });
        } catch (error) {
          if (!(error instanceof RolesAnywhereError) || flag === '--private-key') throw error;
        }
      }
    },
  };
};

/** The example of the format's specification, and what tpm2-openssl writes: a P-256 key below the owner's primary key. */
const TPM_KEYS = [
  `MIHyBgZngQUKAQOgAwEB/wIEQAAAAQRYAFYAIwALAAQAcgAAABAAGAALAAMAEAAgl3ZJ5Lg9S9sW
cVfJTDq0Z8ZDF4xjmjkfjmNDZBhyrTAAIHKxhXY0VHzMtFtlXJvbTwRPN9ZkrTEPHUNYEF8XTHcsBIGAAH4A
IGlK2Hw8PgQz+Zq9lT5Rv6ZE8sN3kQJ0bW5Zc1yDjrhgABBvSz9Vg2d4xbQ/pFqg9mzBAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA`,
];

const tpmKey: OpenTarget = () => ({
  seeds: TPM_KEYS.map((text) => Buffer.from(text, 'base64')),
  forms: ['der'],
  run(input) {
    nameOf(readKeyFile(input, SOURCE).publicArea);
  },
});

export const KEYS: Readonly<Record<string, OpenTarget>> = {
  pem,
  der,
  certificate,
  'private-key': privateKey,
  'encrypted-key': encryptedKey,
  'encrypted-key-structure': encryptedStructure,
  pkcs12,
  'pkcs12-structure': pkcs12Structure,
  pkcs7,
  'tpm-key-file': tpmKey,
  material,
};
