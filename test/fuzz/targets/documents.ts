/** Documents of JSON: policies, and what this program keeps for itself, which others may have written over. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPolicy } from '../../../src/aws/session-policy.ts';
import { isFresh, isStillGood, parseEntry, remainingOf, unpacked } from '../../../src/credentials/cache/entry.ts';
import { isGone, parseHolder } from '../../../src/credentials/cache/holder.ts';
import { parseLine } from '../../../src/credentials/cache/line.ts';
import { readEntry } from '../../../src/credentials/cache/read-entry.ts';
import { PolicyError, type PolicyKind, parsePolicy } from '../../../src/emulator/policy/document.ts';
import { evaluate } from '../../../src/emulator/policy/evaluate.ts';
import { ContextKeys } from '../../../src/emulator/policy/keys.ts';
import { readWorldFile } from '../../../src/emulator/world/file.ts';
import { createWorld } from '../../../src/emulator/world/world.ts';
import { parseHolder as parsePinHolder, readRecord } from '../../../src/identity/pkcs11/pin-record.ts';
import { type OpenTarget, check, textOf } from '../harness/target.ts';

const NOW = Date.parse('2026-11-29T00:00:00Z');
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';

const TRUST = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Sid: 'a',
      Effect: 'Allow',
      Principal: { Service: 'rolesanywhere.amazonaws.com', AWS: ['arn:aws:iam::123456789012:root', '123456789012'] },
      Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
      Condition: {
        StringEquals: { 'aws:PrincipalTag/x509Subject/CN': 'web', 'aws:SourceArn': ['x', '${aws:username, "y"}'] },
        ArnLike: { 'aws:SourceArn': 'arn:aws:rolesanywhere:*:123456789012:trust-anchor/*' },
        'ForAllValues:StringLikeIfExists': { 'aws:TagKeys': ['a*', '?b'] },
        NumericLessThan: { 'aws:MultiFactorAuthAge': '300' },
        DateGreaterThan: { 'aws:CurrentTime': '2026-01-01T00:00:00Z' },
        IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '2001:db8::/32'] },
        Bool: { 'aws:SecureTransport': true },
        Null: { 'sts:ExternalId': 'false' },
      },
    },
  ],
});
const PERMISSIONS = JSON.stringify({
  Version: '2012-10-17',
  Statement: { Effect: 'Deny', NotAction: 's3:*', Resource: ['arn:aws:s3:::bucket/${aws:username}/*', '*'] },
});

const policy: OpenTarget = () => {
  const keys = new ContextKeys({
    'aws:PrincipalTag/x509Subject/CN': 'web',
    'aws:SourceArn': 'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/1',
    'aws:TagKeys': ['a', 'b'],
    'aws:MultiFactorAuthAge': '10',
    'aws:CurrentTime': '2026-11-29T00:00:00Z',
    'aws:SourceIp': '10.1.2.3',
    'aws:SecureTransport': 'true',
    'aws:username': 'u',
  });
  return {
    seeds: [TRUST, PERMISSIONS],
    forms: ['json', 'text'],
    words: ['NotPrincipal', 'NotResource', 'ForAnyValue:', '*', '${*}', '${aws:x}', '__proto__', 'IfExists'],
    expects: (error) => error instanceof PolicyError,
    run(input) {
      const text = textOf(input);
      const problems: unknown[] = [];
      const attempt = (read: () => void): void => {
        try {
          read();
        } catch (error) {
          problems.push(error);
        }
      };
      attempt(() => checkPolicy(text, [], (name) => `--${name}`));
      for (const kind of ['trust', 'permissions', 'session'] satisfies PolicyKind[])
        attempt(() => {
          const decision = evaluate([parsePolicy(text, kind)], {
            action: kind === 'trust' ? 'sts:AssumeRole' : 's3:GetObject',
            resource: 'arn:aws:s3:::bucket/u/key',
            principal: { type: 'Service', name: 'rolesanywhere.amazonaws.com' } as never,
            keys,
          });
          check(['allow', 'deny', 'none'].includes(decision.effect), 'a decision is one of three');
        });
      for (const problem of problems) throw problem;
    },
  };
};

const ENTRY = JSON.stringify({
  version: 1,
  obtained: NOW,
  clockOffset: 0,
  chance: 0.5,
  holdUntil: NOW + 1000,
  role: 'arn:aws:iam::123456789012:role/A',
  certificate: ['/etc/pki/a.pem', '1-2-3'],
  credentials: {
    accessKeyId: 'ASIA',
    secretAccessKey: SECRET,
    sessionToken: 't',
    expiration: '2026-11-29T01:00:00Z',
    accountId: '123456789012',
    assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/A/s',
  },
});
/** As assume-role keeps one of credentials in no file: without a certificate, with the time since the machine's start. */
const STS_ENTRY = JSON.stringify({
  ...(JSON.parse(ENTRY) as object),
  certificate: undefined,
  counted: ['boot', 1000],
});
const LINE = JSON.stringify({
  version: 1,
  text: 'x',
  directory: '/',
  config: ['/nowhere', null],
  entry: `session-1-${'0a'.repeat(16)}`,
  minRemainingMs: 1,
});
const HOLDER = JSON.stringify({ pid: 1, space: 'boot', began: '2', turn: 't', owner: 'o' });

