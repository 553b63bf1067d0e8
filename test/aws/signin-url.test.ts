import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { directTransport } from '../../src/http/direct.ts';
import { signinUrl } from '../../src/aws/signin-url.ts';
import type { Connection } from '../../src/aws/connection.ts';
import type { SigninUrlRequest } from '../../src/aws/signin-url.ts';
import { refusal } from '../support/refusal.ts';
import { type Answer, type ScriptedServer, scriptedServer } from '../support/scripted-server.ts';

const CREDENTIALS = { accessKeyId: 'ASIAX', secretAccessKey: 'VERY/SECRET+', sessionToken: 'VERYSECRETTOKEN==' };

let server: ScriptedServer;
let answer: Answer;
beforeEach(async () => {
  answer = (response) => response.end('{"SigninToken":"sign+in/token"}');
  server = await scriptedServer((response, request, body) => answer(response, request, body));
});
afterEach(() => server.close());

type Extra = Partial<SigninUrlRequest & Connection>;

/** A request, and the connection to the scripted endpoint. */
function options(extra: Extra = {}): [SigninUrlRequest, Connection] {
  const connection = {
    endpoints: { signin: new URL(server.url) },
    transport: directTransport,
    sleep: () => Promise.resolve(),
  };
  return [
    { credentials: CREDENTIALS, ...extra },
    { ...connection, ...extra },
  ];
}

async function destinationOf(extra: Extra): Promise<string | null> {
  return new URL(await signinUrl(...options(extra))).searchParams.get('Destination');
}

describe('signinUrl', () => {
  it('gets a token for the credentials, in the body, and makes a URL of it', async () => {
    const url = new URL(await signinUrl(...options({ issuer: 'https://corp.test/?a=b' })));
    expect(server.requests.map(({ method, url: target }) => `${method} ${target}`)).toEqual(['POST /federation']);
    const form = new URLSearchParams(server.requests[0]?.body);
    expect([...form.keys()].toSorted()).toEqual(['Action', 'Session']);
    expect(form.get('Action')).toBe('getSigninToken');
    expect(JSON.parse(form.get('Session') ?? '')).toEqual({
      sessionId: 'ASIAX',
      sessionKey: 'VERY/SECRET+',
      sessionToken: 'VERYSECRETTOKEN==',
    });
    expect(url.origin + url.pathname).toBe(`${server.url}/federation`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      Action: 'login',
      Destination: 'https://console.aws.amazon.com/console/home',
      Issuer: 'https://corp.test/?a=b',
      SigninToken: 'sign+in/token',
    });
  });

  it('asks for a duration only when one is given', async () => {
    await signinUrl(...options({ sessionDuration: 43_200 }));
    expect(new URLSearchParams(server.requests[0]?.body).get('SessionDuration')).toBe('43200');
  });

  it.each<[string, Extra, string]>([
    ['a URL as it is', { destination: 'https://example.com/a?b=c#d' }, 'https://example.com/a?b=c#d'],
    ['the short name of a service', { destination: 's3' }, 'https://console.aws.amazon.com/s3/home'],
    ['a path', { destination: 's3/buckets/x?tab=y' }, 'https://console.aws.amazon.com/s3/buckets/x?tab=y'],
    [
      'a region',
      { destination: 'ec2', region: 'eu-west-1' },
      'https://console.aws.amazon.com/ec2/home?region=eu-west-1',
    ],
    ['China', { partition: 'aws-cn' }, 'https://console.amazonaws.cn/console/home'],
    ['GovCloud', { partition: 'aws-us-gov', destination: 's3' }, 'https://console.amazonaws-us-gov.com/s3/home'],
  ])('goes to %s', async (_, extra, destination) => {
    expect(await destinationOf(extra)).toBe(destination);
  });

  it.each([
    ['aws', 'https://signin.aws.amazon.com/federation'],
    ['aws-cn', 'https://signin.amazonaws.cn/federation'],
    ['aws-us-gov', 'https://signin.amazonaws-us-gov.com/federation'],
  ])('asks in partition %s at %s', async (partition, expected) => {
    let asked = '';
    const transport: Connection['transport'] = (request) => {
      asked = request.url.href;
      return directTransport({ ...request, url: new URL('/federation', server.url) });
    };
    const url = await signinUrl(...options({ partition, endpoints: undefined, transport }));
    expect(asked).toBe(expected);
    expect(url.startsWith(`${expected}?Action=login&`)).toBe(true);
  });

  it.each<[string, string, Extra]>([
    ['899 seconds', 'ERR_DURATION', { sessionDuration: 899 }],
    ['43201 seconds', 'ERR_DURATION', { sessionDuration: 43_201 }],
    ['a key of a user', 'ERR_SOURCE_CREDENTIALS', { credentials: { accessKeyId: 'AKIA', secretAccessKey: 's' } }],
    ['a console that is not known', 'ERR_ENDPOINT', { partition: 'aws-iso' }],
    ['an endpoint that is not known', 'ERR_ENDPOINT', { partition: 'aws-iso', endpoints: undefined }],
    ['plain http to another machine', 'ERR_ENDPOINT', { endpoints: { signin: new URL('http://signin.test') } }],
    ['a destination that is none', 'ERR_ENDPOINT', { destination: '//evil.test' }],
    ['a destination of another kind', 'ERR_ENDPOINT', { destination: 'javascript:alert(1)' }],
  ])('refuses %s before anything is sent', async (_, code, extra) => {
    expect((await refusal(() => signinUrl(...options(extra)))).code).toBe(code);
    expect(server.requests).toHaveLength(0);
  });

  it.each<[number, string, number]>([
    [400, 'ERR_SERVICE_REFUSED', 1],
    [302, 'ERR_RESPONSE_INVALID', 1],
    [503, 'ERR_SERVICE_FAILED', 3],
    [429, 'ERR_THROTTLED', 3],
  ])('says what status %i means, and shows no secret', async (status, code, tries) => {
    answer = (response, _request, body) => {
      response.writeHead(status);
      response.end(body);
    };
    const error = await refusal(() => signinUrl(...options({ sessionDuration: 3600, retry: { attempts: 3 } })));
    expect(error.code).toBe(code);
    expect(`${error.message} ${error.hint} ${String(error.cause)}`).not.toMatch(/VERY/);
    expect(server.requests).toHaveLength(tries);
  });

  it.each(['', '[]', '{"SigninToken":""}', '{"SigninToken":"a b"}', '{"SigninToken":7}'])(
    'refuses %j as an answer',
    async (body) => {
      answer = (response) => response.end(body);
      expect((await refusal(() => signinUrl(...options()))).code).toBe('ERR_RESPONSE_INVALID');
    },
  );
});
