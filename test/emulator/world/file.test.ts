import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Authority } from '../../../certs-dev/authority.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../../src/emulator/emulator.ts';
import { schemaProblems } from '../../../src/emulator/world/json-schema.ts';
import schema from '../../../src/emulator/world/schema.json' with { type: 'json' };
import type { RolesAnywhereError } from '../../../src/platform/errors.ts';
import { assume, stsClient, vend } from '../support/callers.ts';
import { draft, send, signed } from '../support/signed-request.ts';
import { ARNS, type Client, NOW, certificatePem, makeAuthority, makeClient } from '../support/world.ts';

let root: Authority;
let alice: Client;
beforeAll(async () => {
  root = await makeAuthority('root');
  alice = await makeClient(root);
});

let directory: string;
let file: string;
let emulator: Emulator | undefined;
let reloads: (RolesAnywhereError | undefined)[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'roles-anywhere-world-'));
  file = join(directory, 'world.yaml');
  writeFileSync(join(directory, 'root.pem'), certificatePem(root.certificate));
  reloads = [];
});
afterEach(async () => {
  await emulator?.close();
  emulator = undefined;
  rmSync(directory, { recursive: true });
});

const WORLD = { trustAnchors: [{ name: 'corp', certificateFile: 'root.pem' }] };
const role = (arn: string, more: object = {}) => ({ arn, ...more });
const withRoles = (...roles: object[]) => ({ ...WORLD, roles });

async function start(world: object, options: EmulatorOptions = {}): Promise<Emulator> {
  writeFileSync(file, stringify(world));
  emulator = await startEmulator({
    worldFile: file,
    now: () => NOW,
    onReload: (problem) => reloads.push(problem),
    ...options,
  });
  return emulator;
}

async function restart(options: EmulatorOptions): Promise<Emulator> {
  await emulator?.close();
  emulator = await startEmulator({ worldFile: file, now: () => NOW, ...options });
  return emulator;
}

async function status(of: Emulator): Promise<number> {
  return (await send(of.url, signed(draft(alice, of.url, { now: NOW }), alice))).status;
}

