/** A scripted STS: what it is sent, whether the signature is right by another implementation, and what it answers. */
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { type ScriptedServer, scriptedServer } from './scripted-server.ts';

export interface StsCall {
  /** Of the form, decoded, in the order in which they were sent. */
  readonly parameters: Readonly<Record<string, string>>;
  /** The access key id, and whether the signature is the one that @smithy/signature-v4 makes; undefined: not signed. */
  readonly signedBy: { readonly accessKeyId: string; readonly valid: boolean; readonly scope: string } | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** What a call is answered with; default: credentials of the role that was asked for. */
export type StsAnswer =
  | { status: number; code: string; message: string; date?: string }
  | { body: string }
  | 'cut'
  | undefined;

export interface ScriptedSts {
  readonly url: string;
  readonly calls: readonly StsCall[];
  /** Secrets by access key id; those that it vends are added. */
  readonly secrets: Map<string, { secretAccessKey: string; sessionToken?: string }>;
  /** Decides about each call. May be changed at any time. */
  answer: (call: StsCall, index: number) => StsAnswer | Promise<StsAnswer>;
  /** Life of what it vends, in milliseconds. Default: DurationSeconds, or an hour. */
  lifeMs: number | undefined;
  close(): Promise<void>;
}

export const SOURCE = {
  accessKeyId: 'AKIAEXAMPLEEXAMPLE00',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
} as const;

export async function scriptedSts(): Promise<ScriptedSts> {
  const calls: StsCall[] = [];
  const server: ScriptedServer = await scriptedServer((response, request, body) => {
    // Tests move the clock of the client, not that of this process.
    response.sendDate = false;
    void (async () => {
      const parameters = Object.fromEntries(new URLSearchParams(body));
      const call: StsCall = {
        parameters,
        headers: request.headers,
        signedBy: await checkSignature(request.headers, request.url ?? '/', body, sts.secrets),
      };
      const index = calls.push(call) - 1;
      const scripted = await sts.answer(call, index);
      if (scripted === 'cut') return void request.socket.destroy();
      if (scripted !== undefined && 'status' in scripted) {
        if (scripted.date !== undefined) response.setHeader('date', scripted.date);
        response.writeHead(scripted.status, { 'content-type': 'text/xml' });
        return void response.end(errorXml(scripted.code, scripted.message));
      }
      response.writeHead(200, { 'content-type': 'text/xml' });
      return void response.end(scripted?.body ?? vended(sts, parameters, index));
    })();
  });
  const sts: ScriptedSts = {
    url: server.url,
    calls,
    secrets: new Map([[SOURCE.accessKeyId, { secretAccessKey: SOURCE.secretAccessKey }]]),
    answer: () => undefined,
    lifeMs: undefined,
    close: () => server.close(),
  };
  return sts;
}

function vended(sts: ScriptedSts, parameters: Readonly<Record<string, string>>, index: number): string {
  const action = parameters['Action'] ?? '';
  const accessKeyId = `ASIA${String(index).padStart(16, '0')}`;
  const secret = { secretAccessKey: `secret/${index}+=`, sessionToken: `token/${index}+==` };
  sts.secrets.set(accessKeyId, secret);
  const [, , , , account, role] = (parameters['RoleArn'] ?? '').split(':');
  const name = role?.split('/').at(-1) ?? '';
  const lifeMs = sts.lifeMs ?? Number(parameters['DurationSeconds'] ?? 3600) * 1000;
  const web =
    action === 'AssumeRoleWithWebIdentity'
      ? '<SubjectFromWebIdentityToken>alice</SubjectFromWebIdentityToken><Provider>https://idp.test</Provider><Audience>sts</Audience>'
      : '';
  return `<?xml version="1.0"?>
<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <${action}Result>
    <AssumedRoleUser>
      <AssumedRoleId>AROAEXAMPLE:${parameters['RoleSessionName']}</AssumedRoleId>
      <Arn>arn:aws:sts::${account}:assumed-role/${name}/${parameters['RoleSessionName']}</Arn>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>${accessKeyId}</AccessKeyId>
      <SecretAccessKey>${secret.secretAccessKey}</SecretAccessKey>
      <SessionToken>${secret.sessionToken}</SessionToken>
      <Expiration>${new Date(Date.now() + lifeMs).toISOString()}</Expiration>
    </Credentials>
    <PackedPolicySize>8</PackedPolicySize>
    ${parameters['SourceIdentity'] === undefined ? '' : `<SourceIdentity>${parameters['SourceIdentity']}</SourceIdentity>`}${web}
  </${action}Result>
  <ResponseMetadata><RequestId>11111111-2222-3333-4444-555555555555</RequestId></ResponseMetadata>
</${action}Response>`;
}

export function errorXml(code: string, message: string): string {
  const escaped = message.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${escaped}</Message></Error><RequestId>request-7</RequestId></ErrorResponse>`;
}

/** Signs the request that arrived once more, with the SDK's signer, and compares. */
async function checkSignature(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  path: string,
  body: string,
  secrets: ScriptedSts['secrets'],
): Promise<StsCall['signedBy']> {
  const { authorization } = headers;
  if (typeof authorization !== 'string') return undefined;
  const [, accessKeyId = '', scope = '', names = '', signature = ''] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      authorization,
    ) ?? [];
  const secret = secrets.get(accessKeyId);
  const [, region = '', service = ''] = scope.split('/');
  if (secret === undefined) return { accessKeyId, valid: false, scope };
  const signed = Object.fromEntries(names.split(';').map((name) => [name, String(headers[name])]));
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(signed['x-amz-date'] ?? '') ?? [];
  delete signed['x-amz-date'];
  if (secret.sessionToken !== undefined && signed['x-amz-security-token'] !== secret.sessionToken)
    return { accessKeyId, valid: false, scope };
  delete signed['x-amz-security-token'];
  const signer = new SignatureV4({
    credentials: { accessKeyId, ...secret },
    region,
    service,
    sha256: Sha256,
    applyChecksum: false,
  });
  const again = await signer.sign(
    { method: 'POST', protocol: 'http:', hostname: '127.0.0.1', path, headers: signed, body },
    { signingDate: new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) },
  );
  return { accessKeyId, scope, valid: again.headers['authorization']?.endsWith(`Signature=${signature}`) === true };
}
