/** The certificate, its private key and its chain: against the service's rules, each other, and the trust anchor. */
// Tests: test/doctor/broken.heavy.test.ts
import { createPublicKey, randomBytes, verify } from 'node:crypto';
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Identity, Signer } from '../identity/identity.ts';
import { isPkcs11, loadCertificates, loadIdentity } from '../identity/load.ts';
import type { LoadDeps } from '../identity/load.ts';
import { binaryLabel } from '../identity/der-forms.ts';
import type { PrivateKey } from '../identity/private-key.ts';
import { isPath } from '../identity/source.ts';
import { daysText, isoSeconds, keyText, refusalOf } from '../identity/verdicts.ts';
import type { VendingOptions } from '../options/vending.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { readCertificate } from '../x509/certificate.ts';
import type { Certificate } from '../x509/certificate.ts';
import { orderChain } from '../x509/chain.ts';
import { DerError } from '../x509/der.ts';
import { nameText, readName } from '../x509/names.ts';
import { brokenRules } from '../x509/rules.ts';
import { TPM_KEY_LABEL } from '../x509/keys.ts';
import { sessionAttributes } from '../x509/session-attributes.ts';
import { checkChain } from './chain.ts';
import { isFindingCode } from './codes.ts';
import type { Notebook } from './notebook.ts';

/** What the identity is looked at with. */
export interface IdentitySurroundings {
  readonly loading: LoadDeps;
  /** Milliseconds since 1970, by the service's clock where that is known. */
  readonly now: number;
  /** The certificates of the trust anchor, if they are given. */
  readonly anchors: readonly Certificate[] | undefined;
  /** Whether a key in a token or a TPM may be used, which can take a PIN or a password. */
  readonly mayUseHardware: boolean;
}

/** An identity that was loaded, whatever rules it breaks; its certificate alone where the rest could not be. */
export interface Examined {
  readonly identity: Identity | undefined;
  readonly leaf: Certificate | undefined;
}

/**
 * Looks at the identity of a set-up.
 *
 * The identity that is returned is the caller's to close.
 */
export async function checkIdentity(
  { identity: spec }: Pick<VendingOptions, 'identity'>,
  surroundings: IdentitySurroundings,
  notes: Notebook,
): Promise<Examined> {
  const { certificate, privateKey } = spec;
  const inHardware = [certificate, privateKey].some(isHeldKey);
  if (inHardware && !surroundings.mayUseHardware) return await checkHeld(spec, surroundings, notes);
  const { loading, now } = surroundings;
  let identity: Identity;
  try {
    identity = await loadIdentity(
      { ...spec, skipChecks: true },
      {
        ...loading,
        // The clock was compared before.
        correctClock: undefined,
        now: () => now,
        warn: ({ code, message }) => {
          if (isFindingCode(code)) notes.find(code, message);
        },
      },
    );
  } catch (error) {
    notes.fail('certificate', error);
    // A person is not asked for a password once more.
    const isLocked = error instanceof RolesAnywhereError && error.code.startsWith('ERR_PASSWORD');
    return {
      identity: undefined,
      leaf: isLocked ? undefined : await certificateAlone(certificate, surroundings, notes),
    };
  }
  const leaf = readCertificate(identity.certificate, '--certificate');
  checkCertificate(leaf, sourceOf(certificate), now, notes);
  notes.try('chain', () => orderChain(leaf, chainOf(identity)));
  const candidates = await candidatesOf(spec, loading);
  checkChain({ leaf, chain: chainOf(identity), candidates, anchors: surroundings.anchors, now }, notes);
  if (surroundings.mayUseHardware || !(await isTpmFile(privateKey ?? certificate)))
    await checkSignature(identity, leaf, notes);
  else {
    notes.leave(
      'a signature of the private key, which only a TPM can load, and may ask for a password: --call signs with it',
    );
    try {
      await checkTpm(identity.signer, notes);
    } catch (error) {
      notes.fail('certificate', error);
    }
  }
  return { identity, leaf };
}

