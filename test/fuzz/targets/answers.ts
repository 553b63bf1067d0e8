/** What services, endpoints and programs answer: AWS's, those of a machine or container, and those of CAs. */
import { assumeRole } from '../../../src/aws/assume-role.ts';
import { callerIdentity } from '../../../src/aws/caller-identity.ts';
import type { Connection } from '../../../src/aws/connection.ts';
import { createSession } from '../../../src/aws/create-session.ts';
import { signinUrl } from '../../../src/aws/signin-url.ts';
import { assumeRoleWithWebIdentity } from '../../../src/aws/web-identity.ts';
import { readXml } from '../../../src/aws/xml.ts';
import { createServiceClock } from '../../../src/aws/service-clock.ts';
import { isCredentialText } from '../../../src/aws/credential-answer.ts';
import type { AwsCredentials } from '../../../src/credentials/credentials.ts';
import type { HttpResponse, HttpTransport } from '../../../src/http/http.ts';
import type { Identity } from '../../../src/identity/identity.ts';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';
import type { Issuer } from '../../../src/renewal/issuer.ts';
import { est } from '../../../src/renewal/issuers/est.ts';
import { claimsOf, stepCa } from '../../../src/renewal/issuers/step-ca.ts';
import { vault } from '../../../src/renewal/issuers/vault.ts';
import { fromContainer } from '../../../src/sources/container.ts';
import { fromImds } from '../../../src/sources/imds.ts';
import { readJsonCredentials } from '../../../src/sources/json-credentials.ts';
import { readCertificate } from '../../../src/x509/certificate.ts';
import { type OpenTarget, type Target, check, derOf, files, textOf } from '../harness/target.ts';

const NOW = Date.parse('2026-11-29T00:00:00Z');
const ROLE = 'arn:aws:iam::123456789012:role/Workload';
const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/00000000-0000-0000-0000-000000000000';
const PROFILE = ANCHOR.replace('trust-anchor', 'profile');
const KEY_ID = 'ASIAIOSFODNN7EXAMPLE';
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const SESSION_TOKEN = 'AQoDYXdzEJr-session-token-of-the-fuzzer';
const BEARER = 'bearer-token-of-the-fuzzer-0123456789';
/** Between the answers of an input. */
const NEXT = '\n=====\n';

const CREATED = JSON.stringify({
  credentialSet: [
    {
      assumedRoleUser: { arn: 'arn:aws:sts::123456789012:assumed-role/Workload/0a1b', assumedRoleId: 'AROA:0a1b' },
      credentials: {
        accessKeyId: KEY_ID,
        expiration: '2026-11-29T01:00:00Z',
        secretAccessKey: SECRET,
        sessionToken: SESSION_TOKEN,
      },
      packedPolicySize: 10,
      roleArn: ROLE,
      sourceIdentity: 'CN=ec-p256',
    },
  ],
  subjectArn: ANCHOR,
});
const REFUSED = JSON.stringify({ message: 'Untrusted certificate. Insufficient certificate' });

const xml = (action: string, result: string): string =>
  `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <${action}Result>${result}</${action}Result>\n  <ResponseMetadata><RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId></ResponseMetadata>\n</${action}Response>\n`;
const SESSION = `<SourceIdentity>Alice &amp; &#x42;</SourceIdentity><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/Workload/s</Arn><AssumedRoleId>AROA:s</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>${KEY_ID}</AccessKeyId><SecretAccessKey>${SECRET}</SecretAccessKey><SessionToken>${SESSION_TOKEN}</SessionToken><Expiration>2026-11-29T01:00:00Z</Expiration></Credentials><PackedPolicySize>6</PackedPolicySize>`;
const XML_ERROR =
  '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: x is not authorized to perform: sts:AssumeRole</Message></Error><RequestId>1</RequestId></ErrorResponse>';

/** An answer as the seeds write it. */
function answer(
  status: number,
  body: string,
  headers = 'x-amzn-requestid: 1\ndate: Sun, 29 Nov 2026 00:00:00 GMT',
): string {
  return `${status}\n${headers}\n\n${body}`;
}

