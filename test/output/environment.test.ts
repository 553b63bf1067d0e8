import { describe, expect, it } from 'vitest';
import {
  CREDENTIAL_VARIABLES,
  childEnvironment,
  credentialVariables,
  endpointVariables,
} from '../../src/output/environment.ts';

const SET = {
  accessKeyId: 'ASIAEXAMPLE',
  secretAccessKey: 'secret',
  sessionToken: 'token',
  expiration: new Date('2026-03-04T05:06:07.890Z'),
  accountId: '111122223333',
};

describe('the variables of credentials', () => {
  it('are those of the SDKs, with expiration and both names of the region', () => {
    expect(Object.fromEntries(credentialVariables(SET, 'eu-west-1').set)).toEqual({
      AWS_ACCESS_KEY_ID: 'ASIAEXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'secret',
      AWS_SESSION_TOKEN: 'token',
      AWS_CREDENTIAL_EXPIRATION: '2026-03-04T05:06:07Z',
      AWS_ACCOUNT_ID: '111122223333',
      AWS_REGION: 'eu-west-1',
      AWS_DEFAULT_REGION: 'eu-west-1',
    });
  });

  it('take away what the credentials have no value for', () => {
    const { set, remove } = credentialVariables({ accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'secret' });
    expect([...set.keys()]).toEqual(['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']);
    expect(remove).toContain('AWS_SESSION_TOKEN');
    expect(remove).toContain('AWS_ACCOUNT_ID');
    expect(remove).not.toContain('AWS_REGION');
  });

  it('of an endpoint take away every credential', () => {
    const { set, remove } = endpointVariables({ AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:1/credentials' });
    expect([...set.keys()]).toEqual(['AWS_CONTAINER_CREDENTIALS_FULL_URI']);
    expect(remove).toEqual(CREDENTIAL_VARIABLES.filter((name) => name !== 'AWS_CONTAINER_CREDENTIALS_FULL_URI'));
  });
});

describe('the environment of a child process', () => {
  it('has nothing of its parent that would shadow the credentials, and all the rest', () => {
    const parent = {
      ...Object.fromEntries(CREDENTIAL_VARIABLES.map((name) => [name, 'of the parent'])),
      AWS_BEARER_TOKEN_OTHER: 'of the parent',
      ROLES_ANYWHERE_PKCS8_PASSWORD: 'of the parent',
      AWS_CONFIG_FILE: '/etc/aws/config',
      AWS_REGION: 'us-east-1',
      PATH: '/usr/bin',
      aws_profile: 'another variable',
      GONE: undefined,
    };
    expect(childEnvironment(parent, credentialVariables(SET), ['ROLES_ANYWHERE_PKCS8_PASSWORD'], 'linux')).toEqual({
      ...Object.fromEntries(credentialVariables(SET).set),
      AWS_CONFIG_FILE: '/etc/aws/config',
      AWS_REGION: 'us-east-1',
      PATH: '/usr/bin',
      aws_profile: 'another variable',
    });
  });

  it('has each name once on Windows, whatever its case', () => {
    const parent = { Aws_Profile: 'p', Aws_Access_Key_Id: 'other', Path: String.raw`C:\bin` };
    const child = childEnvironment(parent, credentialVariables(SET), [], 'win32');
    expect(child).toEqual({ ...Object.fromEntries(credentialVariables(SET).set), Path: String.raw`C:\bin` });
  });
});
