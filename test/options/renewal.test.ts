import { describe, expect, it } from 'vitest';
import { renewalSettings } from '../../src/options/renewal.ts';

const wordsOf = (line: string): unknown => renewalSettings({ 'renew-command': line }).from;

describe('--renew-from', () => {
  it.each([
    ['step-ca:https://ca.example:9000', 'step-ca'],
    ['est:https://est.example', 'est'],
    ['est:https://est.example/.well-known/est/devices', 'est'],
    ['vault:https://vault.example:8200/v1/pki/sign/web', 'vault'],
    ['vault:http://127.0.0.1:8200/v1/team/pki/sign-verbatim', 'vault'],
  ])('takes %s', (from, kind) => {
    expect(renewalSettings({ 'renew-from': from, 'renew-token-file': 'token' }).from).toMatchObject({ kind });
  });

  it.each([
    'https://ca.example',
    'step-ca:',
    'step-ca:ca.example',
    'step-ca:http://ca.example',
    'step-ca:ftp://ca.example',
    'est:https://user:secret@est.example',
    'acme:https://acme.example',
    'vault:https://vault.example:8200',
    'vault:https://vault.example:8200/v1/secret/data/x',
    'est:https://est.example/?x=1',
  ])('refuses %s, and shows no password', (from) => {
    expect(() => renewalSettings({ 'renew-from': from, 'renew-token-file': 'token' })).toThrow(
      expect.objectContaining({
        code: 'ERR_FLAG_VALUE',
        flag: '--renew-from',
        message: expect.not.stringContaining('secret@'),
      }),
    );
  });

  it('wants a token for Vault, unless the certificate logs in', () => {
    const from = 'vault:https://vault.example/v1/pki/sign/web';
    expect(() => renewalSettings({ 'renew-from': from })).toThrow(
      expect.objectContaining({ code: 'ERR_FLAG_REQUIRED' }),
    );
    expect(renewalSettings({ 'renew-from': from, 'renew-auth': 'cert' }).auth).toEqual({
      method: 'cert',
      mount: undefined,
    });
    expect(renewalSettings({ 'renew-from': from, 'renew-auth': 'approle:team', 'renew-token-file': 't' }).auth).toEqual(
      {
        method: 'approle',
        mount: 'team',
      },
    );
    expect(() => renewalSettings({ 'renew-from': from, 'renew-auth': 'ldap' })).toThrow(
      expect.objectContaining({ code: 'ERR_FLAG_VALUE' }),
    );
  });

  it('takes a fingerprint for step-ca alone, and not beside roots', () => {
    const from = 'step-ca:https://ca.example';
    const fingerprint = 'AB:'.repeat(31) + 'CD';
    expect(renewalSettings({ 'renew-from': from, 'renew-ca-fingerprint': fingerprint }).fingerprint).toBe(
      'ab'.repeat(31) + 'cd',
    );
    const refused = [
      { 'renew-from': from, 'renew-ca-fingerprint': 'abc' },
      { 'renew-from': from, 'renew-ca-fingerprint': fingerprint, 'renew-ca': 'root.pem' },
      { 'renew-from': 'est:https://est.example', 'renew-ca-fingerprint': fingerprint },
      { 'renew-from': from, 'renew-command': 'true' },
      { 'renew-from': from, 'renew-auth': 'cert' },
    ];
    for (const flags of refused)
      expect(() => renewalSettings(flags)).toThrow(expect.objectContaining({ class: 'usage' }));
  });
});

describe('--renew-command', () => {
  it.each([
    ['step ca renew {certificate}', ['step', 'ca', 'renew', '{certificate}']],
    [`sh -c 'echo "$HOME" | cat'`, ['sh', '-c', 'echo "$HOME" | cat']],
    [String.raw`a "b c"d\ e "f\"g" ''`, ['a', 'b cd e', 'f"g', '']],
    [String.raw`  "\n"  `, [String.raw`\n`]],
  ])('%s is taken apart', (line, words) => {
    expect(wordsOf(line)).toEqual({ kind: 'command', words });
  });

  it.each([' ', `'open`, '"open', '\\', `''`])('%j is no command', (line) => {
    expect(() => wordsOf(line)).toThrow(expect.objectContaining({ code: 'ERR_FLAG_VALUE' }));
  });
});
