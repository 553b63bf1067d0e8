import { describe, expect, it } from 'vitest';
import { processJson } from '../../src/output/process-json.ts';

const CREDENTIALS = {
  accessKeyId: 'ASIAEXAMPLE',
  secretAccessKey: 'secret/+"',
  sessionToken: 'token==',
  expiration: new Date('2026-01-02T03:04:05.999Z'),
};

describe('processJson', () => {
  it('prints exactly the contract on one line', () => {
    expect(processJson({ ...CREDENTIALS, accountId: '123456789012', assumedRoleArn: 'arn:aws:sts::1:x' })).toBe(
      '{"Version":1,"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"secret/+\\"","SessionToken":"token==",' +
        '"Expiration":"2026-01-02T03:04:05Z","AccountId":"123456789012"}\n',
    );
  });

  it('leaves out the account, and the line feed, when told to', () => {
    const credentials = { ...CREDENTIALS, accountId: '123456789012' };
    expect(processJson(credentials, { accountId: false })).toBe(processJson(CREDENTIALS));
    expect(processJson(credentials, { lineFeed: false })).toBe(processJson(credentials).trimEnd());
  });

  it('leaves out an account that is not known', () => {
    expect(Object.keys(JSON.parse(processJson(CREDENTIALS)) as object)).toEqual([
      'Version',
      'AccessKeyId',
      'SecretAccessKey',
      'SessionToken',
      'Expiration',
    ]);
  });
});