/** The answers in an input, one for each request, the last for all that follow. */
function transportOf(input: Uint8Array): {
  readonly transport: HttpTransport;
  readonly answers: readonly HttpResponse[];
} {
  const answers = textOf(input)
    .split(NEXT)
    .map((text): HttpResponse => {
      const [head = '', body = ''] = text.split(/\n\n([\s\S]*)/);
      const [status = '', ...lines] = head.split('\n');
      const number = Number(status);
      const headers = lines.map((line): [string, string] => {
        const [name = '', value = ''] = line.split(/: ?(.*)/);
        return [name.toLowerCase(), value];
      });
      return {
        status: number >= 200 && number <= 599 ? Math.floor(number) : 200,
        headers: Object.fromEntries(headers),
        body,
      };
    });
  let next = 0;
  return { answers, transport: () => Promise.resolve(answers[Math.min(next++, answers.length - 1)] as HttpResponse) };
}

function connectionOf(transport: HttpTransport): Connection {
  return {
    transport,
    retry: { attempts: 2 },
    sleep: () => Promise.resolve(),
    clock: createServiceClock(() => NOW),
  };
}

/** Credentials that came of an answer can be used; an error about an answer of 2xx tells nothing of it. */
function service(
  seeds: readonly string[],
  ask: (connection: Connection) => Promise<AwsCredentials | object | string | undefined>,
  isSent: (answers: readonly HttpResponse[]) => boolean = () => true,
): Target {
  return {
    seeds,
    forms: ['text', 'json'],
    words: [NEXT, '200', '403', '429', '500', 'retry-after: 1', '\n\n', '<', '</', '/>', '&amp;', '&#', '<![CDATA['],
    async run(input) {
      const { transport, answers } = transportOf(input);
      try {
        const result = await ask(connectionOf(transport));
        if (typeof result !== 'object' || result === null || !('accessKeyId' in result)) return;
        const { accessKeyId, secretAccessKey, sessionToken, expiration } = result;
        check(isCredentialText(accessKeyId) && isCredentialText(secretAccessKey), 'credentials are visible ASCII');
        check(sessionToken === undefined || typeof sessionToken === 'string', 'a session token is text');
        check(expiration === undefined || !Number.isNaN(expiration.getTime()), 'an expiration is a time');
      } catch (error) {
        const isGood = answers.every(({ status }) => status < 400);
        if (error instanceof RolesAnywhereError) {
          const told = `${error.message}\n${error.hint}`;
          check(
            !isGood || !(told.includes(SECRET) || told.includes(SESSION_TOKEN)),
            `an error tells of an answer: ${told}`,
          );
          check(!isSent(answers) || !told.includes(BEARER), `an error tells the token that was sent: ${told}`);
          check(!/(?![\t\n])\p{Cc}/u.test(error.message), `an error goes to a terminal: ${JSON.stringify(told)}`);
        }
        throw error;
      }
    },
  };
}

const IDENTITY: Identity = {
  certificate: new Uint8Array(100),
  serialNumber: '1',
  chain: [],
  signer: {
    keyType: 'EC',
    sign: () => Promise.resolve(new Uint8Array(70)),
  } as never,
  close: () => Promise.resolve(),
};
const CREDENTIALS = { accessKeyId: 'ASIA', secretAccessKey: 's', sessionToken: 't' };
const region = 'us-east-1';

const createSessionTarget: OpenTarget = () =>
  service(
    [
      answer(201, CREATED),
      answer(403, REFUSED, 'x-amzn-errortype: AccessDeniedException:http://x/\ndate: Sun, 29 Nov 2026 03:00:00 GMT'),
      answer(429, '{}', 'retry-after: 3') + NEXT + answer(201, CREATED),
      answer(502, '<html>bad gateway</html>'),
    ],
    async (connection) =>
      await createSession(
        { identity: IDENTITY, trustAnchorArn: ANCHOR, profileArn: PROFILE, roleArn: ROLE, region },
        connection,
      ),
  );

