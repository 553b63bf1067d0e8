import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signWithAccessKey, signingKey } from '../../src/signing/sigv4.ts';

const KEY = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const DATE = new Date('2015-08-30T12:36:00Z');

/** Vectors: AWS General Reference, "Examples of how to derive a signing key", and AWS's Signature Version 4 test suite. */
describe('signWithAccessKey', () => {
  it('derives the key of the published example', () => {
    const key = signingKey('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', {
      timestamp: '20120215T000000Z',
      region: 'us-east-1',
      service: 'iam',
    });
    expect(Buffer.from(key).toString('hex')).toBe('f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d');
  });

  it('signs get-vanilla of the test suite', () => {
    const request = { method: 'GET', url: new URL('https://example.amazonaws.com/'), headers: {}, body: '' };
    expect(signWithAccessKey(request, KEY, { region: 'us-east-1', service: 'service', date: DATE })).toEqual({
      host: 'example.amazonaws.com',
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    });
  });

  it('tells what it signs, stage by stage', () => {
    const stages: [string, string | undefined][] = [];
    const request = { method: 'GET', url: new URL('https://example.amazonaws.com/'), headers: {}, body: '' };
    signWithAccessKey(request, KEY, {
      region: 'us-east-1',
      service: 'service',
      date: DATE,
      onStage: (stage, text) => void stages.push([stage, text.split('\n')[0]]),
    });
    expect(stages).toEqual([
      ['canonical request', 'GET'],
      ['string to sign', 'AWS4-HMAC-SHA256'],
    ]);
  });

  it('signs post-x-www-form-urlencoded of the test suite', () => {
    const request = {
      method: 'POST',
      url: new URL('https://example.amazonaws.com/'),
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'Param1=value1',
    };
    expect(signWithAccessKey(request, KEY, { region: 'us-east-1', service: 'service', date: DATE })).toMatchObject({
      authorization: expect.stringMatching(
        /Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a$/,
      ) as string,
    });
  });

  it('signs as the signer of the AWS SDK does, whatever path, query, headers and body', async () => {
    const word = fc.string({ minLength: 1, maxLength: 12 });
    // The SDK's signer loses this one: it keeps the parameters as members of a plain object.
    const parameter = word.filter((name) => name !== '__proto__');
    const query = fc.dictionary(parameter, word, { maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(query, word, fc.option(word), async (parameters, body, token) => {
        const url = new URL('https://sts.eu-west-1.amazonaws.com/base/');
        url.search = new URLSearchParams(parameters).toString().replaceAll('+', '%20');
        const sessionToken = token === null ? undefined : Buffer.from(token).toString('base64');
        const key = { ...KEY, ...(sessionToken === undefined ? {} : { sessionToken }) };
        const context = { region: 'eu-west-1', service: 'sts', date: DATE };
        const headers = { 'content-type': 'text/plain' };
        const ours = signWithAccessKey({ method: 'POST', url, headers, body }, key, context);
        const signer = new SignatureV4({ credentials: key, ...context, sha256: Sha256, applyChecksum: false });
        const theirs = await signer.sign(
          {
            method: 'POST',
            protocol: 'https:',
            hostname: url.host,
            path: url.pathname,
            query: parameters,
            headers: { ...headers, host: url.host },
            body,
          },
          { signingDate: DATE },
        );
        expect(ours).toEqual(theirs.headers);
      }),
      { numRuns: 50 },
    );
  });
});
