import { describe, expect, it } from 'vitest';
import { shownWords } from '../../../src/options/config/shown-setting.ts';

describe('the words of a line as they are shown', () => {
  it.each([
    ['--pkcs12-password hidden --region x', '--pkcs12-password <redacted> --region x'],
    ['--pkcs12-password=hidden x', '--pkcs12-password=<redacted> x'],
    ['AWS_SECRET_ACCESS_KEY=hidden program', 'AWS_SECRET_ACCESS_KEY=<redacted> program'],
    ['env ROLES_ANYWHERE_PKCS11_PIN=hidden x', 'env ROLES_ANYWHERE_PKCS11_PIN=<redacted> x'],
    ['a/aws_secret_access_key = hidden x', 'a/aws_secret_access_key = <redacted> <redacted>'],
    ['x/aws_session_token = atoken = hidden', 'x/aws_session_token = <redacted> <redacted> <redacted>'],
    ['aws_session_token =hidden x', 'aws_session_token =<redacted> <redacted>'],
    ['--debugaws_secret_access_key = hidden x', '--debugaws_secret_access_key = <redacted> <redacted>'],
    ['--debugaws_session_token=hidden x', '--debugaws_session_token=<redacted> x'],
    ['--vault-token hidden x', '--vault-token <redacted> x'],
    ['--pkcs12-password = hidden', '--pkcs12-password = <redacted>'],
    ['k.keyaws_secret_access_key : hidden x', 'k.keyaws_secret_access_key : <redacted> <redacted>'],
    ['k.keyaws_secret_access_key :hidden', 'k.keyaws_secret_access_key :<redacted>'],
    ['k.keyaws_secret_access_key: hidden x', 'k.keyaws_secret_access_key: <redacted> x'],
    ['k.keyaws_secret_access_key:hidden x', 'k.keyaws_secret_access_key:<redacted> x'],
    ['--debugaws_session_token: hidden', '--debugaws_session_token: <redacted>'],
    ['--debugaws_session_token:hidden', '--debugaws_session_token:<redacted>'],
    ['--private-key=k.keyaws_secret_access_key=hidden', '--private-key=k.keyaws_secret_access_key=<redacted>'],
    ['C:/k.keyaws_session_token=hidden', 'C:/k.keyaws_session_token=<redacted>'],
    ['--private-key pkcs11:token=a;pin-value=hidden', '--private-key pkcs11:token=a;pin-value=<redacted>'],
    ['--sts-endpoint http://a:hidden@sts:3128/', '--sts-endpoint http://sts:3128/'],
    ['--reuse-pin x', '--reuse-pin x'],
    ['password= hidden x', 'password= <redacted> x'],
    ['--certificate pkcs11:object=a?pin-value=hidden', '--certificate pkcs11:object=a?pin-value=<redacted>'],
    ['--private-key /etc/pin x', '--private-key /etc/pin x'],
    ['print-token then x', 'print-token then x'],
    ['role_arn = x', 'role_arn = <redacted>'],
    ['role_arn=x a=b', 'role_arn=x a=b'],
  ])('%s', (line, shown) => {
    expect(shownWords(line.split(' ')).join(' ')).toBe(shown);
  });

  it.each([
    ['x --pkcs8-password hidden --region x', 'x --pkcs8-password <redacted>'],
    ['x\t--tpm-key-password=hidden', 'x\t--tpm-key-password=<redacted>'],
    ['--region x --proxy http://user:hidden@host', '--region x --proxy <redacted>'],
    ['a=b --mfa-token hidden', 'a=b --mfa-token <redacted>'],
    ['--user-agent-extra=x --mfa-token hidden', '--user-agent-extra=x --mfa-token <redacted>'],
    ['the password of x', 'the password of x'],
  ])('hide what stands behind a flag within a word, whose quotes are not where they belong: %j', (word, shown) => {
    expect(shownWords([word])).toEqual([shown]);
  });
});
