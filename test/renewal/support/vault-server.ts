/**
 * A Vault for tests, written for them and strict to Vault's API documentation where Vault is: there is none to install here.
 * It takes POST of JSON with `X-Vault-Request`, a token that is alive in `X-Vault-Token`, logins by AppRole and by mutual
 * TLS at `auth/cert/login`, and answers errors as `{"errors": [...]}`. `sign/web` takes names from the request or, when
 * it has none, from the parameters; `sign-verbatim` signs what is asked for.
 */
import { randomBytes } from 'node:crypto';
import { x509 } from '../../../src/platform/x509-library.ts';
import { type TestCa, type Twist, sign } from './ca.ts';
import { type Answered, type Asked, type TestServer, startHttps } from './https.ts';

export interface VaultServer extends TestServer {
  readonly asked: Asked[];
  /** Tokens that are alive. */
  readonly tokens: Set<string>;
  twist: Twist;
  instead: Answered | 'never' | undefined;
}

export const TOKEN = 'hvs.of-the-test-0123456789';
export const APP_ROLE = { role_id: 'a-role', secret_id: 'a:secret' };

export async function startVault(ca: TestCa): Promise<VaultServer> {
  const asked: Asked[] = [];
  const tokens = new Set([TOKEN]);
  const logIn = (): Answered => {
    const token = `hvs.${randomBytes(12).toString('hex')}`;
    tokens.add(token);
    return json(200, { auth: { client_token: token, lease_duration: 60, renewable: true } });
  };
  const signFor = async (parameters: Readonly<Record<string, unknown>>): Promise<Answered | undefined> => {
    if (server.instead === 'never') return undefined;
    if (server.instead !== undefined) return server.instead;
    if (typeof parameters['csr'] !== 'string') return refuse(400, '"csr" is empty');
    const request = new x509.Pkcs10CertificateRequest(parameters['csr']);
    if (!(await request.verify())) return refuse(400, 'request signature invalid');
    if (!request.subject.includes('CN=') && parameters['common_name'] === undefined)
      return refuse(
        400,
        'the common_name field is required, or must be provided in a CSR with "use_csr_common_name" set to true, unless "require_cn" is set to false',
      );
    const issued = await sign(ca, new Uint8Array(request.rawData), server.twist);
    return json(200, {
      request_id: 'a-request',
      data: {
        certificate: issued.toString('pem'),
        issuing_ca: ca.intermediate.certificate.toString('pem'),
        ca_chain: [ca.intermediate.certificate.toString('pem'), ca.root.certificate.toString('pem')],
        serial_number: issued.serialNumber,
        expiration: Math.floor(issued.notAfter.getTime() / 1000),
      },
    });
  };
  const listening = await startHttps(ca, async (request) => {
    asked.push(request);
    const { method, path, headers, body } = request;
    if (method !== 'POST' && method !== 'PUT') return refuse(405, 'unsupported operation');
    if (headers['x-vault-request'] !== 'true') return refuse(412, 'missing X-Vault-Request header');
    const parameters = JSON.parse(body) as Readonly<Record<string, unknown>>;
    if (path === '/v1/auth/approle/login')
      return parameters['role_id'] === APP_ROLE.role_id && parameters['secret_id'] === APP_ROLE.secret_id
        ? logIn()
        : refuse(400, 'invalid role or secret ID');
    if (path === '/v1/auth/cert/login')
      return request.client === undefined ? refuse(400, 'client certificate must be supplied') : logIn();
    const token = headers['x-vault-token'];
    if (typeof token !== 'string' || !tokens.has(token)) return refuse(403, 'permission denied');
    if (path === '/v1/auth/token/revoke-self') {
      tokens.delete(token);
      return { status: 204 };
    }
    if (path === '/v1/pki/sign/web' || path === '/v1/pki/sign-verbatim/web') return await signFor(parameters);
    return refuse(404, 'no handler for route');
  });
  const server: VaultServer = { ...listening, asked, tokens, twist: {}, instead: undefined };
  return server;
}

function json(status: number, body: unknown): Answered {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

function refuse(status: number, ...errors: string[]): Answered {
  return json(status, { errors });
}
