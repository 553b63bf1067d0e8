import { describe, expect, it } from 'vitest';
import type { HttpRequest } from '../../src/http/http.ts';
import { isPlainRequest, requestBytes } from '../../src/http/request-bytes.ts';

const REQUEST: HttpRequest = {
  method: 'POST',
  url: new URL('http://h.test:8080/a%20b?q=%2F'),
  headers: { 'x-amz-date': 'D' },
  body: 'é',
  timeoutMs: 1,
  maxResponseBytes: 1,
};

describe('requestBytes', () => {
  it('writes the line, Host, the fields, the length in bytes and the body', () => {
    expect(Buffer.from(requestBytes(REQUEST)).toString()).toBe(
      'POST /a%20b?q=%2F HTTP/1.1\r\nhost: h.test:8080\r\nx-amz-date: D\r\ncontent-length: 2\r\nconnection: close\r\n\r\né',
    );
  });

  it('writes no length without a body, and Host as it is given', () => {
    const request: HttpRequest = { ...REQUEST, method: 'GET', headers: { host: 'other.test' }, body: undefined };
    expect(Buffer.from(requestBytes(request)).toString()).toBe(
      'GET /a%20b?q=%2F HTTP/1.1\r\nhost: other.test\r\nconnection: close\r\n\r\n',
    );
  });
});

describe('isPlainRequest', () => {
  it.each<[string, Record<string, string>]>([
    ['no field', {}],
    [
      'fields of visible ASCII with blanks',
      { authorization: 'AWS4-X509-RSA-SHA256 Credential=1/2, SignedHeaders=a;b' },
    ],
    ['an empty value', { 'x-empty': '' }],
    ['Host', { host: 'h.test' }],
  ])('lets %s be written', (_name, headers) => {
    expect(isPlainRequest({ ...REQUEST, headers })).toBe(true);
  });

  it.each<[string, Record<string, string>]>([
    ['a line end in a value', { a: 'b\r\nc: d' }],
    ['a line feed alone', { a: 'b\nc' }],
    ['a control character', { a: 'b\u0000' }],
    ['what is not ASCII', { a: 'é' }],
    ['a name with a blank', { 'a b': 'c' }],
    ['a name with a colon', { 'a:b': 'c' }],
    ['an empty name', { '': 'c' }],
    ['a second Host by its case', { Host: 'h.test' }],
    ['a length of its own', { 'Content-Length': '3' }],
    ['a transfer coding', { 'transfer-encoding': 'chunked' }],
    ['Expect', { expect: '100-continue' }],
  ])('does not let %s be written', (_name, headers) => {
    expect(isPlainRequest({ ...REQUEST, headers })).toBe(false);
  });
});