type Spec = VendingOptions['identity'];

function chainOf({ chain }: Identity): Certificate[] {
  return chain.map((der) => readCertificate(der, 'the chain'));
}

/** How errors name the certificate. A PKCS#11 URI may hold a PIN. */
function sourceOf(certificate: string | undefined): string {
  return certificate === undefined || isPkcs11(certificate) ? '--certificate' : `--certificate ${certificate}`;
}

/** A key in a token, in a TPM by its handle. */
function isHeldKey(value: string | undefined): boolean {
  return isPkcs11(value) || value?.startsWith('handle:') === true;
}

/** Whether a value can be read a second time: a plain file, or a variable. A pipe would be waited for without end. */
function isReadAgain(value: string): boolean {
  if (/^env:/i.test(value)) return true;
  if (!isPath(value)) return false;
  try {
    return statSync(value, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return false;
  }
}

/** Whether a key in a file is one that only a TPM can load. */
async function isTpmFile(path: string | undefined): Promise<boolean> {
  if (path === undefined || !isReadAgain(path)) return false;
  try {
    const text = await readFile(path);
    return text.includes(TPM_KEY_LABEL) || binaryLabel(text) === TPM_KEY_LABEL;
  } catch {
    return false; // by now it cannot be read
  }
}

/** What can be said of a key in hardware without trying a PIN or a password: whether it is there, and the certificate. */
async function checkHeld(spec: Spec, surroundings: IdentitySurroundings, notes: Notebook): Promise<Examined> {
  const { certificate, privateKey = certificate } = spec;
  const { loading, now, anchors } = surroundings;
  notes.leave('the private key, since a token or a TPM may ask for a PIN or a password: --call signs with it');
  let leaf: Certificate | undefined;
  try {
    const held = privateKey?.startsWith('handle:') === true ? await openHeld(privateKey, loading, notes) : undefined;
    if (isPkcs11(certificate)) leaf = await certificateInToken(certificate ?? '', loading, notes);
    else if (certificate !== undefined) [leaf] = await loadCertificates(certificate, loading);
    if (leaf !== undefined && held?.belongsTo(leaf) === false) throw notItsKey(`--private-key ${privateKey}`);
    await checkTpm(held?.signer, notes);
    // The token of the key is there, or the module says why not. Which keys it has is seen after a login.
    if (isPkcs11(privateKey) && privateKey !== certificate)
      await listInToken(ofToken(privateKey ?? ''), '--private-key', loading, notes);
  } catch (error) {
    notes.fail('certificate', error);
    return { identity: undefined, leaf };
  }
  if (leaf !== undefined) {
    checkCertificate(leaf, sourceOf(certificate), now, notes);
    const bundle = await bundleOf(spec, loading, notes);
    const found = leaf;
    const chain = notes.try('chain', () => orderChain(found, bundle)) ?? [];
    checkChain({ leaf, chain, candidates: bundle, anchors, now }, notes);
  }
  return { identity: undefined, leaf };
}

/** The key by a handle, of which the public half is read alone. */
async function openHeld(handle: string, { tpm, env }: LoadDeps, notes: Notebook): Promise<PrivateKey> {
  const { listSigningKeys, openHandle } = await import('../identity/tpm/index.ts');
  const deps = { env, timeoutMs: 5000 };
  const keys = await listSigningKeys(tpm, deps);
  const listed = keys.map((key) => `${key.handle} (${key.kind})`).join(', ');
  notes.fact('certificate', 'keys in the TPM', listed || 'none');
  try {
    return await openHandle(handle, '--private-key', tpm, deps);
  } catch (error) {
    if (!(error instanceof RolesAnywhereError) || error.code !== 'ERR_TPM_KEY_NOT_FOUND') throw error;
    const hint = keys.length === 0 ? 'it holds none that signs' : `it holds ${listed}`;
    throw new RolesAnywhereError(error.code, error.message, { hint, cause: error });
  }
}

/** Writes down whether a key in a TPM can be used, without a password. */
async function checkTpm(signer: Signer | undefined, notes: Notebook): Promise<void> {
  if (signer === undefined) return;
  const { examineKey } = await import('../identity/tpm/index.ts');
  notes.fact('certificate', 'passwords of the TPM', (await examineKey(signer)) ?? 'it does not say how many it takes');
}

function notItsKey(source: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_KEY_MISMATCH', `${source} is not the key of the certificate`, {
    hint: 'give the key that the certificate was requested with',
  });
}