describe('a world file', () => {
  it('makes the same world as the options, in YAML and in JSON', async () => {
    const started = await start(WORLD);
    expect(started.trustAnchorArns).toEqual([ARNS.trustAnchorArn]);
    expect(await status(started)).toBe(201);
    writeFileSync(file, JSON.stringify(WORLD));
    expect(await status(started)).toBe(201);
    expect(reloads).toEqual([undefined]);
    expect(started.state.get('trustAnchors', ARNS.trustAnchorArn)?.name).toBe('corp');
  });

  it('takes policies as YAML or as JSON text', async () => {
    const Statement = [{ Effect: 'Allow', Principal: { Service: 'rolesanywhere.amazonaws.com' }, Action: 'sts:*' }];
    const document = { Version: '2012-10-17', Statement };
    for (const trustPolicy of [document, JSON.stringify(document)]) {
      expect(await status(await start(withRoles(role(ARNS.roleArn, { trustPolicy }))))).toBe(201);
      await emulator?.close();
    }
  });

  it('is read again when it changes, at the next request', async () => {
    const started = await start(withRoles(role(ARNS.roleArn)));
    expect(await status(started)).toBe(201);
    writeFileSync(file, stringify(withRoles(role(`${ARNS.roleArn}2`))));
    expect(await status(started)).toBe(403);
    writeFileSync(file, stringify(withRoles(role(ARNS.roleArn), role(`${ARNS.roleArn}2`))));
    expect(await status(started)).toBe(201);
    expect(reloads).toEqual([undefined, undefined]);
  });

  it('is read again when a file that it names changes', async () => {
    const started = await start(WORLD);
    const other = await makeAuthority('other');
    writeFileSync(join(directory, 'root.pem'), certificatePem(other.certificate));
    expect(await status(started)).toBe(403);
    expect(started.verdicts.at(-1)?.reason).toContain('no path to trust anchor corp');
  });

  it.each([
    ['half written', () => '{ trustAnchors: ['],
    ['empty', () => ''],
    ['against the schema', () => 'trustAnchors: 3'],
    ['of another region', () => stringify({ ...WORLD, region: 'eu-west-1' })],
    ['with a policy that is malformed', () => stringify(withRoles(role(ARNS.roleArn, { trustPolicy: '{' })))],
  ])('leaves the world as it was when it is %s, says so once, and is good again when it is mended', async (_, text) => {
    const started = await start(WORLD);
    writeFileSync(file, text());
    expect([await status(started), await status(started)]).toEqual([201, 201]);
    expect(reloads).toEqual([expect.objectContaining({ code: 'ERR_WORLD' })]);
    writeFileSync(file, stringify(withRoles(role(`${ARNS.roleArn}2`))));
    expect(await status(started)).toBe(403);
    expect(reloads).toHaveLength(2);
  });

  it('leaves alone what was changed by other means', async () => {
    const started = await start(WORLD);
    const [anchor] = started.state.list('trustAnchors');
    if (anchor === undefined) throw new Error('there is none');
    started.state.apply({ op: 'put', kind: 'trustAnchors', record: { ...anchor, enabled: false } });
    writeFileSync(file, stringify({ ...WORLD, buckets: [{ name: 'logs' }] }));
    expect(await status(started)).toBe(403);
    expect(started.state.list('buckets').map(({ name }) => name)).toEqual(['logs']);
  });

  it.each<[string, string, string]>([
    [
      'is missing a file that it names',
      stringify({ trustAnchors: [{ certificateFile: 'no.pem' }] }),
      'no.pem cannot be read',
    ],
    [
      'names a file that no system can have',
      stringify({ trustAnchors: [{ certificateFile: 'a\0b.pem' }] }),
      'cannot be read',
    ],
    [
      'names a file by more than a path can hold',
      stringify({ trustAnchors: [{ certificateFile: 'a'.repeat(5000) }] }),
      'cannot be read',
    ],
    ['has no trust anchors', stringify({ roles: [] }), 'the file has no trustAnchors'],
    ['has a member that does not exist', stringify({ ...WORLD, role: [] }), 'the file has no member role'],
    [
      'has a profile without roles',
      stringify({ ...WORLD, profiles: [{ arn: ARNS.profileArn }] }),
      'profiles[0] has no roleArns',
    ],
    [
      'has a duration out of bounds',
      stringify({ ...WORLD, profiles: [{ arn: ARNS.profileArn, roleArns: [], durationSeconds: 60 }] }),
      'profiles[0].durationSeconds is less than 900',
    ],
    [
      'has an anchor without certificates',
      stringify({ trustAnchors: [{ name: 'a' }] }),
      'trustAnchors[0] has no certificates, or trustAnchors[0] has no certificateFile',
    ],
    [
      'has two of them',
      stringify({ trustAnchors: [{ certificates: 'a', certificateFile: 'b' }] }),
      'trustAnchors[0] fits more than one form',
    ],
    [
      'is bound to expand without end',
      `a: &a [1]\n${Array.from({ length: 9 }, (_, i) => `b${i}: &b${i} [${i === 0 ? '*a,'.repeat(9) : `*b${i - 1},`.repeat(9)}]`).join('\n')}`,
      'is not YAML',
    ],
    ['is no YAML', 'roles:\n  - [a', 'at line 2, column 7'],
    ['opens brackets and no more', `roles: ${'['.repeat(70_000)}`, 'is nested more than 500 levels deep'],
    ['is a list of lists without end', `roles:\n  ${'- '.repeat(70_000)}`, 'is nested more than 500 levels deep'],
    [
      'is nested deeper than is read',
      `roles: ${'['.repeat(501)}${']'.repeat(501)}`,
      'is nested more than 500 levels deep',
    ],
    ['is nested as deep as is read', `roles: ${'['.repeat(500)}${']'.repeat(500)}`, 'roles[0] is not an object'],
  ])('is refused when it %s', async (_, text, message) => {
    writeFileSync(file, text);
    await expect(startEmulator({ worldFile: file })).rejects.toMatchObject({
      code: 'ERR_WORLD',
      message: expect.stringContaining(message),
    });
  });

  it('does not go with trust anchors beside it', async () => {
    await expect(startEmulator({ worldFile: file, trustAnchors: [] })).rejects.toMatchObject({ code: 'ERR_USAGE' });
  });
});

