import { describe, expect, it } from 'vitest';
import { leaksIn, secretsIn, secretsOf } from './capture.ts';

describe('the checker of captured output', () => {
  it('finds a secret key and a session token that a program printed as its result', () => {
    const result = '{"Version":1,"SecretAccessKey":"aaaa/bbbb+CCCC","SessionToken":"IQoJb3JpZ2luX2VjE=="}\n';
    expect(secretsOf(result)).toEqual(['aaaa/bbbb+CCCC', 'IQoJb3JpZ2luX2VjE==']);
    expect(leaksIn('debug: header x-amz-security-token: IQoJb3JpZ2luX2VjE==\n', secretsOf(result))).toEqual([
      'debug: header x-amz-security-token: <<a secret of 19 characters>>\n',
    ]);
    expect(leaksIn('debug: header x-amz-security-token: <redacted>\n', secretsOf(result))).toEqual([]);
  });

  it.each([
    [['--pkcs8-password', 'correct horse'], {}, ['correct horse']],
    [['--pkcs12-password=correct horse'], {}, ['correct horse']],
    [[], { ROLES_ANYWHERE_PKCS12_PASSWORD: 'Tr0ub4dor' }, ['Tr0ub4dor']],
    [['--proxy', 'http://user:p%40ssw0rd@proxy:1'], {}, ['p%40ssw0rd', 'p@ssw0rd']],
    [[], { HTTPS_PROXY: 'http://user:Tr0ub4dor@proxy:1' }, ['Tr0ub4dor', 'Tr0ub4dor']],
    [['--certificate', 'pkcs11:token=a?pin-value=12345678'], {}, ['12345678']],
    [['--certificate', 'c.pem', '--region', 'us-east-1'], { PATH: '/usr/local/bin' }, []],
  ])('knows the secrets of %j in %j', (args, env, secrets) => {
    expect(secretsIn(args, env as Record<string, string>)).toEqual(secrets);
  });
});