const assumeRoleTarget: OpenTarget = () =>
  service(
    [
      answer(200, xml('AssumeRole', SESSION)),
      answer(403, XML_ERROR),
      answer(503, XML_ERROR) + NEXT + answer(200, xml('AssumeRole', SESSION)),
    ],
    async (connection) => await assumeRole({ credentials: CREDENTIALS, roleArn: ROLE, region }, connection),
  );

const webIdentity: OpenTarget = () =>
  service(
    [
      answer(
        200,
        xml(
          'AssumeRoleWithWebIdentity',
          `${SESSION}<SubjectFromWebIdentityToken>s</SubjectFromWebIdentityToken><Audience>a</Audience><Provider>p</Provider>`,
        ),
      ),
      answer(400, XML_ERROR.replace('AccessDenied', 'InvalidIdentityToken')),
    ],
    async (connection) =>
      await assumeRoleWithWebIdentity({ roleArn: ROLE, region, token: () => Promise.resolve(BEARER) }, connection),
  );

const identityTarget: OpenTarget = () =>
  service(
    [
      answer(200, xml('GetCallerIdentity', '<Arn>arn:aws:sts::1:x</Arn><UserId>U</UserId><Account>1</Account>')),
      answer(403, XML_ERROR),
    ],
    async (connection) => await callerIdentity({ credentials: CREDENTIALS, region, partition: 'aws' }, connection),
  );

const signin: OpenTarget = () =>
  service(
    [answer(200, '{"SigninToken":"abc"}'), answer(400, 'no')],
    async (connection) => await signinUrl({ credentials: CREDENTIALS }, connection),
  );

const LOCAL = JSON.stringify({
  AccessKeyId: KEY_ID,
  SecretAccessKey: SECRET,
  Token: SESSION_TOKEN,
  SessionToken: SESSION_TOKEN,
  Expiration: '2026-11-29T01:00:00Z',
  Version: 1,
});

const container: OpenTarget = () =>
  service(
    [answer(200, LOCAL), answer(403, `{"code":"x","message":"${BEARER}"}`), answer(500, BEARER)],
    async (connection) =>
      await fromContainer({
        ...connection,
        env: {
          AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1/x',
          AWS_CONTAINER_AUTHORIZATION_TOKEN: BEARER,
        },
      }),
  );

const imds: OpenTarget = () =>
  service(
    [
      [answer(200, BEARER), answer(200, 'Workload\n'), answer(200, LOCAL)].join(NEXT),
      [answer(200, BEARER), answer(404, BEARER)].join(NEXT),
      answer(403, ''),
    ],
    async (connection) => await fromImds({ ...connection, env: {} }),
    // The token is what the first answer says.
    ([first]) => first?.status === 200 && first.body === BEARER,
  );

const jsonCredentials: OpenTarget = () => ({
  seeds: [LOCAL],
  forms: ['json', 'text'],
  secrets: [SECRET, SESSION_TOKEN],
  run(input) {
    for (const token of ['Token', 'SessionToken'] as const) readJsonCredentials(textOf(input), token, 'the source');
  },
});

const xmlTarget: OpenTarget = () => ({
  seeds: [xml('AssumeRole', SESSION), XML_ERROR, '<?xml version="1.0"?>\n<a b="c" d=\'e\'><f/>&#65;&lt;</a>'],
  forms: ['text'],
  words: ['<', '>', '</', '/>', '&amp;', '&#x10ffff;', '<!--', '<![CDATA[', '<!DOCTYPE', '="'],
  maxLength: 32_768,
  run: (input) => void readXml(textOf(input)),
});

const LEAF = files('certs-dev/out', /^ec-p256\.crt\.pem$/)[0] ?? Buffer.of();
const CHAIN = files('certs-dev/out', /^intermediate\.pem$/)[0] ?? Buffer.of();
const CURRENT = {
  leaf: readCertificate(derOf(LEAF)[0] ?? Buffer.of(), 'leaf'),
  chain: [],
  tls: { cert: 'c', key: 'k' },
} as never;

