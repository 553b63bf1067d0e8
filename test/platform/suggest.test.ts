import { expect, it } from 'vitest';
import { nearest } from '../../src/platform/suggest.ts';

const NAMES = ['certificate', 'cert-selector', 'private-key', 'role-arn', 'region', 'port', 'debug'];

it.each([
  ['certificat', 'certificate'],
  ['certifciate', 'certificate'],
  ['cretificate', 'certificate'],
  ['privatekey', 'private-key'],
  ['rolearn', 'role-arn'],
  ['regoin', 'region'],
  ['certif', 'certificate'],
  ['priv', 'private-key'],
  ['debg', 'debug'],
])('%s was meant to be %s', (word, expected) => {
  expect(nearest(word, NAMES)).toBe(expected);
});

it.each(['', 'x', 'po', 'xyz', 'cert', 'something-else', 'password', 'e'.repeat(10_000_000)])(
  'nothing is near %.20s',
  (word) => {
    expect(nearest(word, NAMES)).toBeUndefined();
  },
);

it('of none, none is the nearest', () => {
  expect(nearest('word', [])).toBeUndefined();
});
