import { describe, expect, it } from 'vitest';
import { readPem } from '../../src/x509/pem.ts';
import { pkiText } from '../support/pki.ts';
import { outcome, refusal, refusalCode } from '../support/refusal.ts';

const read = (text: string) => readPem(Buffer.from(text, 'latin1'), 'file x.pem');
const block = (label: string, body = 'AAEC') => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

describe('readPem accepts', () => {
  const one = [{ label: 'CERTIFICATE', headers: new Map(), der: Uint8Array.of(0, 1, 2) }];
  it.each([
    ['a plain block', block('CERTIFICATE')],
    ['text before, behind and a comment', `# mine\nCertificate:\n    Data: x\n${block('CERTIFICATE')}\nthe end`],
    ['CRLF line endings', block('CERTIFICATE').replaceAll('\n', '\r\n')],
    ['CR line endings', block('CERTIFICATE').replaceAll('\n', '\r')],
    ['no final line feed', block('CERTIFICATE').trimEnd()],
    ['a UTF-8 mark in front', `\xef\xbb\xbf${block('CERTIFICATE')}`],
    ['indented lines', block('CERTIFICATE').replaceAll(/^/gm, '    ')],
    ['white space at the ends of lines', block('CERTIFICATE').replaceAll('\n', ' \t\n')],
    ['base64 broken at odd places', block('CERTIFICATE', 'A\nAE\n\nC')],
    ['dashes within a line of text', `see -----BEGIN CERTIFICATE-----\n${block('CERTIFICATE')}`],
  ])('%s', (_name, text) => {
    expect(read(text)).toEqual(one);
  });

  it('several blocks in their order, with comments between', () => {
    const text = `${block('A', 'AQ==')}# note\n${block('B C-D', 'AQI=')}${block('A', 'AQID')}`;
    expect(read(text).map(({ label, der }) => [label, Buffer.from(der).toString('hex')])).toEqual([
      ['A', '01'],
      ['B C-D', '0102'],
      ['A', '010203'],
    ]);
  });

  it('the headers of a traditional encrypted key', () => {
    const body = 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0011\n\nAAEC';
    expect(read(block('RSA PRIVATE KEY', body))).toEqual([
      {
        label: 'RSA PRIVATE KEY',
        headers: new Map([
          ['Proc-Type', '4,ENCRYPTED'],
          ['DEK-Info', 'AES-128-CBC,0011'],
        ]),
        der: Uint8Array.of(0, 1, 2),
      },
    ]);
  });

  it('text without any block, as none', () => {
    expect(read('hello\n')).toEqual([]);
    expect(read('')).toEqual([]);
  });

  it('every byte value in base64 as Node writes it', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    for (let length = 1; length <= 256; length++) {
      const part = bytes.subarray(256 - length);
      expect(read(block('X', Buffer.from(part).toString('base64')))[0]?.der).toEqual(part);
    }
  });
});

describe('readPem refuses', () => {
  it.each([
    ['a block without END', 'ERR_PEM_TRUNCATED', '-----BEGIN X-----\nAAEC\n'],
    ['a BEGIN line alone', 'ERR_PEM_TRUNCATED', '-----BEGIN X-----'],
    ['a file that ends in a BEGIN line', 'ERR_PEM_TRUNCATED', '-----BEGIN X--'],
    ['a file that ends in an END line', 'ERR_PEM_TRUNCATED', '-----BEGIN X-----\nAAEC\n-----END X'],
    ['a block that begins within another', 'ERR_PEM_TRUNCATED', `-----BEGIN X-----\nAAEC\n${block('X')}`],
    ['an END line of another label', 'ERR_PEM_MALFORMED', '-----BEGIN X-----\nAAEC\n-----END Y-----\n'],
    ['an END line without BEGIN', 'ERR_PEM_MALFORMED', '-----END X-----\n'],
    ['a BEGIN line without a label', 'ERR_PEM_MALFORMED', '-----BEGIN -----\nAAEC\n-----END -----\n'],
    ['a BEGIN line with words behind it', 'ERR_PEM_MALFORMED', '-----BEGIN X----- y\nAAEC\n-----END X-----\n'],
    ['a BEGIN line of a thousand bytes', 'ERR_PEM_MALFORMED', block('X'.repeat(1000))],
    ['a block with nothing in it', 'ERR_PEM_MALFORMED', '-----BEGIN X-----\n-----END X-----\n'],
    ['a foreign character', 'ERR_PEM_MALFORMED', block('X', 'AA*C')],
    ['the alphabet of URLs', 'ERR_PEM_MALFORMED', block('X', 'AA_-')],
    ['an incomplete group', 'ERR_PEM_MALFORMED', block('X', 'AAECA')],
    ['missing padding', 'ERR_PEM_MALFORMED', block('X', 'AQ')],
    ['too much padding', 'ERR_PEM_MALFORMED', block('X', 'AQ=====')],
    ['padding alone', 'ERR_PEM_MALFORMED', block('X', '====')],
    ['padding in the middle', 'ERR_PEM_MALFORMED', block('X', 'AQ==AQ==')],
    ['bits behind the last byte', 'ERR_PEM_MALFORMED', block('X', 'AR==')],
    ['a header after the body began', 'ERR_PEM_MALFORMED', block('X', 'AAEC\nName: value')],
    ['headers without a body', 'ERR_PEM_MALFORMED', block('X', 'Name: value\n')],
    ['too many headers', 'ERR_PEM_MALFORMED', block('X', Array.from({ length: 17 }, (_, i) => `N${i}: v`).join('\n'))],
    ['too many blocks', 'ERR_PEM_MALFORMED', block('X').repeat(257)],
  ])('%s', async (_name, code, text) => {
    expect(await refusalCode(() => read(text))).toBe(code);
  });

  it('with the file, the line and what to do', async () => {
    const error = await refusal(() => read('# one\n\n-----BEGIN X-----\nAAEC\n'));
    expect(error.message).toBe('file x.pem, line 4: the X that begins in line 3 has no END line');
    expect(error.hint).toBeTruthy();
  });

  it('without a label that may be part of a key', async () => {
    const text = '-----BEGIN PRIVATE KEY-----\nAAEC\n-----END PRIVATE AAECAwQFBgcIkey KEY-----\n';
    expect((await refusal(() => read(text))).message).toBe(
      'file x.pem, line 3: PRIVATE KEY of line 1 is closed by the END line of another kind',
    );
    const begun = await refusal(() => read('-----BEGIN AAECAwQFBgcIkey KEY-----\nAAEC\n'));
    expect(begun.message).toBe('file x.pem, line 2: the block that begins in line 1 has no END line');
  });

  it('a file cut at any byte, or reads what is whole', () => {
    const text = pkiText('ec-p256.combined.pem');
    const whole = read(text);
    for (let length = 0; length < text.length; length++) {
      const cut = text.slice(0, length);
      const complete = whole.slice(0, cut.match(/^-----END .*-----$/gm)?.length ?? 0);
      expect([{ value: complete }, { code: 'ERR_PEM_TRUNCATED' }]).toContainEqual(outcome(() => read(cut)));
    }
  });
});