/** CAs: what they answer is a list of certificates, or an error. */
function issuerOf(make: (transport: HttpTransport) => Issuer, seeds: readonly string[]): Target {
  return {
    seeds,
    forms: ['text', 'json', 'pem'],
    words: [NEXT, '200', '202', '204', '403', '429', '500', '\n\n'],
    maxLength: 8192,
    secrets: [BEARER],
    async run(input) {
      const { transport } = transportOf(input);
      const { certificates } = await make(transport).issue(
        { csr: Buffer.of(0x30, 0), current: CURRENT, newKey: false },
        undefined,
      );
      check(certificates.length > 0, 'an issuer gives a certificate');
      for (const der of certificates) check(der instanceof Uint8Array && der.length > 0, 'a certificate is bytes');
    },
  };
}

const issued = JSON.stringify({
  crt: LEAF.toString(),
  ca: CHAIN.toString(),
  certChain: [LEAF.toString(), CHAIN.toString()],
});

const stepCaTarget: OpenTarget = () =>
  issuerOf(
    (transport) =>
      stepCa({ transport, url: new URL('https://ca.example'), token: () => BEARER, now: () => NOW, ca: 'x' }),
    [answer(201, issued), answer(401, '{"status":401,"message":"The request lacked necessary authorization"}')],
  );

const vaultTarget: OpenTarget = () =>
  issuerOf(
    (transport) =>
      vault({
        transport,
        url: new URL('https://vault.example/v1/pki/sign/web'),
        login: { method: 'approle' },
        token: () => `role:${BEARER}`,
      }),
    [
      [
        answer(200, '{"auth":{"client_token":"hvs.x"}}'),
        answer(
          200,
          JSON.stringify({ data: { certificate: LEAF.toString(), ca_chain: [CHAIN.toString()], issuing_ca: '' } }),
        ),
        answer(204, ''),
      ].join(NEXT),
      answer(403, '{"errors":["permission denied"]}'),
    ],
  );

const estTarget: OpenTarget = async () => {
  const { Certificate, ContentInfo, EncapsulatedContentInfo, SignedData } = await import('pkijs');
  const signed = new SignedData({
    version: 1,
    encapContentInfo: new EncapsulatedContentInfo({ eContentType: '1.2.840.113549.1.7.1' }),
    certificates: derOf(LEAF).map((bytes) => Certificate.fromBER(Uint8Array.from(bytes))),
  });
  const content = new ContentInfo({ contentType: '1.2.840.113549.1.7.2', content: signed.toSchema(true) });
  const body = Buffer.from(content.toSchema().toBER()).toString('base64');
  const type = 'content-type: application/pkcs7-mime; smime-type=certs-only';
  return issuerOf(
    (transport) => est({ transport, url: new URL('https://est.example'), token: () => BEARER, now: () => NOW }),
    [
      [answer(200, body, type), answer(200, body, type)].join(NEXT),
      answer(202, '', 'retry-after: 60'),
      answer(401, 'who are you'),
    ],
  );
};

const jwt: OpenTarget = () => ({
  seeds: [
    `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${Buffer.from(JSON.stringify({ aud: ['https://ca.example/1.0/sign'], sha: 'ab'.repeat(32), sub: 'web' })).toString('base64url')}.c2ln`,
  ],
  forms: ['pem', 'text'],
  run(input) {
    const claims = claimsOf(textOf(input));
    check(typeof claims === 'object' && claims !== null, 'claims are an object');
  },
});

export const ANSWERS: Readonly<Record<string, OpenTarget>> = {
  'create-session-answer': createSessionTarget,
  'assume-role-answer': assumeRoleTarget,
  'web-identity-answer': webIdentity,
  'caller-identity-answer': identityTarget,
  'signin-answer': signin,
  'container-answer': container,
  'imds-answer': imds,
  'json-credentials': jsonCredentials,
  xml: xmlTarget,
  'step-ca-answer': stepCaTarget,
  'vault-answer': vaultTarget,
  'est-answer': estTarget,
  jwt,
};
