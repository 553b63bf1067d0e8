/**
 * CreateSession requests made apart from this project's signing code: what is
 * signed is spelt out here, for tests to bend each part of it before it is
 * signed, or of the message after that.
 */
import { createHash, sign } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { ARNS, type Client } from './world.ts';

export interface Message {
  method: string;
  path: string;
  query: string;
  headers: [name: string, value: string][];
  body: string;
}

/** What goes under the signature. Headers are those of the message, unless they are told apart. */
export interface Draft extends Message {
  algorithm: string;
  serial: string;
  scopeDate: string;
  region: string;
  service: string;
  /** Names in the order in which they are signed. */
  signedHeaders: string[];
}

export interface Reply {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
}

/** A header's value in a message that has it once. */
export function header(message: Message, name: string): string {
  return message.headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1] ?? '';
}

/** Replaces the value of a header. */
export function setHeader(message: Message, name: string, change: (value: string) => string): void {
  message.headers = message.headers.map(([own, value]) => [own, own.toLowerCase() === name ? change(value) : value]);
}

function base64(certificate: Client['certificate']): string {
  return Buffer.from(certificate.rawData).toString('base64');
}

/** A good request, with the ARNs in the query. */
export function draft(
  { certificate, key }: Client,
  endpoint: string,
  { now, chain = [] }: { now: Date; chain?: readonly Client['certificate'][] },
): Draft {
  const date = now.toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const headers: Message['headers'] = [
    ['Content-Type', 'application/json'],
    ['Host', new URL(endpoint).host],
    ['X-Amz-Date', date],
    ['X-Amz-X509', base64(certificate)],
  ];
  if (chain.length > 0) headers.push(['X-Amz-X509-Chain', chain.map(base64).join(',')]);
  return {
    method: 'POST',
    path: '/sessions',
    query: ['profileArn', 'roleArn', 'trustAnchorArn']
      .map((name) => `${name}=${encodeURIComponent(ARNS[name as keyof typeof ARNS])}`)
      .join('&'),
    headers,
    body: '{"durationSeconds":3600}',
    algorithm: key.asymmetricKeyType === 'rsa' ? 'AWS4-X509-RSA-SHA256' : 'AWS4-X509-ECDSA-SHA256',
    serial: BigInt(`0x${certificate.serialNumber}`).toString(),
    scopeDate: date.slice(0, 8),
    region: 'us-east-1',
    service: 'rolesanywhere',
    signedHeaders: headers.map(([name]) => name.toLowerCase()),
  };
}

/** Signs a draft with the client's key. */
export function signed(from: Draft, { key }: Client): Message {
  const { method, path, query, body, algorithm, serial, scopeDate, region, service, signedHeaders } = from;
  const scope = `${scopeDate}/${region}/${service}/aws4_request`;
  const names = signedHeaders.join(';');
  const lines = signedHeaders.map((name) => `${name}:${header(from, name)}\n`).join('');
  const canonical = `${method}\n${path}\n${query}\n${lines}\n${names}\n${sha256(body)}`;
  const toSign = `${algorithm}\n${header(from, 'x-amz-date')}\n${scope}\n${sha256(canonical)}`;
  const signature = sign('sha256', Buffer.from(toSign), key).toString('hex');
  const authorization = `${algorithm} Credential=${serial}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  const headers: Message['headers'] = [...from.headers, ['Authorization', authorization]];
  return { method, path, query, headers, body };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Sends a message byte for byte. */
export function send(endpoint: string, { method, path, query, headers, body }: Message): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const url = new URL(endpoint);
    const request = httpRequest(
      {
        host: url.hostname,
        port: url.port,
        method,
        path: query === '' ? path : `${path}?${query}`,
        headers: [...headers, ['Content-Length', String(Buffer.byteLength(body))]].flat(),
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

/** Flips the lowest bit of the last hexadecimal digit. */
export function flipLastDigit(hex: string): string {
  return hex.slice(0, -1) + (Number.parseInt(hex.slice(-1), 16) ^ 1).toString(16);
}

/** Changes the Authorization header of a message; a change that changes nothing is a mistake of the test. */
export function editAuthorization(pattern: RegExp, replacement: string | ((match: string) => string)) {
  return (message: Message): void =>
    setHeader(message, 'authorization', (value) => {
      const edited = value.replace(pattern, replacement as string);
      if (edited === value) throw new Error(`${String(pattern)} changes nothing in ${value}`);
      return edited;
    });
}
