/**
 * An EST server for tests, written for them and strict to RFC 7030 where servers are: there is none to install here.
 * `simplereenroll` takes mutual TLS with the certificate that was issued last and nothing else (sections 3.3.2 and 4.2.2),
 * compares subject and alternative names of the request with it byte by byte, verifies the request's own signature, wants
 * `application/pkcs10` in base64, and answers base64 in lines with CRLF, of the issued certificate alone. `simpleenroll`
 * takes HTTP Basic. `cacerts` gives the chain to anybody.
 */
import { x509 } from '../../../src/platform/x509-library.ts';
import { type TestCa, type Twist, sign } from './ca.ts';
import { certsOnly } from './pkcs7.ts';
import { type Asked, type Answered, type TestServer, startHttps } from './https.ts';

const SUBJECT_ALT_NAME = '2.5.29.17';

export interface EstServer extends TestServer {
  /** What it was asked, in order. */
  readonly asked: Asked[];
  /** DER of the certificate that may renew; undefined takes any that the CA has issued. */
  current: Buffer | undefined;
  /** What is different from what was asked for. */
  twist: Twist;
  /** An answer in place of its own, for enrolments; `never` for none. */
  instead: Answered | 'never' | undefined;
  /** Whether `simplereenroll` takes HTTP Basic in place of a certificate (section 3.2.3). */
  basic: boolean;
}

export const PASSWORD = 'web:a password';

export async function startEst(ca: TestCa): Promise<EstServer> {
  const asked: Asked[] = [];
  const enrol = async (request: Asked): Promise<Answered | undefined> => {
    const again = request.path.endsWith('/simplereenroll');
    if (request.method !== 'POST') return refuse(405, 'POST');
    if (request.headers['content-type'] !== 'application/pkcs10') return refuse(415, 'application/pkcs10');
    if (request.headers['content-transfer-encoding'] !== 'base64') return refuse(400, 'base64');
    if (!/^(?:[A-Za-z0-9+/=]{1,76}\r\n)+$/.test(request.body)) return refuse(400, 'lines of base64 with CRLF');
    const byCertificate =
      request.client !== undefined && (server.current === undefined || server.current.equals(request.client));
    if (!(again && byCertificate) && !((!again || server.basic) && isPassword(request)))
      return refuse(401, 'who are you?');
    const der = Buffer.from(request.body, 'base64');
    const csr = new x509.Pkcs10CertificateRequest(der);
    if (!(await csr.verify())) return refuse(400, 'the signature of the request is wrong');
    if (again && request.client !== undefined) {
      const old = new x509.X509Certificate(request.client);
      const names = (extensions: readonly x509.Extension[]): string =>
        Buffer.from(extensions.find(({ type }) => type === SUBJECT_ALT_NAME)?.value ?? new ArrayBuffer(0)).toString(
          'hex',
        );
      const same =
        Buffer.from(old.subjectName.toArrayBuffer()).equals(Buffer.from(csr.subjectName.toArrayBuffer())) &&
        names(old.extensions) === names(csr.extensions);
      if (!same) return refuse(400, 'subject or subjectAltName differ from those of the certificate');
    }
    if (server.instead === 'never') return undefined;
    if (server.instead !== undefined) return server.instead;
    const issued = await sign(ca, der, server.twist);
    server.current = Buffer.from(issued.rawData);
    return certificates(issued.rawData);
  };
  const listening = await startHttps(ca, async (request) => {
    asked.push(request);
    switch (request.path) {
      case '/.well-known/est/cacerts':
      case '/.well-known/est/devices/cacerts':
        return certificates(ca.root.certificate.rawData, ca.intermediate.certificate.rawData);
      case '/.well-known/est/simpleenroll':
      case '/.well-known/est/simplereenroll':
      case '/.well-known/est/devices/simplereenroll':
        return await enrol(request);
      default:
        return refuse(404, 'no such path');
    }
  });
  const server: EstServer = { ...listening, asked, current: undefined, twist: {}, instead: undefined, basic: false };
  return server;
}

function isPassword({ headers }: Asked): boolean {
  return headers.authorization === `Basic ${Buffer.from(PASSWORD).toString('base64')}`;
}

function refuse(status: number, text: string): Answered {
  const challenge = status === 401 ? { 'www-authenticate': 'Basic realm="est"' } : {};
  return { status, headers: { 'content-type': 'text/plain', ...challenge }, body: text };
}

function certificates(...ders: ArrayBuffer[]): Answered {
  return {
    status: 200,
    headers: {
      'content-type': 'application/pkcs7-mime; smime-type=certs-only',
      'content-transfer-encoding': 'base64',
    },
    body: certsOnly(ders.map((der) => new Uint8Array(der)))
      .toString('base64')
      .replaceAll(/.{1,64}/g, '$&\r\n'),
  };
}
