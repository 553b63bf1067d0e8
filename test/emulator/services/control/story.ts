/** One story that needs every operation of the control plane: a CA is trusted, used, distrusted and forgotten. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { PKI, runCli } from '../../../support/cli.ts';
import type { Driver, Json } from './drivers.ts';

const ROLE_ARN = 'arn:aws:iam::123456789012:role/Workload';
const ROOT_PEM = readFileSync(`${PKI}root.pem`, 'utf8');

interface Made {
  [member: string]: unknown;
  name: string;
  enabled: boolean;
}

/** Our own client: exit status, and what it printed. */
function vend(endpoint: string, trustAnchorArn: string, profileArn: string) {
  const world = `--trust-anchor-arn ${trustAnchorArn} --profile-arn ${profileArn} --role-arn ${ROLE_ARN}`;
  const identity = `--certificate ${PKI}revoked.crt.pem --private-key ${PKI}revoked.key.pem`;
  const rest = `--intermediates ${PKI}intermediate.pem --endpoint ${endpoint}`;
  return runCli(['credential-process', ...`${identity} ${rest} ${world}`.split(' ')]);
}

/** @returns the operations that were called, in order */
export async function tellStory(driver: Driver, endpoint: string, crl: Uint8Array): Promise<string[]> {
  const called: string[] = [];
  /** Calls an operation that the client knows; of another, nothing is expected. */
  const call = async (operation: string, input: Json, member: string): Promise<Made> => {
    called.push(operation);
    const answer = await driver.call(operation, input);
    return (member === '' ? answer : answer[member]) as Made;
  };
  const knows = (operation: string): boolean => driver.operations.includes(operation);

  const source = { sourceType: 'CERTIFICATE_BUNDLE', sourceData: { x509CertificateData: ROOT_PEM } };
  const tags = [{ key: 'stage', value: 'test' }];
  const anchor = await call('CreateTrustAnchor', { name: 'Our CA', source, tags }, 'trustAnchor');
  expect(anchor).toMatchObject({ name: 'Our CA', enabled: false, source });
  const profile = await call('CreateProfile', { name: 'Workers', roleArns: [ROLE_ARN], enabled: true }, 'profile');
  expect(profile).toMatchObject({ roleArns: [ROLE_ARN], durationSeconds: 3600, enabled: true });
  const trustAnchorId = String(anchor['trustAnchorId']);
  const trustAnchorArn = String(anchor['trustAnchorArn']);
  const [profileId, profileArn] = [String(profile['profileId']), String(profile['profileArn'])];
  const session = () => vend(endpoint, trustAnchorArn, profileArn);

  expect((await session()).stderr).toContain('Trust anchor is disabled');
  expect(await call('EnableTrustAnchor', { trustAnchorId }, 'trustAnchor')).toMatchObject({ enabled: true });
  expect(await session()).toMatchObject({ status: 0 });
  const [subject] = (await call('ListSubjects', {}, 'subjects')) as unknown as Made[];
  const { subjectId } = subject!;
  const seen = (await call('GetSubject', { subjectId }, 'subject')) as Json;
  expect(seen).toMatchObject({ enabled: true, credentials: [{ failed: false }] });

  const imported = { name: 'Revoked', crlData: crl, trustAnchorArn, enabled: true };
  const { crlId } = await call('ImportCrl', imported, 'crl');
  expect((await session()).stderr).toContain('Certificate revoked');
  expect(await call('GetSubject', { subjectId }, 'subject')).toMatchObject({ subjectId });
  expect(await call('GetCrl', { crlId }, 'crl')).toMatchObject({ name: 'Revoked', enabled: true, trustAnchorArn });
  expect(await call('UpdateCrl', { crlId, name: 'Renamed', crlData: crl }, 'crl')).toMatchObject({ name: 'Renamed' });
  expect(await call('ListCrls', {}, 'crls')).toHaveLength(1);
  expect(await call('DisableCrl', { crlId }, 'crl')).toMatchObject({ enabled: false });
  expect(await session()).toMatchObject({ status: 0 });
  expect(await call('EnableCrl', { crlId }, 'crl')).toMatchObject({ enabled: true });
  expect(await call('DeleteCrl', { crlId }, 'crl')).toMatchObject({ crlId });

  expect(await call('GetProfile', { profileId }, 'profile')).toMatchObject({ profileArn });
  const changes = { profileId, name: 'Others', durationSeconds: 900, sessionPolicy: '{"Version":"2012-10-17"}' };
  expect(await call('UpdateProfile', changes, 'profile')).toMatchObject(changes);
  expect(await call('DisableProfile', { profileId }, 'profile')).toMatchObject({ enabled: false });
  expect((await session()).stderr).toContain('Profile is disabled');
  expect(await call('EnableProfile', { profileId }, 'profile')).toMatchObject({ enabled: true });
  const field = { profileId, certificateField: 'x509Subject' };
  const rules = [{ specifier: 'CN' }, { specifier: 'OU' }];
  if (knows('PutAttributeMapping'))
    expect(await call('PutAttributeMapping', { ...field, mappingRules: rules }, 'profile')).toMatchObject({
      attributeMappings: expect.arrayContaining([{ certificateField: 'x509Subject', mappingRules: rules }]) as unknown,
    });
  if (knows('DeleteAttributeMapping'))
    expect(await call('DeleteAttributeMapping', { ...field, specifiers: ['OU'] }, 'profile')).toMatchObject({
      attributeMappings: expect.arrayContaining([
        { certificateField: 'x509Subject', mappingRules: [{ specifier: 'CN' }] },
      ]) as unknown,
    });
  expect(await call('ListProfiles', {}, 'profiles')).toHaveLength(2); // with the built-in one

  const resourceArn = trustAnchorArn;
  await call('TagResource', { resourceArn, tags: [{ key: 'team', value: 'a b' }] }, '');
  await call('UntagResource', { resourceArn, tagKeys: ['stage'] }, '');
  expect(await call('ListTagsForResource', { resourceArn }, 'tags')).toEqual([{ key: 'team', value: 'a b' }]);

  const renamed = { trustAnchorId, name: 'Their CA', source };
  expect(await call('UpdateTrustAnchor', renamed, 'trustAnchor')).toMatchObject({ name: 'Their CA' });
  const event = 'CA_CERTIFICATE_EXPIRY';
  const settings = [{ enabled: true, event, threshold: 10 }];
  if (knows('PutNotificationSettings'))
    expect(
      await call('PutNotificationSettings', { trustAnchorId, notificationSettings: settings }, 'trustAnchor'),
    ).toMatchObject({
      notificationSettings: expect.arrayContaining([
        { ...settings[0], channel: 'ALL', configuredBy: '123456789012' },
      ]) as unknown,
    });
  if (knows('ResetNotificationSettings'))
    expect(
      await call('ResetNotificationSettings', { trustAnchorId, notificationSettingKeys: [{ event }] }, 'trustAnchor'),
    ).toMatchObject({
      notificationSettings: expect.arrayContaining([
        { enabled: true, event, threshold: 45, channel: 'ALL', configuredBy: 'rolesanywhere.amazonaws.com' },
      ]) as unknown,
    });
  expect(await call('ListTrustAnchors', {}, 'trustAnchors')).toHaveLength(2);
  expect(await call('DisableTrustAnchor', { trustAnchorId }, 'trustAnchor')).toMatchObject({ enabled: false });
  expect((await session()).stderr).toContain('Trust anchor is disabled');
  expect(await call('DeleteProfile', { profileId }, 'profile')).toMatchObject({ profileId });
  expect(await call('DeleteTrustAnchor', { trustAnchorId }, 'trustAnchor')).toMatchObject({ trustAnchorId });
  await expect(driver.call('GetTrustAnchor', { trustAnchorId })).rejects.toThrow(/[Nn]ot ?[Ff]ound/);
  called.push('GetTrustAnchor');
  expect((await session()).stderr).toContain('Resource not found');
  return [...new Set(called)];
}
