import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../../src/emulator/emulator.ts';
import { OPERATIONS } from '../../../../src/emulator/services/control/model.ts';
import { PKI } from '../../../support/cli.ts';
import { requireTool } from '../../../support/tools.ts';
import { startTestEmulator } from '../../../support/vending.ts';
import { type Driver, type Json, cliDriver, sdkDriver, signedCall } from './drivers.ts';
import { tellStory } from './story.ts';

/** Those of the shipped clients' models of 2023. */
const OF_2023 = [
  'CreateProfile',
  'CreateTrustAnchor',
  ...['Delete', 'Disable', 'Enable', 'Get', 'Update'].flatMap((verb) => [
    `${verb}Crl`,
    `${verb}Profile`,
    `${verb}TrustAnchor`,
  ]),
  'GetSubject',
  'ImportCrl',
  'ListCrls',
  'ListProfiles',
  'ListSubjects',
  'ListTagsForResource',
  'ListTrustAnchors',
  'TagResource',
  'UntagResource',
];
const SINCE = ['DeleteAttributeMapping', 'PutAttributeMapping', 'PutNotificationSettings', 'ResetNotificationSettings'];

/** Debian's, and another one that the environment names: a newer CLI has the later operations too. */
const CLIS = ['/usr/bin/aws', ...[process.env['ROLES_ANYWHERE_AWS_CLI'] ?? []].flat()];

let emulator: Emulator;
let dir: string;
let driver: Driver | undefined;
beforeEach(async () => {
  emulator = await startTestEmulator();
  dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-control-'));
});
afterEach(async () => {
  driver?.close();
  driver = undefined;
  await emulator.close();
  rmSync(dir, { recursive: true, force: true });
});

const crl = () => readFileSync(`${PKI}crl.pem`);

describe('the control plane', () => {
  it('has the operations of the service model, and no other', () => {
    expect(Object.keys(OPERATIONS).toSorted()).toEqual([...OF_2023, ...SINCE].toSorted());
  });

  it('is driven by the AWS SDK for JavaScript in every operation that it has', async () => {
    driver = sdkDriver(emulator.url);
    expect(driver.operations.toSorted()).toEqual(OF_2023.toSorted());
    expect((await tellStory(driver, emulator.url, crl())).toSorted()).toEqual(driver.operations.toSorted());
  });

  it.each(CLIS.filter((aws) => requireTool(aws)))(
    'is driven by %s in every operation that it has',
    async (aws) => {
      driver = cliDriver(aws, emulator.url, dir);
      expect(driver.operations).toEqual(expect.arrayContaining(OF_2023));
      expect((await tellStory(driver, emulator.url, crl())).toSorted()).toEqual(driver.operations.toSorted());
    },
    60_000,
  );

  it('is driven by requests of the SDK’s signer in the operations that came later', async () => {
    const known = sdkDriver(emulator.url);
    const later: Record<string, (input: Json) => Parameters<typeof signedCall>[1]> = {
      PutAttributeMapping: ({ profileId, ...body }) => ({
        method: 'PUT',
        path: `/profiles/${String(profileId)}/mappings`,
        body,
      }),
      DeleteAttributeMapping: ({ profileId, certificateField, specifiers }) => ({
        method: 'DELETE',
        path: `/profiles/${String(profileId)}/mappings`,
        query: { certificateField: String(certificateField), specifiers: specifiers as string[] },
      }),
      PutNotificationSettings: (body) => ({ method: 'PATCH', path: '/put-notifications-settings', body }),
      ResetNotificationSettings: (body) => ({ method: 'PATCH', path: '/reset-notifications-settings', body }),
    };
    driver = {
      operations: [...known.operations, ...Object.keys(later)],
      call: async (operation, input) => {
        const binding = later[operation];
        if (binding === undefined) return await known.call(operation, input);
        const { status, type, body } = await signedCall(emulator.url, binding(input));
        if (status >= 300) throw new Error(`${type}: ${JSON.stringify(body)}`);
        return body;
      },
      close: () => known.close(),
    };
    expect(Object.keys(later).toSorted()).toEqual(SINCE);
    expect((await tellStory(driver, emulator.url, crl())).toSorted()).toEqual(Object.keys(OPERATIONS).toSorted());
  });
});
