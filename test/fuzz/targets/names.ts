/** Names that people and other programs write: URIs, ARNs, distinguished names, addresses, times. */
import { doubtAbout, isRegion, parseArn, partitionOf } from '../../../src/aws/arn.ts';
import { parseEndpoint } from '../../../src/aws/endpoints.ts';
import { formatExpiration, parseExpiration } from '../../../src/credentials/expiration.ts';
import { noProxy, parseProxy } from '../../../src/http/proxy-rules.ts';
import { proxyName } from '../../../src/http/tunnel.ts';
import { formatPkcs11Uri, isPkcs11Uri, parsePkcs11Uri } from '../../../src/identity/pkcs11/uri.ts';
import { isSelected, loadSelector } from '../../../src/identity/selector.ts';
import { readReference } from '../../../src/identity/spiffe/reference.ts';
import { sessionNameOf } from '../../../src/identity/spiffe/session-name.ts';
import { checkSessionName } from '../../../src/aws/session-limits.ts';
import { readCertificate } from '../../../src/x509/certificate.ts';
import { DerError } from '../../../src/x509/der.ts';
import { NameSyntaxError, nameHas, parseName } from '../../../src/x509/distinguished-name.ts';
import { nameText, readAlternativeNames, readName } from '../../../src/x509/names.ts';
import { type OpenTarget, check, derOf, files, textOf } from '../harness/target.ts';
import { isDeepStrictEqual } from 'node:util';

const LEAVES = (): Buffer[] => files('certs-dev/out', /^(?:ec-p256|bad-.*)\.crt\.pem$/).flatMap((pem) => derOf(pem));

const pkcs11Uri: OpenTarget = () => ({
  seeds: [
    'pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.;id=%69%95%3E?pin-value=correct-horse-battery',
    'pkcs11:object=my-certificate;type=cert;slot-id=327?module-path=/usr/lib/x.so&pin-source=file:/etc/token',
    'pkcs11:library-version=2.40;library-manufacturer=x;slot-description=y;slot-manufacturer=z;serial=0f;model=m',
    'pkcs11:',
  ],
  forms: ['text'],
  words: ['%41', ';', '&', '?', 'pin-value=', 'x-vendor=1'],
  secrets: ['correct-horse-battery'],
  run(input) {
    const text = textOf(input);
    const { uri } = parsePkcs11Uri(text, '--private-key');
    check(isPkcs11Uri(text), 'what is parsed is a URI');
    const { pinValue, pinSource, moduleName, modulePath, ...rest } = uri;
    const { uri: again } = parsePkcs11Uri(formatPkcs11Uri(uri));
    check(isDeepStrictEqual(again, rest), `a URI that was parsed and written is the same: ${formatPkcs11Uri(uri)}`);
    check(pinValue === undefined || pinSource === undefined, 'a URI has one source of its PIN');
    void [moduleName, modulePath];
  },
});

const selector: OpenTarget = () => {
  const leaves = LEAVES().map((der) => readCertificate(der, 'leaf'));
  return {
    seeds: [
      String.raw`Key=x509Subject,Value=CN=roles-anywhere-stg,OU=Example\, Inc.,O="Acme, Inc." Key=x509Issuer,Value=CN=Root Key=x509Serial,Value=15D19632234BF759A32802C0DA88F9E8AFC8702D`,
      'Key=x509Subject,Value=CN=ec-p256',
      'Key=x509Issuer,Value=2.5.4.3=#0c026869+OU=x',
    ],
    forms: ['text'],
    words: ['Key=', ',Value=', '\\2c', '\\', '"', '+', '#0c', 'OID.2.5.4.3='],
    maxLength: 16_384,
    run(input) {
      const text = textOf(input);
      if (text.startsWith('file://')) return;
      const found = loadSelector(text);
      for (const leaf of leaves) isSelected(leaf, found);
    },
  };
};

const distinguishedName: OpenTarget = () => {
  const subjects = LEAVES().map((der) => readCertificate(der, 'leaf').subject);
  return {
    seeds: [String.raw`CN=web 1,O=Acme\, Inc.`, 'C=DE+ST=Berlin, L=\\C3\\A9,DC=example,UID="a b"', '1.2.3.4=#0500'],
    forms: ['text'],
    words: ['=', ',', '+', '\\', '"', '#'],
    maxLength: 16_384,
    expects: (error) => error instanceof NameSyntaxError,
    run(input) {
      const written = parseName(textOf(input));
      check(written.length > 0 && written.every((part) => part.length > 0), 'every part of a name has an attribute');
      for (const subject of subjects) nameHas(subject, written);
    },
  };
};

/** Names in certificates, and what they are looked for by. */
const nameDer: OpenTarget = () => ({
  seeds: [
    ...LEAVES().map((der) => readCertificate(der, 'leaf').subject),
    ...LEAVES().flatMap((der) => readCertificate(der, 'leaf').extensions.get('2.5.29.17') ?? []),
  ],
  forms: ['der'],
  expects: (error) => error instanceof DerError,
  run(input) {
    const problems: unknown[] = [];
    for (const read of [readAlternativeNames, () => nameHas(input, parseName('CN=a'))]) {
      try {
        read(input);
      } catch (error) {
        problems.push(error);
      }
    }
    const text = nameText(readName(input));
    // oxlint-disable-next-line no-control-regex -- that there is none is what is checked
    check(!/[\u0000-\u001f\u007f-\u009f]/.test(text), `a name is printable: ${JSON.stringify(text)}`);
    for (const problem of problems) throw problem;
  },
});