/** The intermediates that were given, also those that lead nowhere. What cannot be read again has been told of. */
async function candidatesOf({ intermediates }: Spec, loading: LoadDeps): Promise<readonly Certificate[]> {
  if (intermediates === undefined || !isReadAgain(intermediates)) return [];
  try {
    return await loadCertificates(intermediates, loading, '--intermediates');
  } catch (error) {
    if (error instanceof RolesAnywhereError) return [];
    throw error;
  }
}

/** The certificate that a URI means, as far as it is seen without a PIN. */
async function certificateInToken(uri: string, loading: LoadDeps, notes: Notebook): Promise<Certificate | undefined> {
  const listed = await listInToken(uri, '--certificate', loading, notes);
  if (listed === undefined) return undefined;
  const [first, ...others] = listed;
  if (first === undefined)
    throw new RolesAnywhereError(
      'ERR_OBJECT_NOT_FOUND',
      '--certificate: no token shows a certificate that this URI means, without its PIN',
      { hint: 'compare the URI with what pkcs11-tool --list-objects shows', flag: '--certificate' },
    );
  if (others.length > 0)
    notes.find('WARN_SEVERAL_PAIRS', `--certificate means ${listed.length} certificates in tokens`);
  return first;
}

/** Thrown in the place of a PIN. */
const NO_PIN = Symbol('no PIN');

/** The certificates that tokens show without a PIN; undefined where they show none without one. */
async function listInToken(
  uri: string,
  flag: '--certificate' | '--private-key',
  { token, env = {} }: LoadDeps,
  notes: Notebook,
): Promise<readonly Certificate[] | undefined> {
  const { listPkcs11Certificates } = await import('../identity/pkcs11/index.ts');
  const { ROLES_ANYWHERE_PKCS11_PIN: _pin, ...others } = env;
  const [path = '', query = ''] = uri.split('?');
  const attributes = query.split('&').filter((attribute) => attribute !== '' && !/^pin-/i.test(attribute));
  try {
    const listed = await listPkcs11Certificates(
      attributes.length === 0 ? path : `${path}?${attributes.join('&')}`,
      { ...token, pinFile: undefined },
      {
        ...token,
        env: others,
        askPin: () => {
          throw NO_PIN;
        },
      },
    );
    return listed.map(({ certificate }) => readCertificate(certificate, flag));
  } catch (error) {
    if (error !== NO_PIN) throw error;
    notes.leave(`what the token of ${flag} holds: it shows that after a login alone`);
    return undefined;
  }
}

/** The part of a URI that names a token, and its module. */
function ofToken(uri: string): string {
  const [path = '', query] = uri.split('?');
  const attributes = path.split(';').filter((attribute) => !/^(?:pkcs11:)?(?:object|id|type)=/i.test(attribute));
  const rest = attributes.join(';');
  return `${/^pkcs11:/i.test(rest) ? rest : `pkcs11:${rest}`}${query === undefined ? '' : `?${query}`}`;
}

/** What the chain of a key in hardware is made of: the intermediates that are given, else what the token of the certificate has. */
async function bundleOf(
  { certificate = '', intermediates }: Spec,
  loading: LoadDeps,
  notes: Notebook,
): Promise<readonly Certificate[]> {
  if (intermediates === undefined)
    return isPkcs11(certificate)
      ? ((await listInToken(ofToken(certificate), '--certificate', loading, notes)) ?? [])
      : [];
  try {
    return await loadCertificates(intermediates, loading, '--intermediates');
  } catch (error) {
    notes.fail('chain', error);
    return [];
  }
}

