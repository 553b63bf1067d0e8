/** Certificates in tokens as AWS's helper prints them, for the scripts that look for `URI:` and `Serial Number:`. */
// Tests: test/commands/matching-identities.test.ts
import { createHash } from 'node:crypto';
import { readCertificate } from '../x509/certificate.ts';
import { readAttributes } from '../x509/names.ts';

/** Short names that Go knows, by object identifier; any other attribute is shown as its identifier and hexadecimal DER. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.6': 'C',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.17': 'POSTALCODE',
  '2.5.4.3': 'CN',
  '2.5.4.5': 'SERIALNUMBER',
};

/** Of these a name has one at most, as Go sees it: the last. */
const SINGLE: ReadonlySet<string> = new Set(['CN', 'SERIALNUMBER']);

/** A certificate (DER), and, of one in a token, the URI that finds it. */
interface MatchingIdentity {
  readonly certificate: Uint8Array;
  readonly uri?: string | undefined;
}

/** The text for what a URI or a selector matches. */
export function matchingIdentities(listed: readonly MatchingIdentity[]): string {
  if (listed.length === 0) return 'No matching identities\n';
  const blocks = listed.map(({ uri, certificate }, index) => {
    const { subject, issuer, serialNumber, der } = readCertificate(certificate, uri ?? 'the store');
    return [
      `${index + 1}) Hex Fingerprint: ${createHash('sha1').update(der).digest('hex')}`,
      `Subject: ${goName(subject)}`,
      `Issuer: ${goName(issuer)}`,
      `Serial Number: ${BigInt(serialNumber).toString(16).toUpperCase()}`,
      ...(uri === undefined ? [] : [`URI: ${uri}`]),
      '\n',
    ].join('\n');
  });
  return `Matching identities\n${blocks.join('')}`;
}

/**
 * A distinguished name in the order that Go's pkix.Name gives it, whatever the certificate's: last what it has no short name
 * for, before that country, organisation and so on, the common name first; values of one type joined by `+`.
 *
 * @param der a Name of RFC 5280, section 4.1.2.4
 */
export function goName(der: Uint8Array): string {
  const attributes = readAttributes(der);
  const others = attributes
    .filter(({ oid }) => !Object.hasOwn(SHORT_NAMES, oid))
    .map(
      ({ oid, value, der: raw }) =>
        `${oid}=#${Buffer.from(value === undefined ? raw : asString(value)).toString('hex')}`,
    );
  const known = Object.entries(SHORT_NAMES).flatMap(([oid, name]) => {
    const values = attributes.flatMap(({ oid: own, value }) => (own === oid && value !== undefined ? [value] : []));
    const shown = SINGLE.has(name) ? values.slice(-1).filter((value) => value !== '') : values;
    return shown.length === 0 ? [] : [shown.map((value) => `${name}=${escaped(value)}`).join('+')];
  });
  return [...others, ...known].toReversed().join(',');
}

/** RFC 2253, section 2.4. */
function escaped(value: string): string {
  return value
    .replaceAll(/[,+"\\<>;]/g, String.raw`\$&`)
    .replace(/^[ #]/, String.raw`\$&`)
    .replace(/(?<=.) $/s, String.raw`\$&`);
}

/** A string as Go encodes one: a PrintableString where it can be. */
function asString(value: string): Uint8Array {
  const content = Buffer.from(value);
  const length =
    content.length < 0x80
      ? [content.length]
      : content.length < 0x100
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value) ? 0x13 : 0x0c, ...length]), content]);
}