const arn: OpenTarget = () => ({
  seeds: [
    'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/00000000-0000-0000-0000-000000000000',
    'arn:aws-cn:rolesanywhere:cn-north-1:123456789012:profile/00000000-0000-0000-0000-000000000000',
    'arn:aws-us-gov:iam::123456789012:role/path/to/name+=,.@-_',
  ],
  forms: ['text'],
  run(input) {
    const text = textOf(input);
    partitionOf(text);
    const problems: unknown[] = [];
    for (const kind of ['trust-anchor', 'profile', 'role'] as const) {
      try {
        const read = parseArn(kind, text, `--${kind}-arn`);
        check(/^[\x21-\x7e]+$/.test(text), 'an ARN is visible ASCII');
        check(kind === 'role' || isRegion(read.region), 'its region has the form of one');
        check(
          text.split(':').length >= 6 && text.startsWith(`arn:${read.partition}:`),
          'its parts are those of the text',
        );
        check(/^\d{12}$/.test(read.account), 'its account has twelve digits');
        doubtAbout(read, text, '--role-arn');
      } catch (error) {
        problems.push(error);
      }
    }
    for (const problem of problems) throw problem;
  },
});

const SECRET = 'hunter2-hunter2';

const endpoint: OpenTarget = () => ({
  seeds: [
    'https://rolesanywhere.us-east-1.amazonaws.com',
    'http://127.0.0.1:8080/base/',
    'http://[::1]',
    `https://user:${SECRET}@host/?q#f`,
    'http://2130706433',
  ],
  forms: ['text'],
  words: ['https://', 'http://', '@', '[::1]', '127.1', '0x7f.1', '\u3002', '%2e'],
  secrets: [SECRET],
  run(input) {
    const url = parseEndpoint(textOf(input), '--endpoint');
    check(
      url.protocol === 'https:' || ['localhost', '[::1]'].includes(url.hostname) || url.hostname.startsWith('127.'),
      `plain http goes to this machine alone: ${url.href}`,
    );
    check(`${url.username}${url.password}${url.search}${url.hash}` === '', 'an endpoint has no secret part');
  },
});

const proxy: OpenTarget = () => ({
  seeds: [
    `http://user:${SECRET}@proxy.example:3128`,
    'socks5h://proxy:1080',
    'proxy.example:80',
    'localhost,.example.com,*.example.org:8080,10.0.0.0/8,[fd00::]/8,::1,*',
  ],
  forms: ['text'],
  words: ['://', '@', ':', '/8', '/129', '[', ']', ','],
  secrets: [SECRET],
  run(input) {
    const text = textOf(input);
    const exempt = noProxy(text);
    for (const target of [
      'https://example.com',
      'http://10.1.2.3:8080',
      'https://[fd00::1]',
      'https://a.b.example.org',
    ])
      exempt(new URL(target));
    check(exempt(new URL('http://127.0.0.1')) && exempt(new URL('http://[::1]')), 'this machine needs no proxy');
    const url = parseProxy(text, '--proxy');
    check(
      url.password === '' ||
        !proxyName(url).includes(decodeURIComponent(url.password)) ||
        url.host.includes(decodeURIComponent(url.password)),
      'the name of a proxy has no password',
    );
  },
});

const spiffe: OpenTarget = () => ({
  seeds: [
    'spiffe:unix:/run/spire/agent.sock?id=spiffe://example.org/web&hint=internal',
    'spiffe:tcp://127.0.0.1:8000?audience=sts.amazonaws.com&audience=b',
    'spiffe:',
    'spiffe://example.org/ns/default/sa/web',
  ],
  forms: ['text'],
  words: ['unix:', 'tcp://', 'id=', 'hint=', 'audience=', '%00', 'spiffe://'],
  run(input) {
    const text = textOf(input);
    checkSessionName(sessionNameOf(text), 'the name');
    const problems: unknown[] = [];
    for (const flag of ['--certificate', '--web-identity-token'] as const) {
      try {
        readReference(`spiffe:${text.replace(/^spiffe:/, '')}`, flag, { SPIFFE_ENDPOINT_SOCKET: text });
      } catch (error) {
        problems.push(error);
      }
    }
    for (const problem of problems) throw problem;
  },
});

const expiration: OpenTarget = () => ({
  seeds: [
    '2026-11-29T02:03:04Z',
    '2024-02-29t23:59:59.999999999+23:59',
    '0000-01-01T00:00:00-00:00',
    '2026-02-30T00:00:00Z',
  ],
  forms: ['text'],
  words: ['T', 'Z', '+00:00', '.', '24:00:00', ':60'],
  maxLength: 64,
  run(input) {
    const text = textOf(input);
    const read = parseExpiration(text);
    if (read === undefined) return;
    const theirs = new Date(text.toUpperCase());
    check(
      Math.floor(theirs.getTime() / 1000) * 1000 === read.getTime(),
      `${text} is ${theirs.toISOString()}, not ${read.toISOString()}`,
    );
    check(
      parseExpiration(formatExpiration(read))?.getTime() === read.getTime(),
      'a time that was read and written is the same',
    );
  },
});

export const NAMES: Readonly<Record<string, OpenTarget>> = {
  'pkcs11-uri': pkcs11Uri,
  selector,
  'distinguished-name': distinguishedName,
  'name-der': nameDer,
  arn,
  endpoint,
  proxy,
  'spiffe-reference': spiffe,
  expiration,
};