/** What others may have torn, or written over, is never given out past its end, and never makes an error. */
const cacheEntry: OpenTarget = () => ({
  seeds: [ENTRY, STS_ENTRY, LINE, HOLDER],
  forms: ['json', 'text'],
  secrets: [SECRET],
  expects: () => false,
  run(input) {
    const text = textOf(input);
    const entry = parseEntry(text);
    readEntry(text);
    if (entry !== undefined) {
      const { expiration } = unpacked(entry.credentials);
      for (const now of [NOW, NOW + 3_599_000, NOW + 3_601_000, 0]) {
        const fresh = isFresh(entry, now, 900_000);
        const good = isStillGood(entry, now);
        check(
          !(fresh || good) || expiration.getTime() > now + entry.clockOffset,
          'a set is not given out past its end',
        );
        check(
          remainingOf(entry, now) >= 0 && remainingOf(entry, now) <= 13 * 3_600_000,
          'no life is longer than AWS gives',
        );
      }
    }
    parseLine(text, { text: 'x', name: 'line' }, () => '/');
    const holder = parseHolder(text);
    if (holder !== undefined) isGone(holder);
    parsePinHolder(text);
  },
});

const PIN_RECORD = JSON.stringify({
  version: 2,
  refused: [{ source: 's', tag: 't', stamp: 'x' }],
  accepted: { source: 's', stamp: 'x' },
  doubt: { source: 's', tag: 't', stamp: 'x', count: 1 },
});

const pinRecord: OpenTarget = () => {
  const folder = mkdtempSync(join(tmpdir(), 'roles-anywhere-fuzz-pin-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'record');
  return {
    seeds: [PIN_RECORD],
    forms: ['json', 'text'],
    run(input) {
      writeFileSync(file, input);
      const record = readRecord(file);
      check(record !== undefined && record.version === 2, 'a record that is there is one, or a doubt');
    },
  };
};

const WORLD = `region: us-east-1
trustAnchors:
  - name: a
    certificateFile: ${process.cwd()}/certs-dev/out/root.pem
roles:
  - arn: arn:aws:iam::123456789012:role/A
    trustPolicy: ${TRUST.slice(0, 60)}
profiles:
  - arn: arn:aws:rolesanywhere:us-east-1:123456789012:profile/22222222-2222-2222-2222-222222222222
    roleArns: [arn:aws:iam::123456789012:role/A]
    durationSeconds: 3600
`;

const world: OpenTarget = () => {
  const folder = mkdtempSync(join(tmpdir(), 'roles-anywhere-fuzz-world-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'world.yaml');
  return {
    seeds: [WORLD, JSON.stringify({ region: 'us-east-1', roles: [{ arn: 'arn:aws:iam::123456789012:role/A' }] })],
    forms: ['text', 'json'],
    words: ['&a ', '*a', '<<: ', '- ', '!!js/function ', '%YAML', '---\n'],
    // The YAML reader takes its time, but each byte the same.
    largeBytes: 1 << 14,
    run(input) {
      // JSON is read as the YAML that it is, whatever the file is called.
      writeFileSync(file, input);
      createWorld(readWorldFile(file).world(), new Date(NOW));
    },
  };
};

export const DOCUMENTS: Readonly<Record<string, OpenTarget>> = {
  policy,
  'cache-entry': cacheEntry,
  'pin-record': pinRecord,
  world,
};