/** The certificate of an identity that cannot be loaded: it may have more faults than the one that was met. */
async function certificateAlone(
  certificate: string | undefined,
  { loading, now }: IdentitySurroundings,
  notes: Notebook,
): Promise<Certificate | undefined> {
  // What was read from standard input or a pipe is gone, and what is elsewhere has been asked.
  if (certificate === undefined || !isReadAgain(certificate)) return undefined;
  try {
    const all = await loadCertificates(certificate, { ...loading, typed: undefined });
    const leaf = all.find(({ isAuthority }) => !isAuthority) ?? all[0];
    checkCertificate(leaf, sourceOf(certificate), now, notes);
    return leaf;
  } catch (error) {
    if (error instanceof RolesAnywhereError) return undefined;
    throw error;
  }
}

function checkCertificate(leaf: Certificate, source: string, now: number, notes: Notebook): void {
  for (const rule of brokenRules(leaf, now)) notes.fail('certificate', refusalOf(rule, leaf, source, now));
  const left = leaf.notAfter.getTime() - now;
  const until = `${isoSeconds(leaf.notBefore)} to ${isoSeconds(leaf.notAfter)}`;
  notes.fact('certificate', 'subject', textOf(leaf.subject));
  notes.fact('certificate', 'issuer', textOf(leaf.issuer));
  notes.fact('certificate', 'serial number', leaf.serialNumber);
  notes.fact('certificate', 'valid', left > 0 ? `${until}, ${daysText(left)} left` : until);
  try {
    notes.fact('certificate', 'key', keyText(leaf));
    const { sourceIdentity, sourceIdentityProblem, tags } = sessionAttributes(leaf);
    notes.fact('certificate', 'source identity', sourceIdentity);
    if (sourceIdentityProblem !== undefined)
      notes.find(
        'WARN_SESSION_TAG',
        `${source}: the source identity that follows from its names is ${sourceIdentityProblem}`,
      );
    for (const { key, problem } of tags)
      if (problem !== undefined)
        notes.find(
          'WARN_SESSION_TAG',
          `${source}: the session tag ${key} is ${problem.startsWith('holds') ? 'impossible: it ' : ''}${problem}`,
        );
  } catch (error) {
    // What cannot be read there is for the service to judge.
    if (!(error instanceof DerError)) throw error;
  }
}

function textOf(name: Uint8Array): string {
  try {
    return nameText(readName(name)) || '(empty)';
  } catch (error) {
    if (error instanceof DerError) return '(cannot be read)';
    throw error;
  }
}

/** Whether a signature of the private key verifies with the certificate: the proof that no comparison of numbers gives. */
async function checkSignature({ signer }: Identity, leaf: Certificate, notes: Notebook): Promise<void> {
  const message = randomBytes(32);
  let signature: Uint8Array;
  try {
    signature = await signer.sign(message);
  } catch (error) {
    notes.fail('certificate', error);
    return;
  }
  let good: boolean;
  try {
    const key = createPublicKey({ key: Buffer.from(leaf.publicKey), format: 'der', type: 'spki' });
    good = verify(leaf.keyAlgorithm.name.startsWith('ML-DSA') ? null : 'sha256', message, key, signature);
  } catch {
    notes.leave(
      `the signature of the private key: this version of Node does not verify those of ${leaf.keyAlgorithm.name}`,
    );
    return;
  }
  if (good) return notes.fact('certificate', 'private key', "is the certificate's: a signature was made and verified");
  notes.fail(
    'certificate',
    new RolesAnywhereError('ERR_KEY_MISMATCH', 'a signature of the private key does not verify with the certificate', {
      hint: 'give the key that the certificate was requested with',
    }),
  );
}
