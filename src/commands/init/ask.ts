/** What `init` asks a person at the terminal. Tests: test/cli/init.test.ts */
import { parseArn } from '../../aws/arn.ts';
import type { ArnKind } from '../../aws/arn.ts';
import type { FlagsOf } from '../../options/flag-values.ts';
import { tpmOptions } from '../../options/tpm.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { promptLine } from '../../platform/prompt.ts';
import { readCertificate } from '../../x509/certificate.ts';
import { nameText, readName } from '../../x509/names.ts';
import type { Io } from '../command.ts';
import { oneShotToken } from '../one-shot-token.ts';
import { tokenOptions } from '../../options/token.ts';

/** The flags without which there are no credentials, and what they are to a person. */
const NEEDED = [
  ['trust-anchor-arn', 'ARN of the trust anchor', 'trust-anchor'],
  ['profile-arn', 'ARN of the Roles Anywhere profile', 'profile'],
  ['role-arn', 'ARN of the role', 'role'],
] as const satisfies readonly (readonly [string, string, ArnKind])[];

export type Settled = FlagsOf<'init'> & FlagsOf<'credential-process'>;

/**
 * The flags, with what was missing asked for.
 *
 * @param mayAsk whether a person may be asked
 * @throws RolesAnywhereError `ERR_FLAG_REQUIRED` where nobody can be; `ERR_INTERRUPTED`
 */
export async function settled(flags: FlagsOf<'init'>, io: Io, mayAsk: boolean): Promise<Settled> {
  const hasIdentity = flags.certificate !== undefined || flags['cert-selector'] !== undefined;
  const missing = [
    ...(hasIdentity ? [] : ['certificate']),
    ...NEEDED.map(([flag]) => flag).filter((flag) => flags[flag] === undefined),
  ];
  let found: FlagsOf<'init'> = flags;
  if (missing.length > 0 && mayAsk) {
    if (!hasIdentity) found = { ...found, ...(await askIdentity(flags, io, missing)) };
    for (const [flag, words, kind] of NEEDED)
      if (flags[flag] === undefined) found = { ...found, [flag]: await askArn(words, kind, io, missing) };
  }
  const { certificate, 'trust-anchor-arn': anchor, 'profile-arn': profile, 'role-arn': role } = found;
  const isNamed = certificate !== undefined || found['cert-selector'] !== undefined;
  if (!isNamed || anchor === undefined || profile === undefined || role === undefined) throw required(missing);
  return { ...found, 'trust-anchor-arn': anchor, 'profile-arn': profile, 'role-arn': role };
}

function required(missing: readonly string[]): RolesAnywhereError {
  const names = missing.map((flag) => `--${flag}`);
  return new RolesAnywhereError(
    'ERR_FLAG_REQUIRED',
    `missing flag${names.length > 1 ? 's' : ''}: ${names.join(', ')}`,
    {
      hint: 'give them, or run init at a terminal, where it asks',
      flag: names,
    },
  );
}

async function ask(question: string, missing: readonly string[]): Promise<string> {
  const answer = await promptLine(question);
  if (answer === undefined) throw required(missing);
  return answer;
}

async function askArn(words: string, kind: ArnKind, io: Io, missing: readonly string[]): Promise<string> {
  for (;;) {
    const answer = await ask(`${words}: `, missing);
    try {
      parseArn(kind, answer, 'this');
      return answer;
    } catch (error) {
      if (!(error instanceof RolesAnywhereError)) throw error;
      io.announce(`${error.message}\n${error.hint === undefined ? '' : `${error.hint}\n`}`);
    }
  }
}

/** Something that was found, and the flags that mean it. */
interface Candidate {
  readonly words: string;
  readonly certificate?: string | undefined;
  readonly 'private-key'?: string | undefined;
}

async function askIdentity(
  flags: FlagsOf<'init'>,
  io: Io,
  missing: readonly string[],
): Promise<Partial<FlagsOf<'init'>>> {
  const candidates = await identitiesOf(flags, io);
  io.announce(candidates.map(({ words }, index) => `${index + 1}  ${words}\n`).join(''));
  const choice = candidates.length === 0 ? '' : ', or a number from above';
  let chosen: Candidate | undefined;
  let certificate: string | undefined;
  while (certificate === undefined) {
    const answer = await ask(
      chosen === undefined ? `certificate (a file or a URI${choice}): ` : 'certificate of that key (a file): ',
      missing,
    );
    const isNumber = chosen === undefined && candidates.length > 0 && /^\d+$/.test(answer);
    if (isNumber) {
      // One that is not there is asked for again.
      chosen = candidates[Number(answer) - 1];
      certificate = chosen?.certificate;
    } else if (answer !== '') certificate = answer;
  }
  if (chosen?.['private-key'] !== undefined || flags['private-key'] !== undefined || /^pkcs11:/i.test(certificate))
    return { certificate, 'private-key': chosen?.['private-key'] ?? flags['private-key'] };
  const key = await ask('private key (a file; nothing, if it is in that of the certificate): ', missing);
  return { certificate, 'private-key': key === '' ? undefined : key };
}

/** The identities that this machine's tokens and its TPM have. What is not there, or does not answer, has none. */
async function identitiesOf(flags: FlagsOf<'init'>, io: Io): Promise<Candidate[]> {
  const [tokens, keys] = await Promise.allSettled([certificatesInTokens(flags, io), keysInTpm(flags, io)]);
  for (const outcome of [tokens, keys])
    if (outcome.status === 'rejected') io.log.debug(`not looked through: ${String(outcome.reason)}`);
  return [tokens, keys].flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
}

async function certificatesInTokens(flags: FlagsOf<'init'>, io: Io): Promise<Candidate[]> {
  const { listPkcs11Certificates } = await import('../../identity/pkcs11/index.ts');
  const listed = await listPkcs11Certificates('pkcs11:', tokenOptions(flags), oneShotToken(flags, io));
  return listed.map(({ uri, certificate }) => {
    const { subject, notAfter } = readCertificate(certificate, uri);
    return {
      words: `in a token: ${nameText(readName(subject))}, until ${notAfter.toISOString().slice(0, 10)}\n   ${uri}`,
      certificate: uri,
    };
  });
}

async function keysInTpm(flags: FlagsOf<'init'>, { env }: Io): Promise<Candidate[]> {
  const { listSigningKeys } = await import('../../identity/tpm/index.ts');
  const keys = await listSigningKeys(tpmOptions(flags), { env, timeoutMs: 5000 });
  return keys.map(({ handle, kind }) => ({ words: `in the TPM: ${kind} key ${handle}`, 'private-key': handle }));
}