describe('the schema', () => {
  const policy = { Version: '2012-10-17', Statement: [] };
  const tags = { team: 'blue' };
  /** Every member that there is, with those that exclude each other in items of their own. */
  const full = {
    $schema: 'emulator-world.schema.json',
    region: 'us-east-1',
    trustAnchors: [
      {
        arn: ARNS.trustAnchorArn,
        name: 'corp',
        enabled: true,
        certificateFile: 'root.pem',
        aliasName: 'corp',
        crlDpRevocationEnabled: true,
        crls: [{ arn: 'arn:crl', name: 'one', aliasName: 'one', enabled: false, crl: 'PEM' }, { crlFile: 'crl.pem' }],
        notificationSettings: [{ enabled: true, event: 'CA_CERTIFICATE_EXPIRY', channel: 'ALL', threshold: 45 }],
        tags,
      },
      { certificates: 'PEM' },
    ],
    profiles: [
      {
        arn: ARNS.profileArn,
        name: 'p',
        aliasName: 'p',
        enabled: true,
        roleArns: [ARNS.roleArn],
        durationSeconds: 900,
        acceptRoleSessionName: true,
        requireInstanceProperties: false,
        sessionPolicy: policy,
        managedPolicyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
        attributeMappings: [{ certificateField: 'x509SAN', mappingRules: [{ specifier: 'DNS' }] }],
        tags,
      },
    ],
    roles: [{ arn: ARNS.roleArn, maxSessionDuration: 43_200, trustPolicy: policy, policies: [policy], tags }],
    users: [
      {
        arn: 'arn:aws:iam::123456789012:user/admin',
        accessKeys: [{ accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' }],
        policies: ['{}'],
        tags,
      },
    ],
    oidcProviders: [
      { url: 'https://token.example.org', account: '123456789012', clientIds: ['app'], jwks: { keys: [] } },
      { url: 'https://other.example.org', clientIds: ['app'], jwksFile: 'keys.json' },
    ],
    mfaDevices: [{ serialNumber: 'arn:aws:iam::123456789012:mfa/a', secret: 'GEZDGNBV', owner: ARNS.roleArn }],
    managedPolicies: [{ arn: 'arn:aws:iam::123456789012:policy/p', document: policy }],
    buckets: [{ name: 'logs', account: '123456789012', createdAt: '2026-01-01T00:00:00Z' }],
  };

  /** Each value within another, policies apart, with a function that makes a copy in which it is replaced. */
  function* within(
    value: unknown,
    path: string,
    put: (item: unknown) => unknown,
  ): Generator<[string, (item: unknown) => unknown]> {
    yield [path, put];
    if (typeof value !== 'object' || value === null || value === policy) return;
    for (const [key, item] of Object.entries(value))
      yield* within(item, `${path}/${key}`, (other) =>
        put(
          Array.isArray(value)
            ? value.map((own: unknown, index) => (String(index) === key ? other : own))
            : { ...value, [key]: other },
        ),
      );
  }
  const places = [...within(full, '', (item) => item)].filter(([path]) => !path.includes('/jwks/'));

  it('takes every member that is documented', () => {
    expect(schemaProblems(full, schema, 'the file')).toEqual([]);
    const described = Object.values({ root: schema, ...schema.$defs }).flatMap((part) =>
      'properties' in part ? Object.keys(part.properties) : [],
    );
    const shown = new Set(places.map(([path]) => path.split('/').at(-1)));
    expect(described.filter((name) => !shown.has(name))).toEqual([]);
  });

  it.each(places)('refuses null at %s', (_, put) => {
    expect(schemaProblems(put(null), schema, 'the file')).not.toEqual([]);
  });

  it.each(places.filter(([, put]) => JSON.stringify(put({})) !== JSON.stringify(put(null))))(
    'refuses a number at %s, but where one belongs',
    (path, put) => {
      const takes = /\/(?:threshold|durationSeconds|maxSessionDuration)$/.test(path);
      const problems = schemaProblems(put(takes ? 1_000_000 : 1), schema, 'the file');
      expect(problems).not.toEqual([]);
    },
  );

  it('says when it is itself mistaken', () => {
    expect(() => schemaProblems({}, { maxProperties: 1 }, 'the value')).toThrow(/keyword maxProperties is not known/);
    expect(() => schemaProblems({}, { $ref: '#/$defs/none' }, 'the value')).toThrow(/no object/);
  });
});

describe('a state directory', () => {
  it('keeps sessions, changes and subjects over a restart', async () => {
    const stateDir = join(directory, 'state');
    const first = await start(withRoles(role(ARNS.roleArn), role(`${ARNS.roleArn}2`)), { stateDir });
    const session = await vend(first, alice);
    first.state.apply({ op: 'delete', kind: 'roles', arn: `${ARNS.roleArn}2` });
    await status(first);
    const second = await restart({ stateDir });
    const identity = await stsClient(second, session).send(new GetCallerIdentityCommand({}));
    expect(identity.Arn).toBe('arn:aws:sts::123456789012:assumed-role/Workload/f0e1d2c3b4a596');
    expect(second.state.list('subjects')).toHaveLength(1);
    await expect(assume(second, session, { RoleArn: `${ARNS.roleArn}2` })).rejects.toThrow(/not authorized/);
  });

  it('takes the changes that a world file has had in between', async () => {
    const stateDir = join(directory, 'state');
    const first = await start(withRoles(role(ARNS.roleArn), role(`${ARNS.roleArn}2`)), { stateDir });
    expect(await status(first)).toBe(201);
    await first.close();
    writeFileSync(file, stringify(withRoles(role(`${ARNS.roleArn}2`), role(`${ARNS.roleArn}3`))));
    const second = await restart({ stateDir });
    expect(second.state.list('roles').map(({ name }) => name)).toEqual(['Workload2', 'Workload3']);
  });

  it('holds no session token and no secret of a session', async () => {
    const stateDir = join(directory, 'state');
    const { sessionToken, secretAccessKey } = await vend(await start(WORLD, { stateDir }), alice);
    const journal = readFileSync(join(stateDir, 'journal'), 'utf8');
    expect(journal).toContain('"x509Subject":"CN=Alice, OU=Tests"');
    expect(journal).not.toContain(sessionToken);
    expect(journal).not.toContain(secretAccessKey);
  });

  it('without it, sessions of one run mean nothing to the next', async () => {
    const session = await vend(await start(WORLD), alice);
    const second = await restart({});
    await expect(stsClient(second, session).send(new GetCallerIdentityCommand({}))).rejects.toMatchObject({
      name: 'InvalidClientTokenId',
    });
  });
});
