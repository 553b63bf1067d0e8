/** A certificate for people: what is in it, what is wrong with it, and what AWS will make of it. */
import { createHash } from 'node:crypto';
import { type Certificate, sameBytes } from '../x509/certificate.ts';
import { orderChain, unrelatedTo } from '../x509/chain.ts';
import { DerError, TAG, expectTag, readChildren, readDer, readObjectIdentifier } from '../x509/der.ts';
import { EXTENSION } from '../x509/extensions.ts';
import { nameText, printable, readAlternativeNames, readName } from '../x509/names.ts';
import { brokenRules } from '../x509/rules.ts';
import { sessionAttributes } from '../x509/session-attributes.ts';
import { signatureName } from '../x509/signature-names.ts';
import { oddities } from './checks.ts';
import { daysText, findingText, isoSeconds, keyText, subjectText, usageNames } from './verdicts.ts';

/** A label and its lines; none when there is nothing to say. */
type Row = readonly [label: string, lines: readonly string[]];

/**
 * Describes the leaf of a file, and lists what else is in it.
 *
 * @param certificates in the file's order: the leaf is the first that is not a CA's, or the first
 * @param now milliseconds since the epoch
 * @returns lines, each with its line feed
 */
export function certificateText(certificates: readonly [Certificate, ...Certificate[]], now: number): string {
  const leaf = certificates.find(({ isAuthority }) => !isAuthority) ?? certificates[0];
  const others = certificates.filter(({ der }) => !sameBytes(der, leaf.der));
  const chain = orderChain(leaf, others, Infinity);
  const unrelated = new Set(unrelatedTo(leaf, chain, others));
  const problems = [
    ...brokenRules(leaf, now).map((code) => `error: ${findingText({ code, certificate: leaf }, now)} [${code}]`),
    ...oddities(leaf, chain, now).map((found) => `warning: ${findingText(found, now)}`),
  ];
  const listed = others.map((other) => {
    const { notAfter, isAuthority } = other;
    const kind = unrelated.has(other) ? ', not in the chain' : isAuthority ? '' : ", not a CA's";
    return `${subjectText(other)}, until ${isoSeconds(notAfter)}${kind}`;
  });
  return [
    table(facts(leaf, now)),
    section('problems', problems.length === 0 ? ['none found'] : problems),
    section('what Roles Anywhere derives from it, unless the profile maps attributes otherwise', derived(leaf)),
    ...(listed.length === 0 ? [] : [section('also in this file', listed)]),
  ].join('\n');
}

function facts(certificate: Certificate, now: number): Row[] {
  const { serialNumber, notBefore, notAfter, extensions, isAuthority, keyUsage, der, version } = certificate;
  const left = notAfter.getTime() - now;
  return [
    ['subject', readable(() => [nameText(readName(certificate.subject)) || '(empty)'])],
    ['issuer', readable(() => [nameText(readName(certificate.issuer)) || '(empty)'])],
    [
      'alternative names',
      readable(() =>
        readAlternativeNames(extensions.get(EXTENSION.subjectAltName)).map(({ kind, text }) => `${kind}:${text}`),
      ),
    ],
    ['serial number', [serialNumber, hexText(BigInt(serialNumber))]],
    [
      'valid',
      [
        `from ${isoSeconds(notBefore)}`,
        `until ${isoSeconds(notAfter)}, ${left < 0 ? `${daysText(-left)} ago` : `${daysText(left)} left`}`,
      ],
    ],
    ['key', readable(() => [keyText(certificate)])],
    ['key usage', keyUsage === undefined ? ['(not given)'] : [usageNames(keyUsage).join(', ')]],
    ['extended key usage', readable(() => extendedUsages(extensions.get(EXTENSION.extendedKeyUsage)))],
    ['CA', [isAuthority ? 'yes' : 'no']],
    ['signed with', [signatureName(certificate)]],
    ['version', [String(version)]],
    ['SHA-256 fingerprint', [fingerprint(der)]],
  ];
}

function derived(certificate: Certificate): string[] {
  return readable(() => {
    const { sessionName, sourceIdentity, sourceIdentityProblem, tags } = sessionAttributes(certificate);
    return [
      attributeLine('session name', sessionName),
      attributeLine('source identity', sourceIdentity, sourceIdentityProblem),
      ...tags.map(({ key, value, problem }) =>
        attributeLine(`session tag ${key}`, value, problem === undefined ? undefined : `left out: ${problem}`),
      ),
    ];
  });
}

function attributeLine(key: string, value: string, problem?: string): string {
  return `${key} = ${printable(value)}${problem === undefined ? '' : ` (${problem})`}`;
}

/** RFC 5280, section 4.2.1.12. */
const EXTENDED_USAGES: Readonly<Record<string, string>> = {
  '2.5.29.37.0': 'any',
  '1.3.6.1.5.5.7.3.1': 'serverAuth',
  '1.3.6.1.5.5.7.3.2': 'clientAuth',
  '1.3.6.1.5.5.7.3.3': 'codeSigning',
  '1.3.6.1.5.5.7.3.4': 'emailProtection',
  '1.3.6.1.5.5.7.3.8': 'timeStamping',
  '1.3.6.1.5.5.7.3.9': 'OCSPSigning',
};

function extendedUsages(extension: Uint8Array | undefined): string[] {
  if (extension === undefined) return ['(not given)'];
  const usages = readChildren(expectTag(readDer(extension), TAG.sequence, 'extKeyUsage')).map((usage) => {
    const identifier = readObjectIdentifier(expectTag(usage, TAG.objectIdentifier, 'an extended key usage'));
    return EXTENDED_USAGES[identifier] ?? identifier;
  });
  return [usages.join(', ')];
}

/** In octets, as openssl shows it. */
function hexText(serial: bigint): string {
  const digits = (serial < 0n ? -serial : serial).toString(16).toUpperCase();
  return `${serial < 0n ? '-' : ''}${pairs(digits.length % 2 === 0 ? digits : `0${digits}`)}`;
}

function fingerprint(der: Uint8Array): string {
  return pairs(createHash('sha256').update(der).digest('hex').toUpperCase());
}

function pairs(hex: string): string {
  return hex.replaceAll(/..(?!$)/g, '$&:');
}

/** A field that is broken must not hide the others. */
function readable(read: () => string[]): string[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof DerError) return [`(cannot be read: ${error.message})`];
    throw error;
  }
}

function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(([label]) => label.length)) + 2;
  return rows
    .flatMap(([label, lines]) => lines.map((line, index) => `${(index === 0 ? label : '').padEnd(width)}${line}\n`))
    .join('');
}

function section(title: string, lines: readonly string[]): string {
  return `${title}:\n${lines.map((line) => `  ${line}\n`).join('')}`;
}
